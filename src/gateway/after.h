/*
 * `when: response`: a client is asked after the response, for the sake of its next requests. The access record of the
 * request waits for the verdict.
 */
#ifndef GATEWAY_AFTER_H
#define GATEWAY_AFTER_H

#include "gateway/stream.h"

/* The stream's response is written: its client is asked now, if its route says so; else its record is written. */
void gw_after_response(struct gw_stream *stream);

/* Before anything is asked: from now on the end of such an ask is noticed. */
void gw_after_watch(struct gw_conn *conn);

#endif
