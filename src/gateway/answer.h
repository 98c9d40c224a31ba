/* How requests are answered by the gateway itself, and how streams end. */
#ifndef GATEWAY_ANSWER_H
#define GATEWAY_ANSWER_H

#include "gateway/problem.h"
#include "gateway/stream.h"

/* Refuses with a reply that ends the connection. */
enum gw_step gw_refuse(struct gw_stream *stream, enum gw_problem problem, const struct http_refusal *refusal);
/* The same with a URL to go to instead, which is copied; NULL: none. */
enum gw_step gw_refuse_with_link(struct gw_stream *stream, enum gw_problem problem, const char *link);
enum gw_step gw_refuse_verdict(struct gw_stream *stream, enum thaw_verdict verdict, enum thaw_reason reason,
			       const char *detail);
/* Ends what is pending, so that nothing else happens on this stream but its response. */
void gw_end_asks(struct gw_stream *stream, enum thaw_reason reason);
/*
 * TLS 1.2: bytes behind this request are here, and a renegotiation comes between them and their request. RFC 5746 keeps
 * others from having put them there; so that nothing depends on it alone, they are never run under the certificate that
 * comes with it (CVE-2009-3555), and the connection ends with this response.
 */
bool gw_overtaken(const struct gw_stream *stream);
/* An ask is pending, by a renegotiation that is not over. */
bool gw_renegotiates(const struct gw_stream *stream);
/* Writes what waits for the client, such as a 100 Continue that could not be written whole. False: the stream is over.
 */
bool gw_write_kept(struct gw_stream *stream);
/* Writes a 100 Continue, as far as can be done now; waiting to read waits for the rest, too. */
enum gw_step gw_continue(struct gw_stream *stream);
/* Sends a response's head: the first len bytes of the pack. The caller writes what is left in the pack after it.
 * last: nothing else will come. False: no memory, or it is too large. */
bool gw_send_head(struct gw_stream *stream, unsigned status, struct gw_pack *pack, size_t len, bool last);
/* To the client as much as it takes now; the rest is kept. False: no memory, or the connection is broken. */
bool gw_send(struct gw_stream *stream, const struct gw_pack *pack);
/* Takes over the reply's memory. */
enum gw_step gw_answer(struct gw_stream *stream, struct gw_reply *reply, bool close);
/* The stream is over without a response to its request. */
enum gw_step gw_abandon(struct gw_stream *stream, const char *note);
/* The same in the middle of a response: its client must not take it for complete. */
enum gw_step gw_cut(struct gw_stream *stream, const char *note);
/* What a read or write that did not return THAW_OK means for waiting; GW_MOVED: the stream is over. */
enum gw_step gw_blocked(struct gw_stream *stream, enum thaw_status status);

#endif
