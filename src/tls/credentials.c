#include "tls/credentials.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "tls/certificate.h"
#include "tls/failure.h"
#include "tls/pkcs11.h"
#include "tls/secret_file.h"

#define CHAIN_MAX 32 /* certificates of one file */

struct tls_credentials {
	X509 *certificate;
	STACK_OF(X509) * chain; /* what is sent behind the certificate; may be NULL */
	EVP_PKEY *key;
	struct pkcs11_token *tokens[2]; /* the certificate's, and the key's where it is another; NULL: files */
	char *name;                     /* what errors begin with */
	char *subject;
};

/* ---- pass phrases ---- */

/* One question for a file's pass phrase, and what came of it. */
struct question {
	const struct tls_secret *secret;
	const char *file;
	bool answered;
	struct thaw_error err; /* why there was no answer */
};

static enum thaw_status put(struct question *question, char *into, size_t room)
{
	char what[THAW_ERROR_TEXT / 2];

	if (question->secret->ask == NULL)
		return error_set(&question->err, THAW_ERR_CONFIG,
				 "it is encrypted, and a daemon asks nobody for a pass phrase; set key_passphrase: { "
				 "file: FILE }, or decrypt it with 'openssl pkey -in OLD -out NEW'");
	(void)snprintf(what, sizeof(what), "the pass phrase of %s", question->file);
	question->answered = question->secret->ask(question->secret->arg, what, into, room, &question->err) == THAW_OK;
	return question->answered ? THAW_OK : THAW_FAILED;
}

/* For OpenSSL, which wipes what it is given, and asks again where it had no memory for what it was told. */
static int on_pass_phrase(char *into, int room, int writing, void *arg)
{
	const struct question *question = arg;

	(void)writing;
	if (question->answered || room <= 0 || put(arg, into, (size_t)room) != THAW_OK)
		return -1;
	return (int)strlen(into);
}

