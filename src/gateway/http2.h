/* HTTP/2 on a connection (RFC 9113): many streams at a time. No certificate can be requested between the bytes of a
 * stream. */
#ifndef GATEWAY_HTTP2_H
#define GATEWAY_HTTP2_H

#include "gateway/stream.h"

const struct gw_protocol *gw_http2(void);

/* Call when the handshake has negotiated HTTP/2. False: out of memory. */
bool gw_http2_open(struct gw_conn *conn);

#endif
