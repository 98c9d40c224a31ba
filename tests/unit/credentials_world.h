/* For tests of credentials: files of all kinds with the client's certificate and key, and a stand-in for the person who
 * is asked for their secrets. */
#ifndef CREDENTIALS_WORLD_H
#define CREDENTIALS_WORLD_H

#include <ftw.h>
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
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "tls/credentials.h"
#include "tls/pki.h"

static char folder[] = "/tmp/thaw-unit-credentials-XXXXXX";

/* The path of a file in the folder; the last 64 results stay valid. */
static const char *in(const char *name)
{
	static char paths[64][128];
	static unsigned next;
	char *path = paths[next++ % 64];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* ---- the person who is asked ---- */

static const char *answer; /* NULL: nobody answers */
static char asked[256];
static int times;

static enum thaw_status ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err)
{
	assert_ptr_equal(arg, &answer);
	(void)snprintf(asked, sizeof(asked), "%s", what);
	times++;
	if (answer == NULL)
		return error_set(err, THAW_ERR_CONFIG, "no terminal");
	assert_true(strlen(answer) < room);
	memcpy(into, answer, strlen(answer) + 1);
	return THAW_OK;
}

static const struct tls_secret person = {.ask = ask, .arg = &answer};

static inline struct tls_credentials *load(struct tls_credentials_source source, const char *reply,
					   struct thaw_error *err)
{
	answer = reply;
	times = 0;
	asked[0] = '\0';
	*err = (struct thaw_error){.cls = THAW_ERR_NONE};
	return tls_credentials_new(&source, err);
}

/* ---- the files ---- */

static EVP_PKEY *read_key(const char *name)
{
	FILE *file = fopen(in(name), "r");
	EVP_PKEY *key = file != NULL ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

	assert_non_null(key);
	(void)fclose(file);
	return key;
}

static X509 *read_certificate(const char *name)
{
	FILE *file = fopen(in(name), "r");
	X509 *certificate = file != NULL ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

	assert_non_null(certificate);
	(void)fclose(file);
	return certificate;
}

static void write_locked_key(const char *name, bool traditional)
{
	EVP_PKEY *key = read_key("client.key");
	BIO *to = BIO_new_file(in(name), "w");

	assert_non_null(to);
	assert_int_equal(traditional
				 ? PEM_write_bio_PrivateKey_traditional(to, key, EVP_aes_128_cbc(),
									(const unsigned char *)"secret", 6, NULL, NULL)
				 : PEM_write_bio_PKCS8PrivateKey(to, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL),
			 1);
	BIO_free_all(to);
	EVP_PKEY_free(key);
}

static inline void write_pkcs12(const char *name, const char *pass_phrase, bool with_key, bool with_ca)
{
	EVP_PKEY *key = read_key("client.key");
	X509 *certificate = read_certificate("client.pem");
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *to = BIO_new_file(in(name), "w");

	if (with_ca)
		assert_true(sk_X509_push(chain, read_certificate("ca.pem")) > 0);
	PKCS12 *file = PKCS12_create(pass_phrase, "client", with_key ? key : NULL, certificate, chain, 0, 0, 0, 0, 0);
	assert_non_null(file);
	assert_int_equal(i2d_PKCS12_bio(to, file), 1);
	PKCS12_free(file);
	BIO_free_all(to);
	sk_X509_pop_free(chain, X509_free);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* Concatenates files into `to`. */
static void join(const char *to, const char *const *names)
{
	FILE *out = fopen(in(to), "w");
	char line[256];

	assert_non_null(out);
	for (; *names != NULL; names++) {
		FILE *file = fopen(in(*names), "r");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file) != NULL)
			assert_true(fputs(line, out) >= 0);
		(void)fclose(file);
	}
	assert_int_equal(fclose(out), 0);
}

static inline void write_text(const char *name, const char *text)
{
	FILE *file = fopen(in(name), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int make_files(void)
{
	struct thaw_error err = {0};

	if (mkdtemp(folder) == NULL || tls_pki_make(folder, &err) != THAW_OK)
		return -1;
	write_locked_key("locked.key", false);
	write_locked_key("old.key", true);
	join("all.pem", (const char *[]){"client.pem", "ca.pem", "client.key", NULL});
	join("locked-all.pem", (const char *[]){"locked.key", "client.pem", NULL});
	return 0;
}

static int drop(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

static int drop_files(void **state)
{
	(void)state;
	return nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
