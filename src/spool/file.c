#include "spool/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOSE_IN_THREAD_BYTES (16 << 20)

int spool_file_open_and_unlink(const char *directory)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/thaw-XXXXXX", directory) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0 && unlink(path) != 0) {
		int cause = errno;
		(void)close(fd);
		errno = cause;
		return -1;
	}
	return fd;
}

static int open_unnamed(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* open(2): EOPNOTSUPP: not supported by the filesystem; EISDIR: not supported by the kernel. */
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	return spool_file_open_and_unlink(directory);
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

static void *close_thread(void *arg)
{
	(void)close((int)(intptr_t)arg);
	return NULL;
}

/* Closes fd in a new thread, which blocks all signals. False: no thread could be started. */
static bool close_in_thread(int fd)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;

	if (pthread_attr_init(&attr) != 0)
		return false;
	(void)sigfillset(&all);
	bool ok = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
		  pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
	if (ok) {
		ok = pthread_create(&thread, &attr, close_thread, (void *)(intptr_t)fd) == 0;
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	(void)pthread_attr_destroy(&attr);
	return ok;
}

/*
 * Closing an unlinked file frees its blocks, which takes 0.25 s for each GiB on ext4: too long for a process that
 * serves connections. So large files are closed in a thread, if one can be started.
 */
static int close_file(int fd)
{
	struct stat now;

	if (fstat(fd, &now) == 0 && now.st_blocks > CLOSE_IN_THREAD_BYTES / 512 && close_in_thread(fd))
		return 0;
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
