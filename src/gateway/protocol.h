/* Selects the HTTP version of a connection. */
#ifndef GATEWAY_PROTOCOL_H
#define GATEWAY_PROTOCOL_H

#include "gateway/stream.h"

/* Call after the handshake, or at once on a connection without TLS. False: out of memory. */
bool gw_protocol_begin(struct gw_conn *conn);

#endif
