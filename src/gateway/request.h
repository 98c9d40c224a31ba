/* A request's way from its head to its upstream: its route, its ask, its verdict. */
#ifndef GATEWAY_REQUEST_H
#define GATEWAY_REQUEST_H

#include "gateway/stream.h"

/* The head is parsed: what comes now is its body. */
void gw_request_parsed(struct gw_stream *stream);
/* The state after head. */
enum gw_step gw_request_route(struct gw_stream *stream);

/* The route is known, and nothing is awaited: what now? */
enum gw_step gw_request_act(struct gw_stream *stream);

/* verdict.c */
enum gw_step gw_run_ask(struct gw_stream *stream);
/* pass.c */
enum gw_step gw_run_pass(struct gw_stream *stream);

#endif
