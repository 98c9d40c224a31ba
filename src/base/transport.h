/*
 * A transport is all that a connection knows of the world: bytes in, bytes out, half-close. In
 * production it is a socket; in tests/sim it is memory under a virtual clock.
 */
#ifndef BASE_TRANSPORT_H
#define BASE_TRANSPORT_H

#include <stddef.h>
#include <sys/types.h>

#define TRANSPORT_END     0    /* read: the peer has half-closed */
#define TRANSPORT_BLOCKED (-1) /* nothing now; the owner of the transport will call again */
#define TRANSPORT_BROKEN  (-2) /* reset, or any other error: nothing will ever come again */

struct transport_ops {
	/* Both return the bytes moved (> 0) or one of the values above; never interrupted (EINTR). */
	ssize_t (*read)(void *io, void *data, size_t room);
	ssize_t (*write)(void *io, const void *data, size_t len);
	/* No more writes: a TCP FIN. Reading goes on. */
	void (*half_close)(void *io);
	/* Throws away up to max bytes that have come, returned as by read; used while lingering (RFC 9112 9.6). */
	ssize_t (*discard)(void *io, size_t max);
	/* Whether there is something to read: 1 and its first byte, or what read would return. A client's transport
	 * only. */
	ssize_t (*peek)(void *io, char *first);
};

struct transport {
	const struct transport_ops *ops;
	void *io; /* borrowed: outlives the connection that uses it */
};

#endif
