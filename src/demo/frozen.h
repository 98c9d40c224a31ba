/*
 * The other server: small and honest. It asks for a client certificate in the middle of a connection as well as Thaw
 * does, over TLS 1.3 and 1.2; then it waits for it, as real servers do, while it holds no more of the body than
 * FROZEN_READ_AHEAD. That is all that is wrong with it.
 */
#ifndef DEMO_FROZEN_H
#define DEMO_FROZEN_H

#include "thaw/types.h"

#define FROZEN_READ_AHEAD 49152 /* what IIS holds by default (uploadReadAheadSize) */
#define FROZEN_LIMIT_S    120   /* then it gives up, and so ends in any case */

struct frozen_options {
	int listener;    /* borrowed */
	const char *pki; /* the folder with server.pem, server.key and ca.pem */
};

/* Serves one connection after the other until it is killed; the exit code if it cannot. For child_fork(). */
int frozen_run(void *options);

#endif
