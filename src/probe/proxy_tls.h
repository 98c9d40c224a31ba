/* TLS to a proxy (https://), as the transport below a tunnel and what goes through it. */
#ifndef PROBE_PROXY_TLS_H
#define PROBE_PROXY_TLS_H

#include "tls/client.h"

struct proxy_tls;

/* name: what the proxy's certificate must be for. context, made with reads_while_writing, and below outlive it. NULL:
 * no memory. */
struct proxy_tls *proxy_tls_new(struct tls_client_context *context, const char *name, struct transport below,
				struct thaw_error *err);
void proxy_tls_free(struct proxy_tls **proxy);

/* As tls_client_handshake(). */
enum thaw_status proxy_tls_handshake(struct proxy_tls *proxy, struct thaw_error *err) THAW_MUST_CHECK;

/* Outlived by proxy. */
struct transport proxy_tls_transport(struct proxy_tls *proxy);

/* Before each step of what is above it: what was kept aside is written, and more may be read. */
void proxy_tls_step(struct proxy_tls *proxy);

/* There is something to be read that poll() does not tell of. And bytes that the transport below has not taken. */
bool proxy_tls_pending(const struct proxy_tls *proxy);
size_t proxy_tls_unsent(const struct proxy_tls *proxy);

#endif
