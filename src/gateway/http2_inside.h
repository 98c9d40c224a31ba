/* Shared by the HTTP/2 files: http2.c handles the connection, http2_stream.c the data of each stream. */
#ifndef GATEWAY_HTTP2_INSIDE_H
#define GATEWAY_HTTP2_INSIDE_H

#include "gateway/stream.h"
#include "http/h2_server.h"

#define GW_H2_PIECE    32768 /* bytes of one read of a response; buffered per stream while the client does not read */
#define GW_H2_OUT_ROOM 32768 /* bytes of frames created at once; what the transport does not accept is buffered */

/* RFC 9113 6.8 */
enum gw_goaway {
	GW_GOAWAY_NONE,
	GW_GOAWAY_NOTICED, /* the first is sent; requests that the client has already sent are still answered */
	GW_GOAWAY_STOPPED, /* the second is sent; only requests that have begun continue */
};

struct gw_http2 {
	struct h2_server *server;
	struct gw_stream *streams;
	struct buffer out; /* frames that the transport has not accepted yet */
	struct pace pace;  /* runs while the client does not read pending output */
	enum gw_goaway goaway;
	uint64_t goaway_ms; /* when the next step is due; THAW_NEVER: none */
	uint64_t rest_ms;   /* when an idle connection releases memory; THAW_NEVER: already done */
};

/* http2_stream.c: the callbacks of the HTTP/2 engine; arg is the connection. */
extern const struct h2_ops gw_http2_ops;

enum thaw_status gw_http2_read(struct gw_stream *stream, void *where, size_t room, size_t *len);
void gw_http2_took(struct gw_stream *stream, size_t len);
bool gw_http2_respond(struct gw_stream *stream, unsigned status, struct gw_batch *batch, size_t len, bool last);
void gw_http2_finish(struct gw_stream *stream, const struct http_trailers *trailers);
bool gw_http2_write(struct gw_stream *stream, const char *bytes, size_t len);
enum thaw_status gw_http2_flush(struct gw_stream *stream);
enum gw_step gw_http2_make_way(struct gw_stream *stream);
enum gw_step gw_http2_head(struct gw_stream *stream);
enum gw_step gw_http2_reply(struct gw_stream *stream);

/* Call when the stream is over. Writes its access record, and ends or resets the HTTP/2 stream. Frees the stream now,
 * or later when the engine has sent the end. */
void gw_http2_over(struct gw_stream *stream);

#endif
