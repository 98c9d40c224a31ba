/* Files of certificates, keys and CRLs in a daemon: what could make it wait is refused, by every reader of such files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>

#include "thaw/ask.h"
#include "tls/client.h"
#include "tls/credentials.h"
#include "tls/file.h"
#include "tls/inspect.h"

#define WATCHDOG_S 120 /* against a wait without end */

static char folder[] = "/tmp/thaw-file-XXXXXX";

static const char *in(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static const char *trust(const char *file, struct thaw_error *err)
{
	thaw_trust *made = NULL;
	enum thaw_status status = thaw_trust_load(file, NULL, &made, err);

	thaw_trust_free(&made);
	return status == THAW_OK ? NULL : err->text;
}

static const char *cas_of_a_server(const char *file, struct thaw_error *err)
{
	const struct tls_client_options options = {.ca = file};
	struct tls_client_context *made = tls_client_context_new(&options, err);
	bool ok = made != NULL;

	tls_client_context_free(&made);
	return ok ? NULL : err->text;
}

static const char *credentials(const char *file, struct thaw_error *err)
{
	const struct tls_credentials_source source = {.certificate = file, .key = file};
	struct tls_credentials *made = tls_credentials_new(&source, err);
	bool ok = made != NULL;

	tls_credentials_free(&made);
	return ok ? NULL : err->text;
}

static const char *fault(const char *file, struct thaw_error *err)
{
	(void)tls_pem_fault(file, TLS_PEM_CERTIFICATE, err);
	return err->text;
}

static void say(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void refused(const char *file, const char *why)
{
	static const char *(*const readers[])(const char *, struct thaw_error *) = {trust, cas_of_a_server,
										    credentials};
	const struct tls_inspector inspector = {.now_s = 1, .say = say};

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		struct thaw_error err = {.cls = THAW_ERR_NONE};
		const char *text = readers[i](file, &err);
		assert_non_null(text);
		assert_non_null(strstr(text, why));
		assert_ptr_equal(strstr(text, file), text); /* names the file first */
	}
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	assert_non_null(fault(file, &err));
	tls_inspect_client(&inspector, file);
}

static void only_regular_files_are_read(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(in("fifo"), 0600), 0);
	refused(in("fifo"), "it is a pipe, a socket or a device");
	assert_int_equal(symlink("fifo", in("link")), 0);
	refused(in("link"), "it is a pipe, a socket or a device");
	refused("/dev/zero", "it is a pipe, a socket or a device");
	refused(in("none"), "No such file");
	refused(folder, "it is a folder");
}

static void huge_file_is_not_read(void **state)
{
	int fd = open(in("huge"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, TLS_FILE_MAX + 1), 0);
	assert_int_equal(close(fd), 0);
	refused(in("huge"), "it may have at most 256 MiB");
}

static void regular_file_is_read_through_a_link(void **state)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char line[16] = "";
	BIO *bio = NULL;
	int fd = open(in("plain"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(write(fd, "text\n", 5), 5);
	assert_int_equal(close(fd), 0);
	assert_int_equal(symlink("plain", in("to-plain")), 0);
	assert_int_equal(tls_file_bio(in("to-plain"), THAW_ERR_CONFIG, &bio, &err), THAW_OK);
	assert_int_equal(BIO_gets(bio, line, sizeof(line)), 5);
	assert_string_equal(line, "text\n");
	BIO_free(bio);
}

static int make_folder(void **state)
{
	(void)state;
	tls_files_of_daemon();
	(void)alarm(WATCHDOG_S);
	return mkdtemp(folder) == NULL; /* NOLINT: of a test */
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"fifo", "link", "huge", "plain", "to-plain"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(in(names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_regular_files_are_read),
		cmocka_unit_test(huge_file_is_not_read),
		cmocka_unit_test(regular_file_is_read_through_a_link),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
