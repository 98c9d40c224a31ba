/* What is reported about a stream: its access record, the board's counts, and its place among the asks on the board. */
#ifndef GATEWAY_ACCOUNT_H
#define GATEWAY_ACCOUNT_H

#include <jansson.h>

#include "gateway/stream.h"

/* The access record as it is now. NULL: no memory. */
json_t *gw_account_make(struct gw_stream *stream);
/* Takes over the record, and writes it; NULL: there was no memory for it, which is said. */
void gw_account_emit(struct gateway *gateway, json_t *record);
void gw_account_board(const struct gw_stream *stream);
/* The whole of it, once. */
void gw_account_stream(struct gw_stream *stream);
/* The ask's story as it is now, for the access record. */
void gw_note_story(struct gw_stream *stream);
void gw_show_ask(struct gw_stream *stream);

#endif
