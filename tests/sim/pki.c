#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method: the only way to make a run depend on a seed alone */

#include "pki.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "rng.h"

static struct pki_entry entries[PKI_COUNT];
static char folder[] = "/tmp/thaw-sim-XXXXXX";
static bool folder_made;
static struct rng drawn;

static int draw(unsigned char *data, int len)
{
	rng_fill(&drawn, data, (size_t)len);
	return 1;
}

static int drawable(void)
{
	return 1;
}

void pki_seed(uint64_t seed)
{
	static const RAND_METHOD method = {.bytes = draw, .pseudorand = draw, .status = drawable};

	drawn.state = seed;
	if (RAND_set_rand_method(&method) != 1)
		exit(EXIT_FAILURE);
}

static void die(const char *what)
{
	(void)fprintf(stderr, "sim: %s failed\n", what);
	ERR_print_errors_fp(stderr);
	pki_close();
	exit(EXIT_FAILURE);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (extension == NULL || X509_add_ext(certificate, extension, -1) != 1)
		die("an extension");
	X509_EXTENSION_free(extension);
}

static void set_time(ASN1_TIME *time, const char *value)
{
	if (ASN1_TIME_set_string_X509(time, value) != 1)
		die("a date");
}

struct recipe {
	const char *file, *name, *subject;
	enum pki_id issuer;
	const char *not_after;
	const char *usage, *names; /* usage: NULL for a CA */
};

static const struct recipe recipes[PKI_COUNT] = {
	[PKI_CA] = {"ca", "Sim CA", "CN=Sim CA", PKI_CA, "20990101000000Z", NULL, NULL},
	[PKI_OTHER_CA] = {"other-ca", "Sim Other CA", "CN=Sim Other CA", PKI_OTHER_CA, "20990101000000Z", NULL, NULL},
	[PKI_SERVER] = {"server", "localhost", "CN=localhost", PKI_CA, "20990101000000Z", "serverAuth",
			"DNS:localhost,DNS:handshake.test"},
	[PKI_CLIENT] = {"client", "Good Client", "CN=Good Client", PKI_CA, "20990101000000Z", "clientAuth", NULL},
	[PKI_EXPIRED] = {"expired", "Late Client", "CN=Late Client", PKI_CA, "20210101000000Z", "clientAuth", NULL},
	[PKI_WRONG] = {"wrong", "Wrong Client", "CN=Wrong Client", PKI_WRONG, "20990101000000Z", "clientAuth", NULL},
	[PKI_OTHER] = {"other", "Other Client", "CN=Other Client", PKI_OTHER_CA, "20990101000000Z", "clientAuth", NULL},
};

static void make_certificate(enum pki_id id)
{
	const struct recipe *recipe = &recipes[id];
	struct pki_entry *entry = &entries[id];
	X509 *x509 = X509_new();

	entry->key = EVP_EC_gen("P-256");
	if (x509 == NULL || entry->key == NULL || X509_set_version(x509, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(x509), id + 1) != 1 || X509_set_pubkey(x509, entry->key) != 1)
		die("a certificate");
	set_time(X509_getm_notBefore(x509), "20200101000000Z");
	set_time(X509_getm_notAfter(x509), recipe->not_after);
	X509_NAME *name = X509_get_subject_name(x509);
	if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)recipe->name, -1, -1, 0) != 1)
		die("a name");
	entry->certificate = x509;
	entry->subject = recipe->subject;
	if (X509_set_issuer_name(x509, X509_get_subject_name(entries[recipe->issuer].certificate)) != 1)
		die("an issuer");
	if (recipe->usage == NULL) {
		add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
		add_extension(x509, NID_key_usage, "critical,keyCertSign,cRLSign");
	} else {
		add_extension(x509, NID_basic_constraints, "critical,CA:FALSE");
		add_extension(x509, NID_ext_key_usage, recipe->usage);
	}
	if (recipe->names != NULL)
		add_extension(x509, NID_subject_alt_name, recipe->names);
	if (X509_sign(x509, entries[recipe->issuer].key, EVP_sha256()) == 0)
		die("a signature");
}

static void write_files(enum pki_id id)
{
	struct pki_entry *entry = &entries[id];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	(void)snprintf(entry->certificate_file, sizeof(entry->certificate_file), "%s/%s.pem", folder, recipes[id].file);
	(void)snprintf(entry->key_file, sizeof(entry->key_file), "%s/%s.key", folder, recipes[id].file);
	FILE *certificate = fopen(entry->certificate_file, "w");
	FILE *key = fopen(entry->key_file, "w");
	if (certificate == NULL || key == NULL || PEM_write_X509(certificate, entry->certificate) != 1 ||
	    PEM_write_PrivateKey(key, entry->key, NULL, NULL, 0, NULL, NULL) != 1)
		die("writing a file");
	if (fclose(certificate) != 0 || fclose(key) != 0)
		die("writing a file");
	if (X509_digest(entry->certificate, EVP_sha256(), digest, &len) != 1)
		die("a digest");
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(entry->sha256_hex + 2 * i, 3, "%02x", digest[i]);
}

void pki_open(void)
{
	pki_seed(1);
	if (mkdtemp(folder) == NULL)
		die("mkdtemp");
	folder_made = true;
	(void)atexit(pki_close);
	for (int id = 0; id < PKI_COUNT; id++) {
		make_certificate((enum pki_id)id);
		write_files((enum pki_id)id);
	}
}

const struct pki_entry *pki_get(enum pki_id id)
{
	return &entries[id];
}

const char *pki_folder(void)
{
	return folder;
}

static void remove_folder(void)
{
	DIR *dir = opendir(folder);
	char path[512];

	if (dir == NULL)
		return;
	for (struct dirent *file = readdir(dir); file != NULL; file = readdir(dir)) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, file->d_name);
		if (file->d_name[0] != '.')
			(void)unlink(path);
	}
	(void)closedir(dir);
	(void)rmdir(folder);
}

void pki_close(void)
{
	for (int id = 0; id < PKI_COUNT; id++) {
		X509_free(entries[id].certificate);
		EVP_PKEY_free(entries[id].key);
		entries[id].certificate = NULL;
		entries[id].key = NULL;
	}
	if (folder_made)
		remove_folder();
	folder_made = false;
}