static bool is_memory(void)
{
	return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
	       ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

/* Why a file with a pass phrase could not be read. OpenSSL's own words would be about the padding of garbage. */
static enum thaw_status blame(const struct question *question, struct thaw_error *err)
{
	if (question->err.cls != THAW_ERR_NONE) {
		ERR_clear_error();
		return error_set(err, question->err.cls, "%s: %s", question->file, question->err.text);
	}
	if (question->answered && !is_memory()) {
		ERR_clear_error();
		return error_set(err, THAW_ERR_CONFIG, "%s: the pass phrase is wrong", question->file);
	}
	return tls_library_failure(THAW_ERR_CONFIG, question->file, err);
}

/* ---- certificates ---- */

static bool is_usable(const X509 *certificate)
{
	const EVP_PKEY *key = X509_get0_pubkey(certificate);

	return key != NULL && EVP_PKEY_get_security_bits(key) > 0;
}

/* OpenSSL takes a certificate also where it cannot decode its public key, or has no memory for that, and says so only
 * when it is used. */
static enum thaw_status check_public_keys(const struct tls_credentials *credentials, const char *file,
					  struct thaw_error *err)
{
	bool ok = credentials->certificate == NULL || is_usable(credentials->certificate);

	for (int i = 0; ok && i < sk_X509_num(credentials->chain); i++)
		ok = is_usable(sk_X509_value(credentials->chain, i));
	if (ok)
		return THAW_OK;
	ERR_clear_error();
	return error_set(err, THAW_ERR_CONFIG, "%s: a certificate's public key is of no known kind, or no memory",
			 file);
}

/* ---- PEM ---- */

/* OpenSSL's own words for a file without what is looked for are about its decoders. */
static enum thaw_status blame_pem(const struct question *question, const char *wanted, struct thaw_error *err)
{
	unsigned long code = ERR_peek_last_error();
	bool none = (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) ||
		    (ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER && ERR_GET_REASON(code) == ERR_R_UNSUPPORTED);

	if (!none || question->answered || question->err.cls != THAW_ERR_NONE)
		return blame(question, err);
	ERR_clear_error();
	return error_set(err, THAW_ERR_CONFIG, "%s: there is no %s in it (PEM)", question->file, wanted);
}

static BIO *open_file(const char *file, struct thaw_error *err)
{
	BIO *bio = BIO_new_file(file, "r");

	if (bio == NULL)
		(void)tls_library_failure(THAW_ERR_CONFIG, file, err);
	return bio;
}

/* The certificates behind the first. */
static enum thaw_status read_chain(struct tls_credentials *credentials, BIO *bio, struct question *question,
				   struct thaw_error *err)
{
	X509 *next = NULL;

	credentials->chain = sk_X509_new_null();
	if (credentials->chain == NULL)
		return tls_library_failure(THAW_ERR_RESOURCE, question->file, err);
	while ((next = PEM_read_bio_X509(bio, NULL, on_pass_phrase, question)) != NULL) {
		bool room = sk_X509_num(credentials->chain) < CHAIN_MAX;
		if (!room || sk_X509_push(credentials->chain, next) == 0) {
			X509_free(next);
			return room ? tls_library_failure(THAW_ERR_RESOURCE, question->file, err)
				    : error_set(err, THAW_ERR_CONFIG, "%s: more than %d certificates", question->file,
						CHAIN_MAX);
		}
	}
	unsigned long code = ERR_peek_last_error();
	if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
		return blame(question, err);
	ERR_clear_error(); /* the file's end */
	return THAW_OK;
}

static enum thaw_status read_certificate(struct tls_credentials *credentials, const char *file,
					 const struct tls_secret *secret, struct thaw_error *err)
{
	struct question question = {.secret = secret, .file = file};
	BIO *bio = open_file(file, err);

	if (bio == NULL)
		return THAW_FAILED;
	credentials->certificate = PEM_read_bio_X509_AUX(bio, NULL, on_pass_phrase, &question);
	enum thaw_status status = credentials->certificate != NULL ? read_chain(credentials, bio, &question, err)
								   : blame_pem(&question, "certificate", err);
	BIO_free_all(bio);
	return status == THAW_OK ? check_public_keys(credentials, file, err) : status;
}

/* Who configured it finds the line, too. */
static enum thaw_status at_place(const char *place, struct thaw_error *err)
{
	struct thaw_error why = *err;

	*err = (struct thaw_error){.cls = THAW_ERR_NONE};
	return error_set(err, why.cls, "%s: %s", place, why.text);
}

static enum thaw_status read_key(struct tls_credentials *credentials, const char *file, const struct tls_secret *secret,
				 const char *place, struct thaw_error *err)
{
	struct question question = {.secret = secret, .file = file};
	BIO *bio = open_file(file, err);

	if (bio != NULL)
		credentials->key = PEM_read_bio_PrivateKey(bio, NULL, on_pass_phrase, &question);
	if (bio != NULL && credentials->key == NULL)
		(void)blame_pem(&question, "private key", err);
	BIO_free_all(bio);
	if (credentials->key != NULL)
		return THAW_OK;
	return place != NULL ? at_place(place, err) : THAW_FAILED;
}

/* ---- PKCS #12 ---- */

/* Of Windows before 2019 and of OpenSSL before 3.0: OpenSSL does not decrypt it any more unless it is told to. */
static enum thaw_status blame_pkcs12(const char *file, struct thaw_error *err)
{
	if (ERR_GET_REASON(ERR_peek_error()) != ERR_R_UNSUPPORTED &&
	    ERR_GET_REASON(ERR_peek_last_error()) != ERR_R_UNSUPPORTED)
		return tls_library_failure(THAW_ERR_CONFIG, file, err);
	ERR_clear_error();
	return error_set(err, THAW_ERR_CONFIG,
			 "%s: it is encrypted with an outdated cipher; make it anew: openssl pkcs12 -legacy -in FILE "
			 "-out all.pem, "
			 "openssl pkcs12 -export -in all.pem -out NEW",
			 file);
}

/* Where OpenSSL 3.5 has no memory to compare the key with a certificate, it takes the two for strangers. */
static bool overlooked(const struct tls_credentials *credentials)
{
	bool found = false;

	for (int i = 0; i < sk_X509_num(credentials->chain) && !found; i++)
		found = X509_check_private_key(sk_X509_value(credentials->chain, i), credentials->key) == 1;
	ERR_clear_error();
	return found;
}

static enum thaw_status parse_pkcs12(struct tls_credentials *credentials, PKCS12 *file, const char *pass_phrase,
				     const char *name, struct thaw_error *err)
{
	if (PKCS12_parse(file, pass_phrase, &credentials->key, &credentials->certificate, &credentials->chain) != 1)
		return blame_pkcs12(name, err);
	if (check_public_keys(credentials, name, err) != THAW_OK)
		return THAW_FAILED;
	if (credentials->key != NULL && credentials->certificate == NULL && overlooked(credentials))
		return error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", name);
	if (credentials->key == NULL || credentials->certificate == NULL)
		return error_set(err, THAW_ERR_CONFIG, "%s: it has no %s", name,
				 credentials->key == NULL ? "private key" : "certificate of its key");
	return THAW_OK;
}

/* Whether it is the file's pass phrase. An OpenSSL error: it could not be found out. */
static bool fits(PKCS12 *file, const char *pass_phrase, int len)
{
	ERR_clear_error();
	return PKCS12_verify_mac(file, pass_phrase, len) == 1;
}

static enum thaw_status open_pkcs12(struct tls_credentials *credentials, PKCS12 *file, const char *name,
				    const struct tls_secret *secret, struct thaw_error *err)
{
	struct question question = {.secret = secret, .file = name};
	char pass_phrase[TLS_SECRET_MAX];
	enum thaw_status status;

	/* Both mean none, and differ (RFC 7292 B.1). */
	if (fits(file, NULL, 0))
		return parse_pkcs12(credentials, file, NULL, name, err);
	if (ERR_peek_error() == 0 && fits(file, "", 0))
		return parse_pkcs12(credentials, file, "", name, err);
	if (ERR_peek_error() != 0)
		return tls_library_failure(THAW_ERR_CONFIG, name, err);
	if (put(&question, pass_phrase, sizeof(pass_phrase)) == THAW_OK && fits(file, pass_phrase, -1))
		status = parse_pkcs12(credentials, file, pass_phrase, name, err);
	else if (ERR_peek_error() != 0)
		status = tls_library_failure(THAW_ERR_CONFIG, name, err);
	else
		status = blame(&question, err);
	OPENSSL_cleanse(pass_phrase, sizeof(pass_phrase));
	return status;
}

static enum thaw_status read_pkcs12(struct tls_credentials *credentials, const char *name,
				    const struct tls_secret *secret, struct thaw_error *err)
{
	BIO *bio = open_file(name, err);
	PKCS12 *file = bio != NULL ? d2i_PKCS12_bio(bio, NULL) : NULL;
	enum thaw_status status = THAW_FAILED;

	if (file != NULL)
		status = open_pkcs12(credentials, file, name, secret, err);
	else if (bio != NULL)
		status = tls_library_failure(THAW_ERR_CONFIG, name, err);
	PKCS12_free(file);
	BIO_free_all(bio);
	return status;
}

/* ---- all of them ---- */

/* One token where one URI stands for both. */
static enum thaw_status read_both(struct tls_credentials *credentials, const char *certificate, const char *key,
				  const struct tls_credentials_source *source, struct thaw_error *err)
{
	const struct tls_secret from_file = {.ask = tls_secret_file_ask, .arg = (void *)source->setting.pass_phrase};
	const struct tls_secret *secret = source->setting.pass_phrase != NULL ? &from_file : &source->secret;
	struct pkcs11_token *token = NULL;

	if (pkcs11_is_uri(certificate)) {
		token = credentials->tokens[0] = pkcs11_token_new(certificate, secret, err);
		if (token != NULL)
			credentials->certificate = pkcs11_token_certificate(token, err);
	} else {
		(void)read_certificate(credentials, certificate, secret, err);
	}
	if (err->cls != THAW_ERR_NONE)
		return THAW_FAILED;
	if (!pkcs11_is_uri(key))
		return read_key(credentials, key, secret, source->setting.place, err);
	if (key != certificate)
		token = credentials->tokens[1] = pkcs11_token_new(key, secret, err);
	if (token != NULL)
		credentials->key = pkcs11_token_key(token, err);
	return err->cls == THAW_ERR_NONE ? THAW_OK : THAW_FAILED;
}

static enum thaw_status read_all(struct tls_credentials *credentials, const struct tls_credentials_source *source,
				 struct thaw_error *err)
{
	const char *certificate = source->certificate != NULL ? source->certificate : source->key;
	const char *key = source->key != NULL ? source->key : source->certificate;

	if (source->pkcs12 != NULL)
		return read_pkcs12(credentials, source->pkcs12, &source->secret, err);
	if (certificate == NULL)
		return error_set(err, THAW_ERR_USAGE, "neither a certificate nor a key is named");
	return read_both(credentials, certificate, key, source, err);
}

static enum thaw_status check(struct tls_credentials *credentials, struct thaw_error *err)
{
	ERR_clear_error();
	if (X509_check_private_key(credentials->certificate, credentials->key) != 1) {
		int reason = ERR_GET_REASON(ERR_peek_error()); /* behind another one it is not the cause */
		if (reason != X509_R_KEY_VALUES_MISMATCH && reason != X509_R_KEY_TYPE_MISMATCH)
			return tls_library_failure(THAW_ERR_CONFIG, credentials->name, err);
		ERR_clear_error();
		return error_set(err, THAW_ERR_CONFIG, "%s: the key is not that of the certificate", credentials->name);
	}
	credentials->subject = tls_name_text(X509_get_subject_name(credentials->certificate));
	return credentials->subject != NULL ? THAW_OK : error_set(err, THAW_ERR_RESOURCE, "out of memory");
}

struct tls_credentials *tls_credentials_new(const struct tls_credentials_source *source, struct thaw_error *err)
{
	struct tls_credentials *credentials = calloc(1, sizeof(*credentials));
	const char *name = source->pkcs12 != NULL ? source->pkcs12
			   : source->key != NULL  ? source->key
						  : source->certificate;
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	ERR_clear_error();
	if (credentials != NULL)
		credentials->name = strdup(name != NULL ? name : "");
	if (credentials == NULL || credentials->name == NULL)
		(void)error_set(&why, THAW_ERR_RESOURCE, "out of memory");
	else if (read_all(credentials, source, &why) == THAW_OK)
		(void)check(credentials, &why);
	ERR_clear_error(); /* what OpenSSL could do without */
	if (why.cls == THAW_ERR_NONE)
		return credentials;
	(void)error_set(err, why.cls, "%s", why.text);
	tls_credentials_free(&credentials);
	return NULL;
}

void tls_credentials_free(struct tls_credentials **credentials)
{
	struct tls_credentials *gone = *credentials;

	*credentials = NULL;
	if (gone == NULL)
		return;
	X509_free(gone->certificate);
	sk_X509_pop_free(gone->chain, X509_free);
	EVP_PKEY_free(gone->key);
	for (size_t i = 0; i < sizeof(gone->tokens) / sizeof(gone->tokens[0]); i++)
		pkcs11_token_free(&gone->tokens[i]);
	free(gone->name);
	free(gone->subject);
	free(gone);
}

const char *tls_credentials_subject(const struct tls_credentials *credentials)
{
	return credentials->subject;
}

enum thaw_status tls_credentials_use(const struct tls_credentials *credentials, struct ssl_ctx_st *ctx,
				     struct thaw_error *err)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate(ctx, credentials->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, credentials->key) != 1 || SSL_CTX_set1_chain(ctx, credentials->chain) != 1)
		return tls_library_failure(THAW_ERR_CONFIG, credentials->name, err);
	return THAW_OK;
}
