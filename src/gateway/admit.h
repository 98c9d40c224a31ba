/* Whether a request may run under its client's certificate. */
#ifndef GATEWAY_ADMIT_H
#define GATEWAY_ADMIT_H

#include "gateway/stream.h"

/* Checks a verified certificate against the rules of the stream's route and sets the stream's identity. False:
 * refused. */
bool gw_admit(struct gw_stream *stream);

/* The certificate is not trusted, but the route accepts that: marks it as unverified. */
void gw_mark(struct gw_stream *stream);

#endif
