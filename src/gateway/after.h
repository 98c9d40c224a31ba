/*
 * `when: response`: a client is asked after the response, for the sake of its next requests. The access record of the
 * request waits for the verdict.
 */
#ifndef GATEWAY_AFTER_H
#define GATEWAY_AFTER_H

#include "gateway/stream.h"

/* The stream's response is written: its client is asked now. */
void gw_after_ask(struct gw_stream *stream);

/* ask_settled_fn: the ask that followed a response, if that was it, has ended: its record is written. arg: the
 * connection. */
void gw_ask_settled(void *arg);

#endif
