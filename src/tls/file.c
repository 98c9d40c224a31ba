#include "tls/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "base/error.h"

static bool daemon_only; /* regular files only */

void tls_files_of_daemon(void)
{
	daemon_only = true;
}

/* Opening a folder succeeds, as with fopen(); reading from it does not. */
static bool check(int fd)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return false;
	if (S_ISREG(info.st_mode) && info.st_size > TLS_FILE_MAX)
		errno = EFBIG;
	else if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
		errno = ENXIO;
	else
		return true;
	return false;
}

/* Looks at the file first: opening some devices has effects. It may still be replaced in between. */
static int open_regular(const char *file)
{
	int at = open(file, O_PATH | O_CLOEXEC), fd = -1;

	if (at < 0)
		return -1;
	if (check(at))
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int cause = errno;
	(void)close(at);
	errno = cause;
	if (fd < 0 || check(fd))
		return fd;
	cause = errno;
	(void)close(fd);
	errno = cause;
	return -1;
}

FILE *tls_file_open(const char *file)
{
	if (!daemon_only)
		return fopen(file, "re");
	int fd = open_regular(file);
	FILE *stream = fd >= 0 ? fdopen(fd, "r") : NULL;
	int cause = errno;
	if (fd >= 0 && stream == NULL)
		(void)close(fd);
	errno = cause;
	return stream;
}

enum thaw_status tls_file_bio(const char *file, enum thaw_error_class cls, BIO **bio, struct thaw_error *err)
{
	FILE *stream = tls_file_open(file);
	int cause = errno;

	*bio = stream != NULL ? BIO_new_fp(stream, BIO_CLOSE) : NULL;
	if (*bio != NULL)
		return THAW_OK;
	ERR_clear_error();
	if (stream != NULL)
		(void)fclose(stream);
	if (stream != NULL || cause == ENOMEM)
		return error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", file);
	return error_set(err, cls, "%s: %s%s", file, strerror(cause), tls_file_cure(cause));
}
