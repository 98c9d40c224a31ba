/*
 * The file operations that a spool uses, as a table, so that tests can let each of them fail. All return -1 with errno
 * set.
 */
#ifndef SPOOL_FILE_H
#define SPOOL_FILE_H

#include <stddef.h>
#include <sys/types.h>

struct spool_file_ops {
	/* A file in directory that has no name: it is gone with its descriptor, whatever becomes of this process. */
	int (*open)(const char *directory);
	ssize_t (*write)(int fd, const void *data, size_t len, off_t at);
	ssize_t (*read)(int fd, void *data, size_t room, off_t at);
	int (*punch)(int fd, off_t at, off_t len); /* gives the disk's blocks back; may be refused */
	int (*close)(int fd); /* the disk's blocks go back now, or soon: a large file's are not waited for */
};

extern const struct spool_file_ops spool_file_system;

/* The same as open, for a filesystem without O_TMPFILE: there is a name for a moment. */
int spool_file_open_and_unlink(const char *directory);

/* All of len, however it is split up. 0, or the errno; a file that ends early is EIO. */
int spool_file_write_all(const struct spool_file_ops *ops, int fd, const void *data, size_t len, off_t at);
int spool_file_read_all(const struct spool_file_ops *ops, int fd, void *data, size_t len, off_t at);

#endif
