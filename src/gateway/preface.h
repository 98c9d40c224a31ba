/* What comes before TLS where a listener has it: a load balancer says the client's address (the PROXY protocol). */
#ifndef GATEWAY_PREFACE_H
#define GATEWAY_PREFACE_H

#include "gateway/conn.h"

enum gw_step gw_run_preface(struct gw_conn *conn);

/* No answer to what is no header: there is nobody who could read it. */
enum gw_step gw_preface_failed(struct gw_conn *conn, const char *why);

void gw_preface_free(struct gw_conn *conn);

#endif
