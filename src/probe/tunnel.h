/* A tunnel through an HTTP proxy (RFC 9110 9.3.6). */
#ifndef PROBE_TUNNEL_H
#define PROBE_TUNNEL_H

#include "base/transport.h"
#include "thaw/types.h"

#define TUNNEL_REPLY_MAX 8192

struct tunnel {
	const char *head; /* the CONNECT request; borrowed */
	size_t sent, len;
	char reply[TUNNEL_REPLY_MAX + 1]; /* the head of the proxy's response */
};

void tunnel_begin(struct tunnel *tunnel, const char *head);

/*
 * THAW_OK: the tunnel is open; nothing after the head was read. THAW_WANT_READ, THAW_WANT_WRITE: call again.
 * THAW_FAILED: the proxy refused, or closed the connection.
 */
enum thaw_status tunnel_step(struct tunnel *tunnel, struct transport proxy, struct thaw_error *err) THAW_MUST_CHECK;

#endif
