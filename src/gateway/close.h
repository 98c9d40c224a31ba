/* Ends of connections. Pending access records are written first. */
#ifndef GATEWAY_CLOSE_H
#define GATEWAY_CLOSE_H

#include "gateway/conn.h"

/* Half-closes the connection, and lingers. Frees its streams. */
void gw_close(struct gw_conn *conn, enum gw_close how);

/* Closes at once. */
void gw_die(struct gw_conn *conn);

/* Writes the pending records. */
void gw_settle_accounts(struct gw_conn *conn);

/* The connection is closed at once. Returns GW_MOVED. */
enum gw_step gw_out_of_memory(struct gw_conn *conn);

/* For the log. how: TRANSPORT_END, or TRANSPORT_BROKEN. */
const char *gw_ended_by(ssize_t how);

#endif
