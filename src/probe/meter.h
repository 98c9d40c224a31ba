/*
 * A transport over another one that counts bytes. After a failed write it still allows reading, so that the response
 * of a server that closes the connection during an upload can be read.
 */
#ifndef PROBE_METER_H
#define PROBE_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/transport.h"

#define METER_CORK_MAX 4096

struct meter {
	struct transport below;
	uint64_t up, down;   /* bytes written to and read from the transport below */
	int write_error;     /* errno of a failed write; writing blocks from then on; 0: none */
	int read_error;      /* errno of a failed read */
	bool ended;          /* the peer has half-closed */
	bool said_something; /* a first byte was received */
	unsigned char first; /* that byte, which shows whether it is TLS */
	bool corked;
	unsigned char held[METER_CORK_MAX];
	size_t held_at, held_len;
};

/* Set meter->below first; the meter must outlive the transport. */
struct transport meter_transport(struct meter *meter);

/*
 * While corked, small writes are collected, up to METER_CORK_MAX bytes, so that two records arrive together, as over
 * a slow network.
 */
void meter_cork(struct meter *meter);
void meter_uncork(struct meter *meter);

/* Writes what was left; true: nothing is left. */
bool meter_flush(struct meter *meter);

#endif
