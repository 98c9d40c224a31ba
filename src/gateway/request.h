/* The steps of a request between its head and its upstream: route, ask, verdict. */
#ifndef GATEWAY_REQUEST_H
#define GATEWAY_REQUEST_H

#include "gateway/stream.h"

/* Call when the head is parsed and the body follows. */
void gw_request_parsed(struct gw_stream *stream);
/* Finds the route, and enters the state after head. */
enum gw_step gw_request_route(struct gw_stream *stream);

/* Decides how to continue when the route is known and no earlier ask is pending. */
enum gw_step gw_request_act(struct gw_stream *stream);

/* verdict.c */
enum gw_step gw_run_ask(struct gw_stream *stream);
/* pass.c */
enum gw_step gw_run_pass(struct gw_stream *stream);

#endif
