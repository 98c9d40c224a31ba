/* Secrets from files: what is read, what is refused, and that nobody is asked. */
#include <errno.h>
#include <fcntl.h>
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

#include "tls/credentials.h"
#include "tls/secret_file.h"

static char folder[] = "/tmp/thaw-unit-secret-XXXXXX";

static const char *in(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static const char *with(const void *bytes, size_t len, mode_t mode)
{
	const char *path = in("secret");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(in("secret"));
	(void)unlink(in("fifo"));
	return rmdir(folder);
}

static enum thaw_status ask(const char *file, char *into, size_t room, struct thaw_error *err)
{
	*err = (struct thaw_error){.cls = THAW_ERR_NONE};
	return tls_secret_file_ask((void *)file, "the pass phrase", into, room, err);
}

static void the_first_line_is_the_secret(void **state)
{
	static const struct {
		const char *text, *secret;
	} cases[] = {
		{"secret", "secret"},           {"secret\n", "secret"},       {"secret\r\n", "secret"},
		{"two words \n", "two words "}, {"first\nsecond\n", "first"}, {" \n", " "},
		{"\xc3\xa4\n", "\xc3\xa4"},
	};
	struct thaw_error err;
	char into[TLS_SECRET_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *file = with(cases[i].text, strlen(cases[i].text), 0600);
		assert_int_equal(ask(file, into, sizeof(into), &err), THAW_OK);
		assert_string_equal(into, cases[i].secret);
	}
}

static void assert_refused(const char *file, size_t room, const char *why)
{
	struct thaw_error err;
	char into[TLS_SECRET_MAX];

	assert_int_equal(ask(file, into, room, &err), THAW_FAILED);
	assert_non_null(strstr(err.text, file));
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: no %s", err.text, why);
}

static void invalid_secret_files_are_refused(void **state)
{
	char large[2 * TLS_SECRET_MAX];

	(void)state;
	memset(large, 'x', sizeof(large));
	assert_refused(with("", 0, 0600), TLS_SECRET_MAX, "empty");
	assert_refused(with("\nsecret\n", 8, 0600), TLS_SECRET_MAX, "empty");
	assert_refused(with("\0secret\n", 8, 0600), TLS_SECRET_MAX, "empty");
	assert_refused(with(large, sizeof(large), 0600), TLS_SECRET_MAX, "longer");
	assert_refused(with(large, TLS_SECRET_MAX, 0600), TLS_SECRET_MAX, "longer");
	assert_refused(with("secret\n", 7, 0600), 6, "longer than 5 bytes");
	assert_refused(in("none"), TLS_SECRET_MAX, "No such file");
}

/* Each of them could keep a reader waiting. */
static void only_files_are_read(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(in("fifo"), 0600), 0);
	assert_refused(in("fifo"), TLS_SECRET_MAX, "is not a file");
	assert_refused(folder, TLS_SECRET_MAX, "is not a file");
	assert_refused("/dev/zero", TLS_SECRET_MAX, "is not a file");
}

static void a_mode_can_be_refused(void **state)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char text[16];
	size_t len = 0;

	(void)state;
	assert_int_equal(tls_secret_file_read(with("secret", 6, 0640), 07137, text, 15, &len, &err), THAW_OK);
	assert_int_equal(len, 6);
	assert_int_equal(tls_secret_file_read(with("secret", 6, 0644), 07137, text, 15, &len, &err), THAW_FAILED);
	assert_non_null(strstr(err.text, " 0644"));
	assert_non_null(strstr(err.text, " 0640"));
}

/* What OpenSSL does by itself where a reader of PEM has no callback of its own. */
static void prompts_are_disabled(void **state)
{
	static const char locked[] = "-----BEGIN CERTIFICATE-----\n"
				     "Proc-Type: 4,ENCRYPTED\n"
				     "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n"
				     "\n"
				     "AAAA\n"
				     "-----END CERTIFICATE-----\n";
	BIO *bio = BIO_new_mem_buf(locked, -1);

	(void)state;
	assert_non_null(bio);
	assert_true(tls_disable_prompts());
	assert_true(tls_disable_prompts());
	assert_null(PEM_read_bio_X509(bio, NULL, NULL, NULL));
	BIO_free_all(bio);
	bio = BIO_new_mem_buf(locked, -1);
	assert_null(PEM_read_bio_X509(bio, NULL, tls_no_pass_phrase, NULL));
	BIO_free_all(bio);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_is_the_secret), cmocka_unit_test(invalid_secret_files_are_refused),
		cmocka_unit_test(only_files_are_read),          cmocka_unit_test(a_mode_can_be_refused),
		cmocka_unit_test(prompts_are_disabled),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
