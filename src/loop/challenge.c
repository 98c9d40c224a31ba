#include "loop/challenge.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define FOLDER (O_PATH | O_DIRECTORY | O_CLOEXEC)

/* Opens the folder of the responses, one path component at a time, so that no symbolic link is followed. Returns -1 and
 * sets errno on failure. */
static int open_folder(const char *webroot)
{
	static const char *const names[] = {".well-known", "acme-challenge"};
	int at = open(webroot, FOLDER);

	for (size_t i = 0; at >= 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		int next = openat(at, names[i], FOLDER | O_NOFOLLOW), cause = errno;
		(void)close(at);
		errno = cause;
		at = next;
	}
	return at;
}

static int open_answer(const char *webroot, const char *token)
{
	int folder = open_folder(webroot);

	if (folder < 0)
		return -1;
	/* O_NONBLOCK: open() of a pipe must not wait for its writer. */
	int fd = openat(folder, token, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), cause = errno;
	(void)close(folder);
	errno = cause;
	return fd;
}

static enum thaw_status read_answer(int fd, char *out, size_t room, size_t *len, struct thaw_error *err)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return error_system(err, errno, "its size cannot be read");
	if (!S_ISREG(info.st_mode))
		return error_set(err, THAW_ERR_CONFIG, "it is not a regular file");
	if (info.st_size < 0 || (uint64_t)info.st_size > room)
		return error_set(err, THAW_ERR_CONFIG, "it is larger than %zu bytes", room);
	for (*len = 0; *len < room;) {
		ssize_t got = read(fd, out + *len, room - *len);
		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			return error_system(err, errno, "it cannot be read");
		*len += got > 0 ? (size_t)got : 0;
	}
	return THAW_OK;
}

enum thaw_status challenge_read(const char *webroot, const char *token, char *out, size_t room, size_t *len,
				struct thaw_error *err)
{
	int fd = open_answer(webroot, token);

	if (fd < 0 && errno == ENOENT)
		return THAW_CLOSED;
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return error_set(err, THAW_ERR_CONFIG, "the path contains a symbolic link or a file");
	if (fd < 0)
		return error_system(err, errno, "it cannot be opened");
	enum thaw_status status = read_answer(fd, out, room, len, err);
	(void)close(fd);
	return status;
}

enum thaw_status challenge_check(const char *webroot, struct thaw_error *err)
{
	int fd = open(webroot, FOLDER);
	bool enters = fd >= 0 && faccessat(fd, ".", X_OK, 0) == 0;
	int cause = errno;

	if (fd >= 0)
		(void)close(fd);
	return enters ? THAW_OK : error_system(err, cause, "cannot enter '%s'", webroot);
}
