/*
 * The frozen server of the demo. It asks for a client certificate in the middle of a connection, as Thaw does, over
 * TLS 1.3 and 1.2; then it waits, as real servers do, and reads no more of the body than its read-ahead. That is its
 * only fault: a connection that already has a certificate, a body that waits for its 100 Continue, and a body that
 * fits into the read-ahead are all served, with any number of requests on a connection (visit.h).
 */
#ifndef DEMO_FROZEN_H
#define DEMO_FROZEN_H

#include "thaw/types.h"

#define FROZEN_READ_AHEAD     49152               /* the default of IIS (uploadReadAheadSize) */
#define FROZEN_READ_AHEAD_MAX (256 * 1024 * 1024) /* for each connection */
#define FROZEN_LIMIT_S        120                 /* then it gives up, as IIS does */
#define FROZEN_LIMIT_MAX_S    3600
#define FROZEN_VISITS_MAX     64 /* connections at the same time; further ones wait */

struct frozen_options {
	int listener;      /* borrowed */
	const char *pki;   /* a folder with server.pem, server.key and ca.pem */
	size_t read_ahead; /* bytes of body read while it waits for the certificate; a larger body freezes */
	unsigned limit_s;  /* without progress for this time, a connection is closed */
};

/*
 * Serves each connection in a process of its own that ends with this one, until SIGTERM or SIGINT. Returns EX_OK, or
 * the exit code after printing an error. Can be run with child_fork().
 */
int frozen_run(void *options);

#endif
