/* HTTP/1.1 on a connection (RFC 9112): one stream at a time. A certificate can be requested between the bytes of a
 * request. */
#ifndef GATEWAY_HTTP1_H
#define GATEWAY_HTTP1_H

#include "gateway/stream.h"

const struct gw_protocol *gw_http1(void);

#endif
