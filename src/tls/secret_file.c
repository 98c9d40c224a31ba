#include "tls/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/ui.h>

#include "base/error.h"
#include "tls/credentials.h"

static enum thaw_status check(int fd, const char *file, mode_t refused, struct thaw_error *err)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return error_system(err, errno, "%s", file);
	if (!S_ISREG(info.st_mode))
		return error_set(err, THAW_ERR_CONFIG, "%s is not a file", file);
	if ((info.st_mode & refused) != 0)
		return error_set(err, THAW_ERR_CONFIG, "%s has mode %04o; allowed: %04o or less, for keys are in it",
				 file, (unsigned)info.st_mode & 07777, ~(unsigned)refused & 07777);
	return THAW_OK;
}

/* Does not use stdio, whose buffers are not wiped. */
static enum thaw_status read_all(int fd, const char *file, char *text, size_t max, size_t *len, struct thaw_error *err)
{
	ssize_t n = 0;

	for (*len = 0; *len <= max; *len += (size_t)n) {
		do
			n = read(fd, text + *len, max + 1 - *len);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return error_system(err, errno, "%s", file);
		if (n == 0)
			return THAW_OK;
	}
	return error_set(err, THAW_ERR_CONFIG, "%s is longer than %zu bytes", file, max);
}

enum thaw_status tls_secret_file_read(const char *file, mode_t refused, char *text, size_t max, size_t *len,
				      struct thaw_error *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* opening a FIFO must not block */

	*len = 0;
	if (fd < 0)
		return error_system(err, errno, "%s", file);
	enum thaw_status status = check(fd, file, refused, err);
	if (status == THAW_OK)
		status = read_all(fd, file, text, max, len, err);
	(void)close(fd);
	return status;
}

enum thaw_status tls_secret_file_ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err)
{
	const char *file = arg;
	char text[TLS_SECRET_MAX + 1];
	size_t len = 0, line;
	struct thaw_error why = {.cls = THAW_ERR_NONE};
	enum thaw_status status = tls_secret_file_read(file, 0, text, TLS_SECRET_MAX, &len, &why);

	(void)what;
	text[status == THAW_OK ? len : 0] = '\0'; /* of a file that is too long, one more byte was read */
	line = strcspn(text, "\r\n");
	if (status != THAW_OK) /* a file that a setting names */
		status = error_set(err, THAW_ERR_CONFIG, "its secret cannot be read: %s", why.text);
	else if (line == 0)
		status = error_set(err, THAW_ERR_CONFIG, "%s: its first line is empty; it must be the secret", file);
	else if (line >= room)
		status = error_set(err, THAW_ERR_CONFIG, "%s: its first line is longer than %zu bytes", file, room - 1);
	if (status == THAW_OK) {
		memcpy(into, text, line);
		into[line] = '\0';
	}
	OPENSSL_cleanse(text, sizeof(text));
	return status;
}

int tls_no_pass_phrase(char *into, int room, int writing, void *arg)
{
	(void)into;
	(void)room;
	(void)writing;
	(void)arg;
	return -1;
}

static int refuse(UI *ui, UI_STRING *string)
{
	(void)ui;
	(void)string;
	return 0;
}

bool tls_disable_prompts(void)
{
	static UI_METHOD *no_prompts; /* OpenSSL uses it until the process ends */

	if (no_prompts == NULL)
		no_prompts = UI_create_method("thaw: prompts disabled");
	if (no_prompts == NULL || UI_method_set_reader(no_prompts, refuse) != 0)
		return false;
	UI_set_default_method(no_prompts);
	return true;
}
