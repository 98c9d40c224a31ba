#include "spool/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int open_unnamed(const char *directory)
{
	char path[PATH_MAX];
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* open(2): filesystems without O_TMPFILE say one of these. */
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	if ((size_t)snprintf(path, sizeof(path), "%s/thaw-XXXXXX", directory) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0 && unlink(path) != 0) {
		int cause = errno;
		(void)close(fd);
		errno = cause;
		return -1;
	}
	return fd;
}

static ssize_t write_at(int fd, const void *data, size_t len, off_t at)
{
	return pwrite(fd, data, len, at);
}

static ssize_t read_at(int fd, void *data, size_t room, off_t at)
{
	return pread(fd, data, room, at);
}

static int punch(int fd, off_t at, off_t len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len);
}

static int close_file(int fd)
{
	return close(fd);
}

const struct spool_file_ops spool_file_system = {open_unnamed, write_at, read_at, punch, close_file};

int spool_file_write_all(const struct spool_file_ops *ops, int fd, const void *data, size_t len, off_t at)
{
	const char *bytes = data;

	while (len > 0) {
		ssize_t n = ops->write(fd, bytes, len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		bytes += n;
		len -= (size_t)n;
		at += n;
	}
	return 0;
}

int spool_file_read_all(const struct spool_file_ops *ops, int fd, void *data, size_t len, off_t at)
{
	char *bytes = data;

	while (len > 0) {
		ssize_t n = ops->read(fd, bytes, len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		bytes += n;
		len -= (size_t)n;
		at += n;
	}
	return 0;
}
