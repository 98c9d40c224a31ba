/*
 * The server's side of one HTTP/2 connection (RFC 9113, on nghttp2): bytes in, events out, bytes out. It does no I/O
 * and looks at no clock.
 *
 *	bytes of the client ──► h2_server_take() ──► request(), data(), ended(), gone()
 *	bytes to the client ◄── h2_server_pull() ◄── h2_stream_respond(), body()
 *
 * A request comes as the head of an HTTP/1.1 request, for http_head_parse(): one form and one judge for both versions.
 * Flow control is the caller's in both directions: what it was given by data() comes back by h2_stream_took(), and the
 * body of a response is asked for when the client's window and the room of h2_server_pull() allow it.
 *
 * The ops are called from within h2_server_take(), h2_server_pull(), h2_server_tick() and h2_server_free() only. They
 * may call everything below except these four. Each stream that request() was called for ends exactly once: by gone(),
 * or by the caller's h2_stream_reset(). After that its pointer is dead. A server stays with the thread that made it.
 */
#ifndef HTTP_H2_SERVER_H
#define HTTP_H2_SERVER_H

#include "http/chunked.h"
#include "http/head.h"

#define H2_STREAMS_MAX       128                    /* open at once: SETTINGS_MAX_CONCURRENT_STREAMS */
#define H2_STREAM_WINDOW     (256 * 1024)           /* bytes of one body that came and were not given back yet */
#define H2_CONNECTION_WINDOW (1024 * 1024)          /* the same of all bodies of a connection */
#define H2_SETTINGS_WAIT_MS  UINT64_C(10000)        /* for the acknowledgement of our SETTINGS (RFC 9113 6.5.3) */
#define H2_FIELDS_MAX        (HTTP_FIELDS_MAX + 28) /* of a response's head, or of its trailers */

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
	/* The whole head in HTTP/1.1's form, made with malloc(): the callee's to free. NULL: the request is refused;
	 * answer it with h2_stream_respond(), or reset it. */
	char *head;
	size_t len;
	struct http_refusal refusal; /* for head NULL: 431, 501, 400, 414 */
	bool ended;                  /* no body comes, and ended() is not called */
	/* Extended CONNECT (RFC 8441), as an upgrade: GET, Upgrade: websocket. A 101 becomes 200; then data() and
	 * body() carry the tunnel's bytes. There is no framing in the head, although the stream goes on. */
	bool websocket;
};

struct h2_ops {
	/* A head is complete. The stream is the caller's until gone() or h2_stream_reset(). */
	void (*request)(void *arg, struct h2_stream *stream, struct h2_request *request);

	/* Bytes of the request's body, len > 0; they live during this call only. They hold len of both windows until
	 * h2_stream_took(). At most H2_STREAM_WINDOW of a stream are so held, and H2_CONNECTION_WINDOW of the
	 * connection. */
	void (*data)(void *arg, struct h2_stream *stream, const char *bytes, size_t len);

	/* The body is complete, and has the length that its head said. trailers: lines empty if there are none; they
	 * are the engine's, but the callee may move them out: *mine = *trailers, then lines = {0}. */
	void (*ended)(void *arg, struct h2_stream *stream, struct http_trailers *trailers);

	/*
	 * The last call for this stream. H2_NO_ERROR: both sides are complete, or the response is and the rest of the
	 * body was not wanted; otherwise it is cut short: the client reset it, the engine did because of what the
	 * client sent, or the connection is over. What was not given back by h2_stream_took() is credited to the
	 * connection.
	 */
	void (*gone)(void *arg, struct h2_stream *stream, uint32_t code);

	/*
	 * At most room > 0 bytes of the response's body, written to buffer; returns how many. *ended (false before):
	 * these were the last. 0 without *ended: later; it is not called again before h2_stream_resume(). Before it
	 * sets *ended it may call h2_stream_trailers(); instead of an answer it may call h2_stream_reset() (and return
	 * 0).
	 */
	size_t (*body)(void *arg, struct h2_stream *stream, char *buffer, size_t room, bool *ended);

	/* Unpredictable bytes, for the key of a websocket only. */
	void (*random)(void *arg, uint8_t *bytes, size_t len);
};

