/*
 * The server side of an HTTP/2 connection (RFC 9113), on nghttp2. It does no I/O and reads no clock.
 *
 *	bytes of the client ──► h2_server_take() ──► request(), data(), ended(), gone()
 *	bytes to the client ◄── h2_server_pull() ◄── h2_stream_respond(), body()
 *
 * A request is delivered as an HTTP/1.1 head for http_head_parse(), so that both versions are checked in the same way.
 * The caller controls the flow in both directions: it returns the bytes of data() with h2_stream_took(), and body() is
 * called when the client's window and the room of h2_server_pull() allow it.
 *
 * The ops are called only from within h2_server_take(), h2_server_pull(), h2_server_tick() and h2_server_free(). They
 * may call all functions below except these four. Each stream for which request() was called ends exactly once: by
 * gone(), or by the caller's h2_stream_reset(). After that its pointer is invalid. A server is used only by the thread
 * that made it.
 */
#ifndef HTTP_H2_SERVER_H
#define HTTP_H2_SERVER_H

#include "http/chunked.h"
#include "http/head.h"

#define H2_STREAMS_MAX       128             /* open at once: SETTINGS_MAX_CONCURRENT_STREAMS */
#define H2_STREAM_WINDOW     (256 * 1024)    /* bytes of one body that data() got and the caller has not returned */
#define H2_CONNECTION_WINDOW (1024 * 1024)   /* the same of all bodies of a connection */
#define H2_SETTINGS_WAIT_MS  UINT64_C(10000) /* limit for the acknowledgement of our SETTINGS (RFC 9113 6.5.3) */
#define H2_FIELDS_MAX        (HTTP_FIELDS_MAX + 28) /* most fields of a response's head, or of its trailers */

/* RFC 9113 7 */
enum h2_code {
	H2_NO_ERROR = 0x0,
	H2_PROTOCOL_ERROR = 0x1,
	H2_INTERNAL_ERROR = 0x2,
	H2_FLOW_CONTROL_ERROR = 0x3,
	H2_SETTINGS_TIMEOUT = 0x4,
	H2_STREAM_CLOSED = 0x5,
	H2_FRAME_SIZE_ERROR = 0x6,
	H2_REFUSED_STREAM = 0x7,
	H2_CANCEL = 0x8,
	H2_COMPRESSION_ERROR = 0x9,
	H2_CONNECT_ERROR = 0xa,
	H2_ENHANCE_YOUR_CALM = 0xb,
	H2_INADEQUATE_SECURITY = 0xc,
	H2_HTTP_1_1_REQUIRED = 0xd
};

struct h2_server; /* a connection */
struct h2_stream; /* a request and its response */

struct h2_request {
	/* The whole head in HTTP/1.1 form, from malloc(); the callee frees it. NULL: the request is refused; answer it
	 * with h2_stream_respond(), or reset it. */
	char *head;
	size_t len;
	struct http_refusal refusal; /* for head NULL: 431, 501, 400, 414 */
	bool ended;                  /* there is no body, and ended() is not called */
	/* Extended CONNECT (RFC 8441), delivered as GET with Upgrade: websocket. A 101 response is sent as 200; then
	 * data() and body() carry the tunnel's bytes. The head has no framing fields, although the stream continues. */
	bool websocket;
};

struct h2_ops {
	/* A head is complete. The caller owns the stream until gone() or h2_stream_reset(). */
	void (*request)(void *arg, struct h2_stream *stream, struct h2_request *request);

	/* Bytes of the request's body, len > 0, valid during this call. They occupy both flow-control windows until
	 * h2_stream_took(): at most H2_STREAM_WINDOW of a stream, and H2_CONNECTION_WINDOW of the connection. */
	void (*data)(void *arg, struct h2_stream *stream, const char *bytes, size_t len);

	/* The body is complete, and matches its Content-Length. trailers: lines is empty if there are none. The callee
	 * may take ownership of the lines: *mine = *trailers, then lines = {0}. */
	void (*ended)(void *arg, struct h2_stream *stream, struct http_trailers *trailers);

	/*
	 * The last call for this stream. H2_NO_ERROR: both directions are complete, or the response is and the rest of
	 * the body was dropped. Otherwise the stream was aborted: by the client, by us because of what the client sent,
	 * or because the connection ended. Bytes not yet returned by h2_stream_took() are returned to the connection's
	 * window.
	 */
	void (*gone)(void *arg, struct h2_stream *stream, uint32_t code);

	/*
	 * Writes at most room (> 0) bytes of the response's body to buffer, and returns how many. *ended (false before)
	 * is set with the last bytes. 0 without *ended: nothing yet; it is not called again before h2_stream_resume().
	 * Before it sets *ended it may call h2_stream_trailers(). It may call h2_stream_reset() instead, and return 0.
	 */
	size_t (*body)(void *arg, struct h2_stream *stream, char *buffer, size_t room, bool *ended);

