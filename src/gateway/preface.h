/* The PROXY protocol header, which a load balancer sends before TLS if the listener expects it. It has the client's
 * address. */
#ifndef GATEWAY_PREFACE_H
#define GATEWAY_PREFACE_H

#include "gateway/conn.h"

enum gw_step gw_run_preface(struct gw_conn *conn);

/* Closes the connection without an answer: if the header is invalid, nobody could read one. */
enum gw_step gw_preface_failed(struct gw_conn *conn, const char *why);

void gw_preface_free(struct gw_conn *conn);

#endif
