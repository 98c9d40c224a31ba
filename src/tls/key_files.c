#include "tls/key_files.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/file.h"
#include "tls/secret_file.h"

#define CHAIN_MAX 32 /* most certificates in one file */

/* ---- pass phrases ---- */

/* A request for the pass phrase of a file, and its result. */
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

/* OpenSSL's callback. OpenSSL wipes the answer, and calls again after a failed allocation. */
static int on_pass_phrase(char *into, int room, int writing, void *arg)
{
	const struct question *question = arg;

	(void)writing;
	if (question->answered || room <= 0 || put(arg, into, (size_t)room) != THAW_OK)
		return -1;
	return (int)strlen(into);
}

#define CIPHER_ROOM 64

/* Finds the name of an algorithm without an implementation in OpenSSL's error queue, and empties the queue. */
static bool find_unknown_cipher(char to[static CIPHER_ROOM])
{
	static const char before[] = "Algorithm (";
	const char *data = NULL, *at = NULL;
	int flags = 0;

	while (at == NULL && ERR_get_error_all(NULL, NULL, NULL, &data, &flags) != 0)
		at = (flags & ERR_TXT_STRING) != 0 && data != NULL ? strstr(data, before) : NULL;
	if (at != NULL) {
		at += strlen(before);
		(void)snprintf(to, CIPHER_ROOM, "%.*s", (int)strcspn(at, " :)"), at);
	}
	ERR_clear_error();
	return at != NULL;
}

/* The same for a traditional key (RFC 1421 4.6.1.3), whose decoder does not report the algorithm. */
static bool find_header_cipher(const char *file, char to[static CIPHER_ROOM])
{
	static const char field[] = "DEK-Info: ";
	FILE *opened = tls_file_open(file);
	bool unknown = false;
	char line[128];

	while (opened != NULL && !unknown && fgets(line, sizeof(line), opened) != NULL) {
		if (strncmp(line, field, strlen(field)) != 0)
			continue;
		const char *name = line + strlen(field);
		(void)snprintf(to, CIPHER_ROOM, "%.*s", (int)strcspn(name, ",\r\n"), name);
		EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, to, NULL);
		unknown = cipher == NULL && !tls_failure_is_memory();
		EVP_CIPHER_free(cipher);
	}
	OPENSSL_cleanse(line, sizeof(line));
	if (opened != NULL)
		(void)fclose(opened);
	ERR_clear_error();
	return unknown;
}

/* Reports why an encrypted file could not be read. OpenSSL's own text would be about padding. */
static enum thaw_status report_encrypted(const struct question *question, struct thaw_error *err)
{
	if (question->err.cls != THAW_ERR_NONE) {
		ERR_clear_error();
		return error_set(err, question->err.cls, "%s: %s", question->file, question->err.text);
	}
	if (question->answered && !tls_failure_is_memory()) {
		char cipher[CIPHER_ROOM];
		if (find_unknown_cipher(cipher) || find_header_cipher(question->file, cipher))
			return error_set(
				err, THAW_ERR_CONFIG,
				"%s: it is encrypted with %s, an outdated algorithm that OpenSSL does not load "
				"by default; encrypt it anew: openssl pkey -provider legacy -provider default "
				"-in FILE -aes256 -out NEW",
				question->file, cipher);
		return error_set(err, THAW_ERR_CONFIG,
				 "%s: the pass phrase is wrong; correct it, or see if the key is another one",
				 question->file);
	}
	return tls_library_failure(THAW_ERR_CONFIG, question->file, err);
}

/* ---- files of another kind ---- */

#define HEAD_MAX 4096 /* PEM may be preceded by text */

static bool begins(const char *head, size_t len, const char *with, size_t with_len)
{
	return len >= with_len && memcmp(head, with, with_len) == 0;
}

