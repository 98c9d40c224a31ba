/*
 * `when: response`: the client is asked after the response, for its next requests. The access record of the request
 * waits for the verdict.
 */
#ifndef GATEWAY_AFTER_H
#define GATEWAY_AFTER_H

#include "gateway/stream.h"

/* Call when the stream's response is written: asks the client if the route says so, else writes the record. */
void gw_after_response(struct gw_stream *stream);

/* Call before anything is asked, so that the end of such an ask is noticed. */
void gw_after_watch(struct gw_conn *conn);

#endif
