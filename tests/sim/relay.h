/*
 * A relay is one direction of a connection: a buffer of at least one byte, a delay and a bandwidth. Written bytes fill
 * the buffer until they are read, so a reader that stops also stops the writer, as in TCP.
 *
 * A duplex is a connection: one relay up (client to server) and one down. It also models what TCP does when one end
 * closes: if bytes arrive at a closed end, or were left unread by it, the other end gets a reset, which discards the
 * bytes that it has not read yet (RFC 9112 9.6).
 *
 * Times are in microseconds of the virtual clock.
 */
#ifndef SIM_RELAY_H
#define SIM_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SIM_NEVER UINT64_MAX

struct relay_limits {
	size_t buffer;        /* capacity in bytes between writer and reader, at least 1 */
	uint64_t delay_us;    /* of each byte */
	uint64_t bytes_per_s; /* 0: unlimited */
};

struct relay_segment {
	uint64_t at_us; /* when it arrives */
	size_t len;
};

struct relay {
	struct relay_limits limits;
	unsigned char *ring;
	size_t head, held, arrived; /* arrived: how many of the held bytes can be read */
	struct relay_segment *segments;
	size_t segment_first, segment_count, segment_room;
	uint64_t busy_until_us;
	uint64_t fin_at_us, reset_at_us; /* SIM_NEVER: not sent */
	bool fin, reset;                 /* it has arrived */
	bool reader_closed;
	uint64_t total_in, total_out;
};

struct duplex {
	struct relay up, down;
	size_t allowance; /* bytes that the client may read now: limits a slow reader; SIZE_MAX: unlimited */
};

enum duplex_end { DUPLEX_CLIENT, DUPLEX_SERVER };

bool duplex_init(struct duplex *duplex, const struct relay_limits *up, const struct relay_limits *down);
void duplex_free(struct duplex *duplex);

/* Returns the same as a transport (base/transport.h): a count of bytes, END, BLOCKED or BROKEN. */
ssize_t duplex_read(struct duplex *duplex, enum duplex_end end, void *data, size_t room, uint64_t now_us);
ssize_t duplex_write(struct duplex *duplex, enum duplex_end end, const void *data, size_t len, uint64_t now_us);

void duplex_half_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us);
void duplex_reset(struct duplex *duplex, enum duplex_end end, uint64_t now_us);
/* Like close(2): a half-close, or a reset if bytes were left unread. */
void duplex_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us);

/* Delivers what is due. */
void duplex_advance(struct duplex *duplex, uint64_t now_us);
/* When something arrives next; SIM_NEVER: nothing is in flight. */
uint64_t duplex_next(const struct duplex *duplex);

/* Whether a read (a write) would do something, even if it only reports an end. */
bool duplex_readable(const struct duplex *duplex, enum duplex_end end);
bool duplex_writable(const struct duplex *duplex, enum duplex_end end);
/* Bytes that have arrived at that end and are unread. */
size_t duplex_unread(const struct duplex *duplex, enum duplex_end end);
/* Bytes moved so far, into and out of both relays. If it does not grow, there is no progress. */
uint64_t duplex_moved(const struct duplex *duplex);

#endif