/* The actual type of a file that is not PKCS #12, and a remedy; NULL: unknown. */
static const char *other_kind(const char *file)
{
	char head[HEAD_MAX];
	FILE *opened = tls_file_open(file);
	size_t len = opened != NULL ? fread(head, 1, sizeof(head), opened) : 1;
	const char *kind = NULL;

	if (opened == NULL)
		return NULL;
	if (len == 0)
		kind = "the file is empty";
	else if (begins(head, len, "\xfe\xed\xfe\xed", 4) || begins(head, len, "\xce\xce\xce\xce", 4))
		kind = "it is a Java keystore; convert it: keytool -importkeystore -srckeystore FILE -destkeystore NEW "
		       "-deststoretype PKCS12";
	else if (memmem(head, len, "-----BEGIN ", 11) != NULL)
		kind = "it is PEM, not PKCS #12; name it with --cert and --key";
	else if (begins(head, len, "MI", 2))
		kind = "it is base64, not PKCS #12; decode it: base64 -d FILE > NEW";
	else
		kind = "it is not a PKCS #12 file";
	OPENSSL_cleanse(head, sizeof(head)); /* it may contain a key */
	(void)fclose(opened);
	return kind;
}

/* ---- certificates ---- */

static bool is_usable(const X509 *certificate)
{
	const EVP_PKEY *key = X509_get0_pubkey(certificate);

	return key != NULL && EVP_PKEY_get_security_bits(key) > 0;
}

/* OpenSSL accepts a certificate whose public key it cannot decode, or has no memory for, and fails only when the key is
 * used. */
static enum thaw_status check_public_keys(const struct tls_key_pair *pair, const char *file, struct thaw_error *err)
{
	bool ok = pair->certificate == NULL || is_usable(pair->certificate);

	for (int i = 0; ok && i < sk_X509_num(pair->chain); i++)
		ok = is_usable(sk_X509_value(pair->chain, i));
	if (ok)
		return THAW_OK;
	ERR_clear_error();
	return error_set(err, THAW_ERR_CONFIG, "%s: a certificate's public key has an unknown type, or out of memory",
			 file);
}

/* ---- PEM ---- */

static enum thaw_status report_pem(const struct question *question, enum tls_pem_kind wanted, struct thaw_error *err)
{
	if (question->answered || question->err.cls != THAW_ERR_NONE)
		return report_encrypted(question, err);
	return tls_pem_fault(question->file, wanted, err);
}

static BIO *open_file(const char *file, struct thaw_error *err)
{
	BIO *bio;

	(void)tls_file_bio(file, THAW_ERR_CONFIG, &bio, err);
	return bio;
}

/* Reads the certificates after the first. */
static enum thaw_status read_chain(struct tls_key_pair *pair, BIO *bio, struct question *question,
				   struct thaw_error *err)
{
	X509 *next = NULL;

	pair->chain = sk_X509_new_null();
	if (pair->chain == NULL)
		return tls_library_failure(THAW_ERR_RESOURCE, question->file, err);
	while ((next = PEM_read_bio_X509(bio, NULL, on_pass_phrase, question)) != NULL) {
		bool room = sk_X509_num(pair->chain) < CHAIN_MAX;
		if (!room || sk_X509_push(pair->chain, next) == 0) {
			X509_free(next);
			return room ? tls_library_failure(THAW_ERR_RESOURCE, question->file, err)
				    : error_set(err, THAW_ERR_CONFIG, "%s: more than %d certificates", question->file,
						CHAIN_MAX);
		}
	}
	unsigned long code = ERR_peek_last_error();
	if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
		return report_pem(question, TLS_PEM_CERTIFICATE, err);
	ERR_clear_error(); /* end of file */
	return THAW_OK;
}

static enum thaw_status read_certificate(struct tls_key_pair *pair, const char *file, const struct tls_secret *secret,
					 struct thaw_error *err)
{
	struct question question = {.secret = secret, .file = file};
	BIO *bio = open_file(file, err);

	if (bio == NULL)
		return THAW_FAILED;
	pair->certificate = PEM_read_bio_X509_AUX(bio, NULL, on_pass_phrase, &question);
	enum thaw_status status = pair->certificate != NULL ? read_chain(pair, bio, &question, err)
							    : report_pem(&question, TLS_PEM_CERTIFICATE, err);
	BIO_free_all(bio);
	return status == THAW_OK ? check_public_keys(pair, file, err) : status;
}

/* Puts the place of the setting in front of the error. */
static enum thaw_status at_place(const char *place, struct thaw_error *err)
{
	struct thaw_error why = *err;

