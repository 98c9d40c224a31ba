#include "tls/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/secret_file.h"

#define DAYS        30
#define DAY_S       86400L
#define SERIAL_BITS 127 /* RFC 5280 4.1.2.2: positive, at most 20 octets, unguessable */

static const char server_names[] = "DNS:localhost,DNS:handshake.localhost,IP:127.0.0.1,IP:::1";

/* The files, in the order in which they are renamed: the CA's last, so that an incomplete set is never used. */
enum file { SERVER_PEM, SERVER_KEY, CLIENT_PEM, CLIENT_KEY, CA_PEM, FILES };
static const char *const names[FILES] = {"server.pem", "server.key", "client.pem", "client.key", "ca.pem"};

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

static void identity_free(struct identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
	*identity = (struct identity){0};
}

static bool path_of(const char *directory, const char *name, char path[static PATH_MAX])
{
	return (size_t)snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

/* Existing files. */

static X509 *read_certificate(const char *directory, enum file file)
{
	char path[PATH_MAX];
	BIO *bio = path_of(directory, names[file], path) ? BIO_new_file(path, "r") : NULL;
	X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, tls_no_pass_phrase, NULL) : NULL;

	BIO_free(bio);
	return certificate;
}

static EVP_PKEY *read_key(const char *directory, enum file file)
{
	char path[PATH_MAX];
	BIO *bio = path_of(directory, names[file], path) ? BIO_new_file(path, "r") : NULL;
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, tls_no_pass_phrase, NULL) : NULL;

	BIO_free(bio);
	return key;
}

/* Whether key and CA match, and the certificate is valid for another day. */
static bool is_valid(const struct identity *identity, X509 *ca)
{
	time_t tomorrow = time(NULL) + DAY_S;

	return identity->key != NULL && identity->certificate != NULL && ca != NULL &&
	       X509_check_private_key(identity->certificate, identity->key) == 1 &&
	       X509_verify(identity->certificate, X509_get0_pubkey(ca)) == 1 &&
	       X509_cmp_time(X509_get0_notAfter(identity->certificate), &tomorrow) > 0 &&
	       X509_cmp_time(X509_get0_notAfter(ca), &tomorrow) > 0;
}

static bool all_there(const char *directory)
{
	struct identity server = {read_key(directory, SERVER_KEY), read_certificate(directory, SERVER_PEM)};
	struct identity client = {read_key(directory, CLIENT_KEY), read_certificate(directory, CLIENT_PEM)};
	X509 *ca = read_certificate(directory, CA_PEM);
	bool good = is_valid(&server, ca) && is_valid(&client, ca) &&
		    X509_check_host(server.certificate, "handshake.localhost", 0, 0, NULL) == 1;

	X509_free(ca);
	identity_free(&server);
	identity_free(&client);
	ERR_clear_error();
	return good;
}

/* Creating files. */

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static bool set_serial(X509 *certificate)
{
	BIGNUM *number = BN_new();
	bool ok = number != NULL && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
		  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

	BN_free(number);
	return ok;
}

/* issuer: NULL for the CA itself. Extensions: pairs of NID and value, up to a NID of 0. */
struct extension {
	int nid;
	const char *value;
};

static bool make(struct identity *made, const struct identity *issuer, const char *name,
		 const struct extension *extensions)
{
	const struct identity *signer = issuer != NULL ? issuer : made;

	made->key = EVP_EC_gen("P-256");
	made->certificate = X509_new();
	if (made->key == NULL || made->certificate == NULL)
		return false;
	X509 *x = made->certificate;
	bool ok = X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
		  X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL && /* tolerance for clock differences */
		  X509_gmtime_adj(X509_getm_notAfter(x), DAYS * DAY_S) != NULL && X509_set_pubkey(x, made->key) == 1 &&
		  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)name,
					     -1, -1, 0) == 1 &&
		  X509_set_issuer_name(x, X509_get_subject_name(signer->certificate)) == 1;
	for (size_t i = 0; ok && extensions[i].nid != 0; i++)
		ok = add_extension(x, signer->certificate, extensions[i].nid, extensions[i].value);
	return ok && X509_sign(x, signer->key, EVP_sha256()) > 0;
}

