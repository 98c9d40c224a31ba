/* Responses of the gateway itself, and the ends of streams. */
#ifndef GATEWAY_ANSWER_H
#define GATEWAY_ANSWER_H

#include "gateway/problem.h"
#include "gateway/stream.h"

/* Refuses the request with a response that ends the connection. */
enum gw_step gw_refuse(struct gw_stream *stream, enum gw_problem problem, const struct http_refusal *refusal);
/* The same with a URL to use instead, which is copied; NULL: none. */
enum gw_step gw_refuse_with_link(struct gw_stream *stream, enum gw_problem problem, const char *link);
enum gw_step gw_refuse_verdict(struct gw_stream *stream, enum thaw_verdict verdict, enum thaw_reason reason,
			       const char *detail);
/* Ends pending asks, so that only the response is left to do. */
void gw_end_asks(struct gw_stream *stream, enum thaw_reason reason);
/*
 * TLS 1.2: bytes after this request are already here, and a renegotiation takes place between them and their
 * request. RFC 5746 ensures that they are from the same peer. As a second protection they are never used under the
 * certificate from that renegotiation (CVE-2009-3555): the connection ends with this response.
 */
bool gw_overtaken(const struct gw_stream *stream);
/* An ask by renegotiation is pending. */
bool gw_renegotiates(const struct gw_stream *stream);
/* Writes buffered output, such as an incomplete 100 Continue. False: the stream is over. */
bool gw_write_kept(struct gw_stream *stream);
/* Writes a 100 Continue as far as possible; the rest is written while waiting to read. */
enum gw_step gw_continue(struct gw_stream *stream);
/* Sends a response's head: the first len bytes of the batch buffer. The caller writes the rest of the buffer. last:
 * nothing else will follow. False: out of memory, or too large. */
bool gw_send_head(struct gw_stream *stream, unsigned status, struct gw_batch *batch, size_t len, bool last);
/* Writes as much as the client takes; the rest is kept. False: out of memory, or the connection is broken. */
bool gw_send(struct gw_stream *stream, const struct gw_batch *batch);
/* Takes ownership of the reply's memory. */
enum gw_step gw_answer(struct gw_stream *stream, struct gw_reply *reply, bool close);
/* Ends the stream without a response. */
enum gw_step gw_abandon(struct gw_stream *stream, const char *note);
/* Ends the stream in the middle of a response, in a way that the client cannot take for its end. */
enum gw_step gw_cut(struct gw_stream *stream, const char *note);
/* What to wait for after a read or write that did not return THAW_OK; GW_MOVED: the stream is over. */
enum gw_step gw_blocked(struct gw_stream *stream, enum thaw_status status);

#endif
