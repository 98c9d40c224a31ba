/* The TLS contexts of a plan, created when they are first needed. */
#ifndef PROBE_CONTEXTS_H
#define PROBE_CONTEXTS_H

#include "tls/client.h"

/* The properties of a check's client. */
struct context_wish {
	enum tls_client_version version;
	bool anonymous; /* no certificate */
	bool no_offer;  /* do not offer post-handshake authentication */
	bool withholds; /* see tls_observer */
	bool http2;     /* offer h2 with ALPN */
};

struct contexts;

/* options: CAs to trust and the certificate; borrowed. NULL: out of memory. */
struct contexts *contexts_new(const struct tls_client_options *options);
void contexts_free(struct contexts **contexts);

/* NULL: *err. */
struct tls_client_context *contexts_get(struct contexts *contexts, const struct context_wish *wish,
					struct thaw_error *err);

#endif
