/* Which route a request belongs to, by all that its service acts on: its path, what becomes of it there, and where a
 * WebDAV request writes to. */
#ifndef GATEWAY_JUDGE_H
#define GATEWAY_JUDGE_H

#include "gateway/choose.h"
#include "gateway/stream.h"

/* stream->route for GW_CHOSEN, *refusal for GW_REFUSED. */
enum gw_choice gw_judge(struct gw_stream *stream, struct http_refusal *refusal);

#endif