	*err = (struct thaw_error){.cls = THAW_ERR_NONE};
	return error_set(err, why.cls, "%s: %s", place, why.text);
}

enum thaw_status key_files_certificate(struct tls_key_pair *pair, const char *file, const struct tls_secret *secret,
				       const char *place, struct thaw_error *err)
{
	if (read_certificate(pair, file, secret, err) == THAW_OK)
		return THAW_OK;
	return place != NULL ? at_place(place, err) : THAW_FAILED;
}

enum thaw_status key_files_key(struct tls_key_pair *pair, const char *file, const struct tls_secret *secret,
			       const char *place, struct thaw_error *err)
{
	struct question question = {.secret = secret, .file = file};
	BIO *bio = open_file(file, err);

	if (bio != NULL)
		pair->key = PEM_read_bio_PrivateKey(bio, NULL, on_pass_phrase, &question);
	if (bio != NULL && pair->key == NULL)
		(void)report_pem(&question, TLS_PEM_KEY, err);
	BIO_free_all(bio);
	if (pair->key != NULL)
		return THAW_OK;
	return place != NULL ? at_place(place, err) : THAW_FAILED;
}

/* ---- PKCS #12 ---- */

/* Reports a file from Windows before 2019 or OpenSSL before 3.0, whose encryption OpenSSL no longer supports by
 * default. */
static enum thaw_status report_pkcs12(const char *file, struct thaw_error *err)
{
	if (ERR_GET_REASON(ERR_peek_error()) != ERR_R_UNSUPPORTED &&
	    ERR_GET_REASON(ERR_peek_last_error()) != ERR_R_UNSUPPORTED)
		return tls_library_failure(THAW_ERR_CONFIG, file, err);
	char cipher[CIPHER_ROOM];
	bool named = find_unknown_cipher(cipher);
	return error_set(
		err, THAW_ERR_CONFIG,
		"%s: it is encrypted with %s%san outdated cipher; make it anew: openssl pkcs12 -legacy -in FILE "
		"-out all.pem, "
		"openssl pkcs12 -export -in all.pem -out NEW",
		file, named ? cipher : "", named ? ", " : "");
}

/* When memory runs out, OpenSSL 3.5 treats a matching key and certificate as not matching. */
static bool overlooked(const struct tls_key_pair *pair)
{
	bool found = false;

	for (int i = 0; i < sk_X509_num(pair->chain) && !found; i++)
		found = X509_check_private_key(sk_X509_value(pair->chain, i), pair->key) == 1;
	ERR_clear_error();
	return found;
}

static enum thaw_status parse_pkcs12(struct tls_key_pair *pair, PKCS12 *file, const char *pass_phrase, const char *name,
				     struct thaw_error *err)
{
	if (PKCS12_parse(file, pass_phrase, &pair->key, &pair->certificate, &pair->chain) != 1)
		return report_pkcs12(name, err);
	if (check_public_keys(pair, name, err) != THAW_OK)
		return THAW_FAILED;
	if (pair->key != NULL && pair->certificate == NULL && overlooked(pair))
		return error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", name);
	if (pair->key == NULL || pair->certificate == NULL)
		return error_set(err, THAW_ERR_CONFIG, "%s: it has no %s", name,
				 pair->key == NULL ? "private key" : "certificate of its key");
	return THAW_OK;
}

/* Whether it is the file's pass phrase. An error in OpenSSL's queue: unknown. */
static bool fits(PKCS12 *file, const char *pass_phrase, int len)
{
	ERR_clear_error();
	return PKCS12_verify_mac(file, pass_phrase, len) == 1;
}