	/* Random bytes, only for the key of a WebSocket. */
	void (*random)(void *arg, uint8_t *bytes, size_t len);
};

/* now_ms: monotonic. ops must outlive it. NULL: out of memory. */
struct h2_server *h2_server_new(const struct h2_ops *ops, void *arg, const struct http_limits *limits, uint64_t now_ms);

/* Calls gone() (H2_CANCEL) for each remaining stream. */
void h2_server_free(struct h2_server **server);

/* Processes received bytes, starting with the client's preface. False: the connection has ended, see h2_server_end().
 * */
bool h2_server_take(struct h2_server *server, const void *bytes, size_t len, uint64_t now_ms);

/*
 * Writes the next bytes to send to buffer, at most room bytes, and returns how many; 0: nothing now. They count as
 * sent: the caller must write them in order. DATA is produced only here, by body(), so the caller limits the unsent
 * bytes. room should be H2_PULL_ROOM or more, and must be at least H2_PULL_LEAST. Call it until it returns 0, and write
 * what each call returned before the next one. Also call it after h2_server_take(),
 * to send acknowledgements and GOAWAY.
 */
#define H2_PULL_LEAST 64
#define H2_PULL_ROOM  16384
size_t h2_server_pull(struct h2_server *server, void *buffer, size_t room);

/* Call it when the connection is idle: releases memory until the next bytes arrive. It has no other effect. */
void h2_server_rest(struct h2_server *server);

/* When h2_server_tick() is due, in ms; THAW_NEVER: no deadline. */
uint64_t h2_server_deadline(const struct h2_server *server);
void h2_server_tick(struct h2_server *server, uint64_t now_ms);

/* How the connection ended. */
struct h2_end {
	uint32_t code;   /* enum h2_code, of our GOAWAY or the client's */
	bool by_client;  /* the client sent GOAWAY, and all streams are complete */
	const char *why; /* static text: for logs */
};

/* NULL: the connection is open. Otherwise it accepts no more bytes and has no streams; close the transport when
 * h2_server_pull() returns nothing. */
const struct h2_end *h2_server_end(const struct h2_server *server);

/*
 * A graceful stop (RFC 9113 6.8): first h2_server_notice(), which still accepts requests that the client has already
 * sent; a round trip or a second later h2_server_stop(). Open streams continue; h2_server_end() is set (H2_NO_ERROR)
 * after the last one. Each call may be used alone. False: out of memory.
 */
bool h2_server_notice(struct h2_server *server);
bool h2_server_stop(struct h2_server *server);

/* Ends the connection with a GOAWAY; the next h2_server_pull(), h2_server_take() or h2_server_tick() calls gone() for
 * all streams. why: static text. */
void h2_server_fail(struct h2_server *server, uint32_t code, const char *why);

/* A pointer for the caller; initially NULL. */
void h2_stream_set_user(struct h2_stream *stream, void *user);
void *h2_stream_user(const struct h2_stream *stream);

/*
 * Sends a response's head. status 100 to 199 except 101: an interim response, of which there may be several. Names are
 * converted to lower case. Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade and TE are omitted, for
 * a WebSocket also Sec-WebSocket-Accept. The caller must omit fields that Connection names. ended: there is no body,
 * and body() is never called; this is implied for HEAD, 204 and 304. The fields are copied. False: out of memory, more
 * than H2_FIELDS_MAX fields, a second final head, or an invalid status; reset the stream.
 */
bool h2_stream_respond(struct h2_stream *stream, unsigned status, const struct http_field *fields, size_t count,
		       bool ended);

/* Sets trailers of the response, copied. Call it within body(), in the call that sets *ended. False: as above. */
bool h2_stream_trailers(struct h2_stream *stream, const struct http_field *fields, size_t count);

/* body() may have bytes again. */
void h2_stream_resume(struct h2_stream *stream);

/* Returns len bytes of data(): the client may send as many more. */
void h2_stream_took(struct h2_stream *stream, size_t len);

/* Discards the rest of the request's body: data() and ended() are not called any more. If the response is complete
 * before the body, the h2_server_pull() after the one that returned its end resets the stream with H2_NO_ERROR (RFC
 * 9113 8.1). Without this call it continues until the body is complete. */
void h2_stream_drop_body(struct h2_stream *stream);

/* Sends RST_STREAM. The pointer becomes invalid, and gone() is not called. Later frames for the stream are discarded.
 * */
void h2_stream_reset(struct h2_stream *stream, uint32_t code);

#endif
