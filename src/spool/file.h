/*
 * The file operations of a spool, as a table, so that tests can make each of them fail. On failure all return -1 with
 * errno set.
 */
#ifndef SPOOL_FILE_H
#define SPOOL_FILE_H

#include <stddef.h>
#include <sys/types.h>

struct spool_file_ops {
	/* Opens an unlinked file in directory, which the kernel frees with its last descriptor, even if the process
	 * crashes. */
	int (*open)(const char *directory);
	ssize_t (*write)(int fd, const void *data, size_t len, off_t at);
	ssize_t (*read)(int fd, void *data, size_t room, off_t at);
	int (*punch)(int fd, off_t at, off_t len); /* frees a range of disk blocks; may be unsupported */
	int (*close)(int fd);                      /* does not wait until the blocks of a large file are freed */
};

extern const struct spool_file_ops spool_file_system;

/* As open(), for a filesystem without O_TMPFILE: the file has a name briefly. */
int spool_file_open_and_unlink(const char *directory);

/* Transfers all len bytes. 0, or an errno; end of file is EIO. */
int spool_file_write_all(const struct spool_file_ops *ops, int fd, const void *data, size_t len, off_t at);
int spool_file_read_all(const struct spool_file_ops *ops, int fd, void *data, size_t len, off_t at);

#endif
