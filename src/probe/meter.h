/*
 * A transport over another that counts what passes, and bears a server that answers and hangs up in the middle of an
 * upload: once writing has failed, what the server still has to say can be read.
 */
#ifndef PROBE_METER_H
#define PROBE_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/transport.h"

struct meter {
	struct transport below;
	uint64_t up, down;   /* bytes that the transport below has taken, and given */
	int write_error;     /* an errno: writing has failed, and blocks from now on; 0: it has not */
	int read_error;      /* an errno: reading has failed */
	bool ended;          /* the peer has half-closed */
	bool said_something; /* a first byte has come */
	unsigned char first; /* that byte: tells TLS from what is not */
};

/* meter->below is set; the meter outlives the transport. */
struct transport meter_transport(struct meter *meter);

#endif
