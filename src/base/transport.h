/*
 * A transport does all I/O of a connection: read, write, half-close. In production it is a socket; in tests/sim it is
 * memory under a virtual clock.
 */
#ifndef BASE_TRANSPORT_H
#define BASE_TRANSPORT_H

#include <stddef.h>
#include <sys/types.h>

#define TRANSPORT_END     0    /* read: the peer has half-closed */
#define TRANSPORT_BLOCKED (-1) /* nothing now; the owner of the transport calls again later */
#define TRANSPORT_BROKEN  (-2) /* reset, or any other error; permanent */

struct transport_ops {
	/* Both return the number of bytes moved (> 0) or one of the values above; EINTR is handled inside. */
	ssize_t (*read)(void *io, void *data, size_t room);
	ssize_t (*write)(void *io, const void *data, size_t len);
	/* Shuts down writing: a TCP FIN. Reading is still possible. */
	void (*half_close)(void *io);
	/* Reads and discards up to max bytes; returns as read does. Used while lingering (RFC 9112 9.6). */
	ssize_t (*discard)(void *io, size_t max);
	/* 1 and the first byte if there is something to read, without consuming it; otherwise what read would return.
	 * Only for clients. */
	ssize_t (*peek)(void *io, char *first);
};

struct transport {
	const struct transport_ops *ops;
	void *io; /* borrowed: must outlive the connection that uses it */
};

#endif
