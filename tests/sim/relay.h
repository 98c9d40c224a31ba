/*
 * A relay is one direction of a connection: a buffer of any size from one byte up, a delay and a bandwidth. Bytes
 * that were written fill the buffer until they are read, so a reader that stops stops the writer, as in TCP.
 *
 * A wire is a connection: a relay up (client to server) and one down. A wire also knows what TCP does when one end
 * closes: bytes that come to an end that is closed, or were left unread by it, bring the other end a reset, which
 * erases what that one has not read yet (RFC 9112 9.6).
 *
 * Time is in microseconds of the virtual clock.
 */
#ifndef SIM_RELAY_H
#define SIM_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SIM_NEVER UINT64_MAX

struct relay_limits {
	size_t buffer;        /* bytes between writer and reader, at least 1 */
	uint64_t delay_us;    /* of each byte */
	uint64_t bytes_per_s; /* 0: without limit */
};

struct relay_segment {
	uint64_t at_us; /* when it arrives */
	size_t len;
};

struct relay {
	struct relay_limits limits;
	unsigned char *ring;
	size_t head, held, arrived; /* arrived: of the held bytes, those that can be read */
	struct relay_segment *segments;
	size_t segment_first, segment_count, segment_room;
	uint64_t busy_until_us;
	uint64_t fin_at_us, reset_at_us; /* SIM_NEVER: none was sent */
	bool fin, reset;                 /* it has arrived */
	bool reader_closed;
	uint64_t total_in, total_out;
};

struct wire {
	struct relay up, down;
	size_t allowance; /* how many bytes the client may read now: a slow reader's measure; SIZE_MAX: any */
};

enum wire_end { WIRE_CLIENT, WIRE_SERVER };

bool wire_init(struct wire *wire, const struct relay_limits *up, const struct relay_limits *down);
void wire_free(struct wire *wire);

/* Results as a transport's (base/transport.h): bytes, END, BLOCKED or BROKEN. */
ssize_t wire_read(struct wire *wire, enum wire_end end, void *data, size_t room, uint64_t now_us);
ssize_t wire_write(struct wire *wire, enum wire_end end, const void *data, size_t len, uint64_t now_us);

void wire_half_close(struct wire *wire, enum wire_end end, uint64_t now_us);
void wire_reset(struct wire *wire, enum wire_end end, uint64_t now_us);
/* close(2): a half-close, or a reset if bytes were left unread. */
void wire_close(struct wire *wire, enum wire_end end, uint64_t now_us);

/* Lets arrive what is due. */
void wire_advance(struct wire *wire, uint64_t now_us);
/* When something arrives next; SIM_NEVER: nothing is under way. */
uint64_t wire_next(const struct wire *wire);

/* Would a read (a write) do something, even if only to tell an end? */
bool wire_readable(const struct wire *wire, enum wire_end end);
bool wire_writable(const struct wire *wire, enum wire_end end);
/* Bytes that have arrived for that end and that it has not read. */
size_t wire_unread(const struct wire *wire, enum wire_end end);
/* Bytes moved so far, into and out of both relays: if it does not grow, nothing happens. */
uint64_t wire_moved(const struct wire *wire);

#endif
