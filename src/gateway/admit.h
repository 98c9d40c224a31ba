/* Whether a request may run under its client's certificate. */
#ifndef GATEWAY_ADMIT_H
#define GATEWAY_ADMIT_H

#include "gateway/stream.h"

/* The certificate is verified: is it one that the stream's route allows? Sets the stream's identity. False: refused. */
bool gw_admit(struct gw_stream *stream);

/* The certificate is not trusted, and its route takes it so: sets what is told of it. */
void gw_mark(struct gw_stream *stream);

#endif
