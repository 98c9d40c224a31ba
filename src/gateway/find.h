/* Host, path, method: which route a request belongs to. */
#ifndef GATEWAY_FIND_H
#define GATEWAY_FIND_H

#include "gateway/stream.h"

/* Sets the stream's route. False: there is none, and *step says what became of it. */
bool gw_find_route(struct gw_stream *stream, enum gw_step *step);

#endif