static enum thaw_status open_pkcs12(struct tls_key_pair *pair, PKCS12 *file, const char *name,
				    const struct tls_secret *secret, struct thaw_error *err)
{
	struct question question = {.secret = secret, .file = name};
	char pass_phrase[TLS_SECRET_MAX];
	enum thaw_status status;

	if (PKCS12_mac_present(file) != 1)
		return error_set(
			err, THAW_ERR_CONFIG,
			"%s: it has no MAC, so that nobody knows whether it was changed; make it anew: openssl pkcs12 "
			"-in FILE -out all.pem, openssl pkcs12 -export -in all.pem -out NEW",
			name);
	/* NULL and "" both mean no pass phrase, but differ (RFC 7292 B.1). */
	if (fits(file, NULL, 0))
		return parse_pkcs12(pair, file, NULL, name, err);
	if (ERR_peek_error() == 0 && fits(file, "", 0))
		return parse_pkcs12(pair, file, "", name, err);
	if (ERR_peek_error() != 0)
		return tls_library_failure(THAW_ERR_CONFIG, name, err);
	if (put(&question, pass_phrase, sizeof(pass_phrase)) == THAW_OK && fits(file, pass_phrase, -1))
		status = parse_pkcs12(pair, file, pass_phrase, name, err);
	else if (ERR_peek_error() != 0)
		status = tls_library_failure(THAW_ERR_CONFIG, name, err);
	else
		status = report_encrypted(&question, err);
	OPENSSL_cleanse(pass_phrase, sizeof(pass_phrase));
	return status;
}

/* Reports the actual type of the file. OpenSSL's own text would be about ASN.1. */
static enum thaw_status report_type(const char *file, struct thaw_error *err)
{
	const char *kind = other_kind(file);

	if (kind == NULL)
		return tls_library_failure(THAW_ERR_CONFIG, file, err);
	ERR_clear_error();
	return error_set(err, THAW_ERR_CONFIG, "%s: %s", file, kind);
}

enum thaw_status key_files_pkcs12(struct tls_key_pair *pair, const char *name, const struct tls_secret *secret,
				  struct thaw_error *err)
{
	BIO *bio = open_file(name, err);
	PKCS12 *file = bio != NULL ? d2i_PKCS12_bio(bio, NULL) : NULL;
	enum thaw_status status = THAW_FAILED;

	if (file != NULL)
		status = open_pkcs12(pair, file, name, secret, err);
	else if (bio != NULL && tls_failure_is_memory())
		status = tls_library_failure(THAW_ERR_CONFIG, name, err);
	else if (bio != NULL)
		status = report_type(name, err);
	PKCS12_free(file);
	BIO_free_all(bio);
	return status;
}

/* ---- all of them ---- */

struct tls_secret key_files_secret(const struct tls_credentials_source *source)
{
	if (source->setting.pass_phrase == NULL)
		return source->secret;
	return (struct tls_secret){.ask = tls_secret_file_ask, .arg = (void *)source->setting.pass_phrase};
}

/* The key may belong to another certificate of the chain, if the order is wrong. */
static enum thaw_status report_mismatch(const struct tls_key_pair *pair, const char *name,
					const struct tls_credentials_source *source, struct thaw_error *err)
{
	const char *certificate = source->certificate != NULL ? source->certificate : name;
	bool in_chain = overlooked(pair);

	(void)error_set(err, THAW_ERR_CONFIG, "%s: the key is not that of the certificate in %s; %s", name, certificate,
			in_chain ? "it is that of a later one: put the certificate of this key first"
				 : "name the key that this certificate was made for");
	return source->setting.place != NULL ? at_place(source->setting.place, err) : THAW_FAILED;
}

/* Of the oldest error of the queue: behind another one a mismatch is not the cause. */
static bool is_mismatch(unsigned long error)
{
	int lib = ERR_GET_LIB(error), reason = ERR_GET_REASON(error);

	if (lib == ERR_LIB_EVP) /* an RSA key beside an EC certificate, or another pair of kinds */
		return reason == EVP_R_DIFFERENT_KEY_TYPES;
	return lib == ERR_LIB_X509 && (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH);
}

enum thaw_status key_files_match(const struct tls_key_pair *pair, const char *name,
				 const struct tls_credentials_source *source, struct thaw_error *err)
{
	ERR_clear_error();
	if (X509_check_private_key(pair->certificate, pair->key) != 1) {
		if (!is_mismatch(ERR_peek_error()))
			return tls_library_failure(THAW_ERR_CONFIG, name, err);
		ERR_clear_error();
		return report_mismatch(pair, name, source, err);
	}
	return THAW_OK;
}
