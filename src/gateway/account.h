/* Reports about a stream: its access record, its counts on the scoreboard, and its entry in the list of asks. */
#ifndef GATEWAY_ACCOUNT_H
#define GATEWAY_ACCOUNT_H

#include <jansson.h>

#include "gateway/stream.h"

/* The current access record. NULL: out of memory. */
json_t *gw_account_make(struct gw_stream *stream);
/* Takes ownership of the record and writes it; NULL: there was no memory for it, which is logged. */
void gw_account_emit(struct gateway *gateway, json_t *record);
void gw_account_scoreboard(const struct gw_stream *stream);
/* Writes all reports, once. */
void gw_account_stream(struct gw_stream *stream);
/* Stores the current state of the ask for the access record. */
void gw_note_story(struct gw_stream *stream);
void gw_show_ask(struct gw_stream *stream);

#endif
