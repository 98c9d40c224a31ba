/* TLS to an https:// proxy, as the transport below a tunnel. */
#ifndef PROBE_PROXY_TLS_H
#define PROBE_PROXY_TLS_H

#include "tls/client.h"

struct proxy_tls;

/* name: expected in the proxy's certificate. context, made with reads_while_writing, and below must outlive it.
 * NULL: out of memory. */
struct proxy_tls *proxy_tls_new(struct tls_client_context *context, const char *name, struct transport below,
				struct thaw_error *err);
void proxy_tls_free(struct proxy_tls **proxy);

/* Like tls_client_handshake(). */
enum thaw_status proxy_tls_handshake(struct proxy_tls *proxy, struct thaw_error *err) THAW_MUST_CHECK;

/* proxy must outlive the transport. */
struct transport proxy_tls_transport(struct proxy_tls *proxy);

/* Call before each step of the layers above: writes buffered data and allows reading. */
void proxy_tls_step(struct proxy_tls *proxy);

/* Data can be read although poll() does not report it. And bytes that the transport below has not taken. */
bool proxy_tls_pending(const struct proxy_tls *proxy);
size_t proxy_tls_unsent(const struct proxy_tls *proxy);

#endif
