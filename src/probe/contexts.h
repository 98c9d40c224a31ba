/* The TLS contexts of a survey, made when they are first needed. */
#ifndef PROBE_CONTEXTS_H
#define PROBE_CONTEXTS_H

#include "tls/client.h"

/* What a trial's client has and offers. */
struct context_wish {
	enum tls_client_version version;
	bool anonymous; /* no certificate */
	bool no_offer;  /* of post-handshake authentication */
	bool withholds; /* see tls_observer */
	bool http2;     /* offered by ALPN */
};

struct contexts;

/* options: whom to believe, and the certificate; borrowed. NULL: no memory. */
struct contexts *contexts_new(const struct tls_client_options *options);
void contexts_free(struct contexts **contexts);

/* NULL: *err. */
struct tls_client_context *contexts_get(struct contexts *contexts, const struct context_wish *wish,
					struct thaw_error *err);

#endif
