/*
 * The other server: small and honest. It asks for a client certificate in the middle of a connection as well as Thaw
 * does, over TLS 1.3 and 1.2; then it waits for it, as real servers do, while it holds no more of the body than its
 * read-ahead. That is all that is wrong with it: a connection that has a certificate, a body that waits for its
 * 100 Continue, and one that fits into the read-ahead are all served, any number on a connection (visit.h).
 */
#ifndef DEMO_FROZEN_H
#define DEMO_FROZEN_H

#include "thaw/types.h"

#define FROZEN_READ_AHEAD     49152               /* what IIS holds by default (uploadReadAheadSize) */
#define FROZEN_READ_AHEAD_MAX (256 * 1024 * 1024) /* of each visit */
#define FROZEN_LIMIT_S        120                 /* then it gives up, as IIS does, and so ends in any case */
#define FROZEN_LIMIT_MAX_S    3600
#define FROZEN_VISITS_MAX     64 /* connections at once; the next ones wait until one ends */

struct frozen_options {
	int listener;      /* borrowed */
	const char *pki;   /* the folder with server.pem, server.key and ca.pem */
	size_t read_ahead; /* bytes of body that are held while the certificate is awaited: one more, and it freezes */
	unsigned limit_s;  /* without progress: then a visit ends */
};

/*
 * Serves connections side by side, each in a process of its own that ends with this one, until SIGTERM or SIGINT.
 * EX_OK, or the exit code with a message on standard error. For child_fork(), too.
 */
int frozen_run(void *options);

#endif
