/* Private parts of h2_server.h: a connection and its streams. */
#ifndef HTTP_H2_INSIDE_H
#define HTTP_H2_INSIDE_H

#include <nghttp2/nghttp2.h>

#include "http/h2_budget.h"
#include "http/h2_head.h"
#include "http/h2_memory.h"
#include "http/h2_server.h"

#define H2_GOAWAY_LEN 17  /* RFC 9113 6.8: without debug data */
#define H2_FRAME_LEN  9   /* RFC 9113 4.1: a frame's header */
#define H2_DATA_LEAST 512 /* do not send a smaller DATA frame only because a buffer is nearly full */

/*
 *	open ──► notice ───► stopping ──┬────────────► over
 *	  └─────────┴───────────┴───────┴─► failed ──► ┘
 *	                                └─► error-sent ┘
 */
enum h2_state {
	H2_OPEN,
	H2_NOTICE,     /* graceful stop: the first GOAWAY is queued */
	H2_STOPPING,   /* graceful stop: the second GOAWAY is queued; new streams are refused */
	H2_FAILED,     /* our GOAWAY must be sent; nghttp2 is not called any more */
	H2_ERROR_SENT, /* nghttp2 has sent a GOAWAY with an error; it is not called any more */
	H2_OVER,       /* no streams are left; only h2_server_pull() may have bytes */
	H2_STATES
};

enum h2_owner {
	H2_OWNER_ENGINE,  /* the head is not complete */
	H2_OWNER_CALLER,  /* request() was called */
	H2_OWNER_RELEASED /* after h2_stream_reset() */
};

enum h2_receive {
	H2_RECEIVE_HEAD,
	H2_RECEIVE_BODY,
	H2_RECEIVE_DROPS,   /* the rest of the body is discarded */
	H2_RECEIVE_STOPPED, /* the same, and RST_STREAM is queued */
	H2_RECEIVE_ENDED
};
enum h2_send { H2_SEND_HEAD, H2_SEND_BODY, H2_SEND_LAST, H2_SEND_ENDED }; /* LAST: the end of the stream is queued */

struct h2_stream {
	struct h2_server *server;
	struct h2_stream *next, *prev;
	void *user;
	int32_t id;
	enum h2_kind kind;
	enum h2_owner owner;
	enum h2_receive receive;
	enum h2_send send;
	size_t held; /* bytes passed to data(), and not yet returned */
	size_t room; /* bytes that its head occupies */
};

struct h2_server {
	const struct h2_ops *ops;
	void *arg;
	nghttp2_session *session; /* use h2_session() */
	struct h2_memory memory;  /* of the session */
	struct h2_stream *streams;
	size_t count;
	size_t heads; /* bytes that the heads of all streams occupy, at most heads_max */
	size_t heads_max;
	struct h2_head head; /* of the current header block */
	struct h2_budget budget;
	enum h2_state state;
	struct h2_end end;
	const char *why; /* why nghttp2 refused the last frame */
	uint64_t settings_due;
	struct buffer left;                         /* the rest of a frame that did not fit */
	int32_t newest;                             /* newest stream that the client has opened; 0: none */
	uint64_t begun;                             /* bit k: stream newest - 2k was opened, too */
	bool settings_sent;                         /* our SETTINGS were passed to the caller */
	bool resets_due;                            /* a response has ended whose body is discarded */
	uint8_t last[H2_FRAME_LEN + H2_GOAWAY_LEN]; /* of a failed connection: SETTINGS if not yet sent, and GOAWAY */
	size_t last_left;
	uint8_t *out; /* the buffer of the current h2_server_pull() */
	size_t room, used;
	const struct h2_stream *asked; /* the stream whose body() is running */
};

/* Whether nghttp2 may be called. */
static inline bool h2_usable(const struct h2_server *server)
{
	return server->state < H2_FAILED;
}

/* The session, with its memory restored (h2_memory.h). */
static inline nghttp2_session *h2_session(struct h2_server *server)
{
	h2_memory_unfold(&server->memory);
	return server->session;
}

/* The return value of nghttp2 callbacks: continue unless the connection has failed. */
static inline int h2_callback_result(const struct h2_server *server)
{
	return h2_usable(server) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- h2_states.c ---- */

/* Checks nghttp2's return value: a fatal error fails the connection. Others mean that a stream does not exist any more.
 * */
void h2_check(struct h2_server *server, int result);

/* The only writer of server->state. */
void h2_enter(struct h2_server *server, enum h2_state to);

/* Queues RST_STREAM; when nghttp2 closes the stream, h2_close() is called. */
void h2_rst(struct h2_stream *stream, uint32_t code);

/* Queues RST_STREAM with H2_NO_ERROR for the streams whose response has been sent and whose body is discarded (RFC 9113
 * 8.1). */
void h2_reset_dropped(struct h2_server *server);

/* Ends a stream: returns its window, calls gone() if the caller owns it, and frees it. */
void h2_close(struct h2_server *server, struct h2_stream *stream, uint32_t code);
/* Ends all streams, at the end of the connection. */
void h2_close_all(struct h2_server *server, uint32_t code);

/* ---- h2_receive.c, h2_send.c ---- */

void h2_receive_callbacks(nghttp2_session_callbacks *callbacks);
void h2_send_callbacks(nghttp2_session_callbacks *callbacks);

#endif