static bool make_all(struct identity *ca, struct identity *server, struct identity *client)
{
	static const struct extension for_ca[] = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
						  {NID_key_usage, "critical,keyCertSign,cRLSign"},
						  {NID_subject_key_identifier, "hash"},
						  {0, NULL}};
	static const struct extension for_server[] = {{NID_basic_constraints, "critical,CA:FALSE"},
						      {NID_key_usage, "critical,digitalSignature"},
						      {NID_ext_key_usage, "serverAuth"},
						      {NID_subject_alt_name, server_names},
						      {NID_authority_key_identifier, "keyid"},
						      {0, NULL}};
	static const struct extension for_client[] = {{NID_basic_constraints, "critical,CA:FALSE"},
						      {NID_key_usage, "critical,digitalSignature"},
						      {NID_ext_key_usage, "clientAuth"},
						      {NID_authority_key_identifier, "keyid"},
						      {0, NULL}};

	return make(ca, NULL, "Thaw Throwaway CA", for_ca) && make(server, ca, "localhost", for_server) &&
	       make(client, ca, "Thaw Demo Client", for_client);
}

/* Writes a key or a certificate (one of them is NULL) under a temporary name. */
static enum thaw_status write_aside(const char *directory, enum file file, EVP_PKEY *key, X509 *certificate,
				    struct thaw_error *err)
{
	char path[PATH_MAX], name[32];

	(void)snprintf(name, sizeof(name), "%s.new", names[file]);
	if (!path_of(directory, name, path))
		return error_set(err, THAW_ERR_USAGE, "%s: the path is too long", directory);
	(void)unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, key != NULL ? 0600 : 0644);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (out == NULL) {
		(void)error_system(err, errno, "%s", path);
		if (fd >= 0)
			(void)close(fd);
		return THAW_FAILED;
	}
	bool ok = key != NULL ? PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1
			      : PEM_write_X509(out, certificate) == 1;
	if (!ok)
		(void)tls_library_failure(THAW_ERR_RESOURCE, path, err);
	if (fclose(out) != 0 && ok)
		return error_system(err, errno, "%s", path);
	return ok ? THAW_OK : THAW_FAILED;
}

static enum thaw_status rename_all(const char *directory, struct thaw_error *err)
{
	char from[PATH_MAX], to[PATH_MAX], name[32];

	for (int file = 0; file < FILES; file++) {
		(void)snprintf(name, sizeof(name), "%s.new", names[file]);
		if (!path_of(directory, name, from) || !path_of(directory, names[file], to))
			return error_set(err, THAW_ERR_USAGE, "%s: the path is too long", directory);
		if (rename(from, to) != 0)
			return error_system(err, errno, "%s", to);
	}
	return THAW_OK;
}

static enum thaw_status write_all(const char *directory, const struct identity *ca, const struct identity *server,
				  const struct identity *client, struct thaw_error *err)
{
	enum thaw_status status = write_aside(directory, SERVER_PEM, NULL, server->certificate, err);

	if (status == THAW_OK)
		status = write_aside(directory, SERVER_KEY, server->key, NULL, err);
	if (status == THAW_OK)
		status = write_aside(directory, CLIENT_PEM, NULL, client->certificate, err);
	if (status == THAW_OK)
		status = write_aside(directory, CLIENT_KEY, client->key, NULL, err);
	if (status == THAW_OK)
		status = write_aside(directory, CA_PEM, NULL, ca->certificate, err);
	return status == THAW_OK ? rename_all(directory, err) : status;
}

enum thaw_status tls_pki_make(const char *directory, struct thaw_error *err)
{
	struct identity ca = {0}, server = {0}, client = {0};
	enum thaw_status status = THAW_FAILED;

	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return error_system(err, errno, "%s", directory);
	if (all_there(directory))
		return THAW_OK;
	ERR_clear_error();
	if (make_all(&ca, &server, &client))
		status = write_all(directory, &ca, &server, &client, err);
	else
		(void)tls_library_failure(THAW_ERR_RESOURCE, "making a throwaway PKI", err);
	identity_free(&ca);
	identity_free(&server);
	identity_free(&client);
	return status;
}
