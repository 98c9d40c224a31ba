/* How connections end. What is owed to the access log is written first. */
#ifndef GATEWAY_CLOSE_H
#define GATEWAY_CLOSE_H

#include "gateway/conn.h"

/* Half-closes it, and lingers. Frees its streams. */
void gw_close(struct gw_conn *conn, enum gw_close how);

/* At once. */
void gw_die(struct gw_conn *conn);

/* Writes the records that are still owed. */
void gw_settle_accounts(struct gw_conn *conn);

/* There is none for this connection: it ends at once. GW_MOVED. */
enum gw_step gw_out_of_memory(struct gw_conn *conn);

/* For the log. how: TRANSPORT_END, or TRANSPORT_BROKEN. */
const char *gw_ended_by(ssize_t how);

#endif
