/* The throwaway PKI: what is made is what a TLS stack accepts, and what is there and good is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/pki.h"

static char folder[256], directory[300];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/thaw unit pki-XXXXXX"); /* with spaces */
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(directory, sizeof(directory), "%s/pki", folder);
	return 0;
}

static void path_of(const char *name, char path[static 400])
{
	(void)snprintf(path, 400, "%s/%s", directory, name);
}

static int tear_down(void **state)
{
	static const char *const names[] = {"ca.pem", "server.pem", "server.key", "client.pem", "client.key"};
	char path[400];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(names[i], path);
		(void)unlink(path);
	}
	(void)rmdir(directory);
	return rmdir(folder); /* fails if anything else was left there, such as the CA's key */
}

static void make(void)
{
	struct thaw_error err = {0};

	assert_int_equal(tls_pki_make(directory, &err), THAW_OK);
	assert_string_equal(err.text, "");
}

static X509 *certificate(const char *name)
{
	char path[400];

	path_of(name, path);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	X509 *read = PEM_read_X509(file, NULL, NULL, NULL);
	(void)fclose(file);
	assert_non_null(read);
	return read;
}

/* As OpenSSL sees it, for that purpose. */
static int verify(const char *name, const char *purpose)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *ca = certificate("ca.pem"), *leaf = certificate(name);

	assert_int_equal(X509_STORE_add_cert(store, ca), 1);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, NULL), 1);
	assert_int_equal(X509_STORE_CTX_set_default(ctx, purpose), 1);
	int error = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(ca);
	X509_free(leaf);
	return error;
}

static void digest(const char *name, unsigned char sum[static EVP_MAX_MD_SIZE])
{
	X509 *read = certificate(name);

	memset(sum, 0, EVP_MAX_MD_SIZE);
	assert_int_equal(X509_digest(read, EVP_sha256(), sum, NULL), 1);
	X509_free(read);
}

static void chains_verify(void **state)
{
	(void)state;
	make();
	assert_int_equal(verify("server.pem", "ssl_server"), X509_V_OK);
	assert_int_equal(verify("client.pem", "ssl_client"), X509_V_OK);
	/* each for its own purpose only */
	assert_int_equal(verify("server.pem", "ssl_client"), X509_V_ERR_INVALID_PURPOSE);
	assert_int_equal(verify("client.pem", "ssl_server"), X509_V_ERR_INVALID_PURPOSE);
}

static void the_server_has_its_names(void **state)
{
	(void)state;
	make();
	X509 *server = certificate("server.pem");
	assert_int_equal(X509_check_host(server, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(server, "handshake.localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(server, "other.localhost", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(server, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(server, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(server, "127.0.0.2", 0), 0);
	X509_free(server);
}

static void only_the_owner_reads_the_keys(void **state)
{
	struct stat info;
	char path[400];

	(void)state;
	make();
	assert_int_equal(stat(directory, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0700);
	path_of("server.key", path);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	path_of("client.key", path);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void valid_files_are_kept(void **state)
{
	unsigned char before[EVP_MAX_MD_SIZE], after[EVP_MAX_MD_SIZE];

	(void)state;
	make();
	digest("ca.pem", before);
	make();
	digest("ca.pem", after);
	assert_memory_equal(before, after, sizeof(before));
}

/* After the set was spoiled: all of it is new, and good. */
static void expect_new(const unsigned char before[static EVP_MAX_MD_SIZE])
{
	unsigned char after[EVP_MAX_MD_SIZE];

	make();
	digest("ca.pem", after);
	assert_memory_not_equal(before, after, sizeof(after));
	assert_int_equal(verify("server.pem", "ssl_server"), X509_V_OK);
	assert_int_equal(verify("client.pem", "ssl_client"), X509_V_OK);
}

static void missing_or_mismatched_files_are_replaced(void **state)
{
	static const char *const names[] = {"ca.pem", "server.pem", "server.key", "client.pem", "client.key"};
	unsigned char before[EVP_MAX_MD_SIZE];
	char path[400], other[400];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		make();
		digest("ca.pem", before);
		path_of(names[i], path);
		assert_int_equal(unlink(path), 0);
		expect_new(before);
	}
	make();
	digest("ca.pem", before);
	path_of("server.key", path);
	path_of("client.key", other);
	assert_int_equal(rename(other, path), 0); /* a key that is not the certificate's */
	expect_new(before);
	digest("ca.pem", before);
	assert_int_equal(truncate(path, 10), 0);
	expect_new(before);
}

/* Signed by whom it may; what counts is the time that is left. */
static void certificates_that_expire_within_a_day_are_replaced(void **state)
{
	unsigned char before[EVP_MAX_MD_SIZE];
	char path[400];

	(void)state;
	make();
	X509 *server = certificate("server.pem");
	path_of("server.key", path);
	FILE *file = fopen(path, "r");
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	(void)fclose(file);
	assert_non_null(key);
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(server), 3600));
	assert_true(X509_sign(server, key, EVP_sha256()) > 0);
	path_of("server.pem", path);
	file = fopen(path, "w");
	assert_int_equal(PEM_write_X509(file, server), 1);
	assert_int_equal(fclose(file), 0);
	X509_free(server);
	EVP_PKEY_free(key);
	digest("ca.pem", before);
	expect_new(before);
}

static void a_folder_that_cannot_be_is_named(void **state)
{
	struct thaw_error err = {0};
	char impossible[600], path[400];

	(void)state;
	make();
	path_of("ca.pem", path);
	(void)snprintf(impossible, sizeof(impossible), "%s/pki", path); /* below a file: not even root can */
	assert_int_equal(tls_pki_make(impossible, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	assert_non_null(strstr(err.text, impossible));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(chains_verify),
		TEST(the_server_has_its_names),
		TEST(only_the_owner_reads_the_keys),
		TEST(valid_files_are_kept),
		TEST(missing_or_mismatched_files_are_replaced),
		TEST(certificates_that_expire_within_a_day_are_replaced),
		TEST(a_folder_that_cannot_be_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
