/*
 * A transport over another that counts what passes, and bears a server that answers and hangs up in the middle of an
 * upload: once writing has failed, what the server still has to say can be read.
 */
#ifndef PROBE_METER_H
#define PROBE_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/transport.h"

#define METER_CORK_MAX 4096

struct meter {
	struct transport below;
	uint64_t up, down;   /* bytes that the transport below has taken, and given */
	int write_error;     /* an errno: writing has failed, and blocks from now on; 0: it has not */
	int read_error;      /* an errno: reading has failed */
	bool ended;          /* the peer has half-closed */
	bool said_something; /* a first byte has come */
	unsigned char first; /* that byte: tells TLS from what is not */
	bool corked;
	unsigned char held[METER_CORK_MAX];
	size_t held_at, held_len;
};

/* meter->below is set; the meter outlives the transport. */
struct transport meter_transport(struct meter *meter);

/*
 * Corked, it gathers small writes (METER_CORK_MAX bytes of them, or else they go out), so that what was written in two
 * records arrives at once, as over a network that is slow.
 */
void meter_cork(struct meter *meter);
void meter_uncork(struct meter *meter);

/* Tries again what could not be written then; true: nothing is left. */
bool meter_flush(struct meter *meter);

#endif
