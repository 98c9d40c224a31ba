/* Which version of HTTP is spoken on a connection. */
#ifndef GATEWAY_PROTOCOL_H
#define GATEWAY_PROTOCOL_H

#include "gateway/stream.h"

/* The handshake is done. False: no memory. */
bool gw_protocol_begin(struct gw_conn *conn);

#endif
