/* What the files of HTTP/2 share: http2.c has the connection, http2_stream.c each stream's bytes. */
#ifndef GATEWAY_HTTP2_INSIDE_H
#define GATEWAY_HTTP2_INSIDE_H

#include "gateway/stream.h"
#include "http/h2_server.h"

#define GW_H2_PIECE    32768 /* of a response, for each stream that its client does not read */
#define GW_H2_OUT_ROOM 32768 /* bytes of frames that are made at once; what the transport does not take is kept */

/* RFC 9113 6.8 */
enum gw_goaway {
	GW_GOAWAY_NONE,
	GW_GOAWAY_NOTICED, /* the first is sent: requests that are on their way are still answered */
	GW_GOAWAY_STOPPED, /* the second is: what was begun goes on */
};

struct gw_http2 {
	struct h2_server *server;
	struct gw_stream *streams;
	struct buffer out; /* frames that the transport has not taken yet */
	struct pace pace;  /* of a client that does not read while something is there for it */
	enum gw_goaway goaway;
	uint64_t goaway_ms; /* what follows it; THAW_NEVER: nothing */
	uint64_t rest_ms;   /* when it gives memory back, if it is idle until then; THAW_NEVER: it has */
};

/* http2_stream.c: the ops of the engine; arg is the connection. */
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

/* It is over: its record is written, and its client told. Frees it, or leaves it until the engine has sent its end. */
void gw_http2_over(struct gw_stream *stream);

#endif
