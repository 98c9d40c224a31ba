/*
 * Upstream connections that belong to one client connection. With NTLM and Negotiate (RFC 4559) a server authenticates
 * the connection, not the request: every request on it has the rights of the user who authenticated it. So a connection
 * on which these schemes were offered or used never goes to the pool. It is kept here for this client's next requests,
 * and is closed with the client's connection.
 */
#ifndef GATEWAY_PIN_H
#define GATEWAY_PIN_H

#include "gateway/conn.h"
#include "gateway/upconn.h"
#include "http/response_head.h"

#define GW_PINS_MAX 4 /* per client connection, one for each upstream; if there are more, the oldest is closed */

/* Whether the request carries credentials of such a scheme. */
bool gw_pin_by_request(const struct http_request *request);
/* Whether the response offers such a scheme, with any status. */
bool gw_pin_by_answer(const struct http_response *answer);

/* Returns the connection to that upstream. The caller owns it, and must call wakes() on it. NULL: none. */
struct gw_upconn *gw_pin_take(struct gw_conn *conn, const struct config_upstream *upstream);
/* Takes ownership of a connection whose exchange is complete. Closes it if out of memory. */
void gw_pin_put(struct gw_conn *conn, const struct config_upstream *upstream, struct gw_upconn **upconn);
/* Closes the connections that the server has closed, or on which it has sent something. */
void gw_pins_look(struct gw_conn *conn);
void gw_pins_free(struct gw_conn *conn);

#endif
