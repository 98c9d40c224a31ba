/* HTTP/2 on a connection (RFC 9113): many streams, none of which can be asked for a certificate between its bytes. */
#ifndef GATEWAY_HTTP2_H
#define GATEWAY_HTTP2_H

#include "gateway/stream.h"

const struct gw_protocol *gw_http2(void);

/* The handshake chose it. False: no memory. */
bool gw_http2_open(struct gw_conn *conn);

#endif