/* now_ms: monotonic. ops must outlive it. NULL: out of memory. */
struct h2_server *h2_server_new(const struct h2_ops *ops, void *arg, const struct http_limits *limits, uint64_t now_ms);

/* Calls gone() (H2_CANCEL) for each stream that is left. */
void h2_server_free(struct h2_server **server);

/* All bytes that came, from the client's preface on. False: the connection is over, see h2_server_end(). */
bool h2_server_take(struct h2_server *server, const void *bytes, size_t len, uint64_t now_ms);

/*
 * Writes what is to be sent next to buffer, at most room bytes, and returns how many; 0: nothing now. They count as
 * sent: write them in this order before any later ones. So what is unwritten is bounded by the caller: DATA is made
 * only here, by body(). room should be H2_PULL_ROOM or more, and is never below H2_PULL_LEAST. Call it after
 * h2_server_take(), too: acknowledgements, and the reason of an end, are sent by it.
 */
#define H2_PULL_LEAST 64
#define H2_PULL_ROOM  16384
size_t h2_server_pull(struct h2_server *server, void *buffer, size_t room);

/* Nothing has come for a while: gives memory back until something does. Nothing is seen of it otherwise. */
void h2_server_rest(struct h2_server *server);

/* When h2_server_tick() is due; THAW_NEVER: it is not. */
uint64_t h2_server_deadline(const struct h2_server *server);
void h2_server_tick(struct h2_server *server, uint64_t now_ms);

/* How the connection ended. */
struct h2_end {
	uint32_t code;   /* enum h2_code, of our GOAWAY or of theirs */
	bool by_client;  /* they have sent it, and all streams are through */
	const char *why; /* static text: for logs */
};

/* NULL: it goes on. Otherwise nothing is taken any more, all streams are gone, and once h2_server_pull() gives nothing
 * the transport is to be closed. */
const struct h2_end *h2_server_end(const struct h2_server *server);

/*
 * A graceful stop (RFC 9113 6.8): first h2_server_notice(), which a client's requests that are on their way survive;
 * a round trip or a second later h2_server_stop(). Streams that were begun go on; h2_server_end() is set (H2_NO_ERROR)
 * when the last one is gone. Either alone will do. False: out of memory.
 */
bool h2_server_notice(struct h2_server *server);
bool h2_server_stop(struct h2_server *server);

/* Ends the connection with a GOAWAY; gone() is called for all streams by the next h2_server_pull(), take or tick. why:
 * static text. */
void h2_server_fail(struct h2_server *server, uint32_t code, const char *why);

/* A pointer of the caller's; NULL at first. */
void h2_stream_set_user(struct h2_stream *stream, void *user);
void *h2_stream_user(const struct h2_stream *stream);

/*
 * Sends a response's head. status 100 to 199 except 101: an interim one, of which there may be several. Names become
 * lower case; Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade and TE are left out, and for a
 * websocket Sec-WebSocket-Accept. Fields that their Connection names are the caller's to leave out. ended: there is no
 * body; so it is for HEAD, 204 and 304 whatever ended says, and body() is never called. The fields are copied. False:
 * out of memory, more than H2_FIELDS_MAX fields, a second final head, or a status that is none; reset the stream.
 */
bool h2_stream_respond(struct h2_stream *stream, unsigned status, const struct http_field *fields, size_t count,
		       bool ended);

/* Trailers of the response, copied; to be called within body(), in the call that sets *ended. False: as above. */
bool h2_stream_trailers(struct h2_stream *stream, const struct http_field *fields, size_t count);

/* body() has something again. It may be called in vain. */
void h2_stream_resume(struct h2_stream *stream);

/* len bytes that data() brought are done with: the client may send as many again. */
void h2_stream_took(struct h2_stream *stream, size_t len);

/* The rest of the request's body is not wanted: data() and ended() are not called any more, and what comes is thrown
 * away. When the response is complete before the body is, the stream is reset with H2_NO_ERROR (RFC 9113 8.1). Without
 * this call it goes on until the body is complete. */
void h2_stream_drop_body(struct h2_stream *stream);

/* RST_STREAM; the pointer is dead at once, and gone() is not called. What still comes for it is thrown away. */
void h2_stream_reset(struct h2_stream *stream, uint32_t code);

#endif
