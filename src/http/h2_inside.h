/* What the files of h2_server.h share: a connection, its streams, and who may write what. */
#ifndef HTTP_H2_INSIDE_H
#define HTTP_H2_INSIDE_H

#include <nghttp2/nghttp2.h>

#include "http/h2_budget.h"
#include "http/h2_head.h"
#include "http/h2_memory.h"
#include "http/h2_server.h"

#define H2_GOAWAY_LEN 17  /* RFC 9113 6.8: without debug data */
#define H2_FRAME_LEN  9   /* RFC 9113 4.1: a frame's header */
#define H2_DATA_LEAST 512 /* no smaller frame of DATA only because a buffer is nearly full */

/*
 *	open ──► noticed ──► stopping ──┬────────────► over
 *	  └─────────┴───────────┴───────┴─► failed ──► ┘
 *	                                └─► told ────► ┘
 */
enum h2_state {
	H2_OPEN,
	H2_NOTICE,     /* the first GOAWAY of a graceful stop is queued */
	H2_STOPPING,   /* the second one is: no stream is begun any more */
	H2_FAILED,     /* our GOAWAY is due; nghttp2 is not called any more */
	H2_ERROR_SENT, /* nghttp2 has sent one with an error; it is not called any more either */
	H2_OVER,       /* no streams, nothing to come but what h2_server_pull() has */
	H2_STATES
};

enum h2_owner {
	H2_OWNER_ENGINE,  /* its head is not complete */
	H2_OWNER_CALLER,  /* request() was called */
	H2_OWNER_RELEASED /* by h2_stream_reset() */
};

enum h2_receive { H2_RECEIVE_HEAD, H2_RECEIVE_BODY, H2_RECEIVE_DROPS, H2_RECEIVE_ENDED };
enum h2_send { H2_SEND_HEAD, H2_SEND_BODY, H2_SEND_LAST, H2_SEND_ENDED }; /* LAST: the end is queued */

struct h2_stream {
	struct h2_server *server;
	struct h2_stream *next, *prev;
	void *user;
	int32_t id;
	enum h2_kind kind;
	enum h2_owner owner;
	enum h2_receive receive;
	enum h2_send send;
	size_t held; /* given to data(), and not given back */
};

struct h2_server {
	const struct h2_ops *ops;
	void *arg;
	nghttp2_session *session; /* h2_session() has it */
	struct h2_memory memory;  /* of the session */
	struct h2_stream *streams;
	size_t count;
	struct h2_head head; /* of the header block under way */
	struct h2_budget budget;
	enum h2_state state;
	struct h2_end end;
	const char *why; /* of the last frame that nghttp2 refused */
	uint64_t settings_due;
	struct buffer left;                         /* of the frame that did not fit */
	int32_t newest;                             /* of the streams that the client has begun; 0: none */
	uint64_t begun;                             /* bit k: newest - 2k was begun, too */
	bool greeted;                               /* our SETTINGS were given to the caller */
	uint8_t last[H2_FRAME_LEN + H2_GOAWAY_LEN]; /* of a failed connection: SETTINGS if need be, GOAWAY */
	size_t last_left;
	uint8_t *out; /* the buffer of the h2_server_pull() that runs */
	size_t room, used;
	const struct h2_stream *asked; /* whose body() runs */
};

/* Whether nghttp2 may be called. */
static inline bool h2_usable(const struct h2_server *server)
{
	return server->state < H2_FAILED;
}

/* To be called with: its memory is there (h2_memory.h). */
static inline nghttp2_session *h2_session(struct h2_server *server)
{
	h2_memory_unfold(&server->memory);
	return server->session;
}

/* What a callback of nghttp2 returns: it goes on as long as the connection does. */
static inline int h2_callback_result(const struct h2_server *server)
{
	return h2_usable(server) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- h2_states.c ---- */

/* What nghttp2 returned: fails the connection if it is fatal. Others mean that a stream is not there any more. */
void h2_check(struct h2_server *server, int result);

/* Its one writer. */
void h2_enter(struct h2_server *server, enum h2_state to);

/* RST_STREAM; what nghttp2 then closes comes to h2_close(). */
void h2_rst(struct h2_stream *stream, uint32_t code);

/* The stream is out of the connection: credit, gone() if it is the caller's, and free. */
void h2_close(struct h2_server *server, struct h2_stream *stream, uint32_t code);
/* The same of all streams, at the connection's end. */
void h2_close_all(struct h2_server *server, uint32_t code);

/* ---- h2_receive.c, h2_send.c ---- */

void h2_receive_callbacks(nghttp2_session_callbacks *callbacks);
void h2_send_callbacks(nghttp2_session_callbacks *callbacks);

#endif
