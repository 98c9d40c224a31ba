/*
 * A stream: one request and its response. It is routed, asked for its certificate, handed to its upstream, and answered
 * without knowing by which version of HTTP it came; that is the business of a protocol below it (http1.c).
 *
 *	run.c      which function runs which state, and what happens when a state's time is over
 *	request.c  from a head to its route, its ask, its verdict
 *	drain.c    the body of a request that waits, into the spool
 *	local.c    the built-in upstreams;  proxy.c: the way through an upstream's server
 *	gather.c   what either gets of the body: the spool, then the rest
 *	pump.c     the body from the client into the one or the other
 *	answer.c   replies, refusals;  account.c: access records, and the scoreboard
 *	body.c     the bytes of a body, as they come
 *
 * Calls go downwards in this list only.
 */
#ifndef GATEWAY_STREAM_H
#define GATEWAY_STREAM_H

#include "base/buffer.h"
#include "gateway/conn.h"
#include "gateway/input.h"
#include "gateway/record.h"
#include "gateway/stream_states.h"
#include "http/chunked.h"

#define GW_OUT_MAX (2 * GW_BATCH_MAX) /* what one client has not taken yet */

/* How a stream ended. */
enum gw_end {
	GW_END_NONE,    /* it has not */
	GW_END_DONE,    /* its response is complete, and with the client's protocol */
	GW_END_ABANDON, /* without a response */
	GW_END_UNREAD,  /* its client does not read the response */
	GW_END_AWAY,    /* to be sent again, on a connection where its client can be asked */
	GW_END_CUT,     /* in the middle of a response: its client must not take that for complete */
};

/* The bytes of a body as they come out of `in`, whatever its framing. */
struct gw_body {
	enum http_framing framing;
	uint64_t left; /* of a Content-Length: not yet come */
	struct http_chunked chunked;
	struct http_trailers trailers;
	struct http_span span; /* decoded, here, and not yet taken */
	bool ended;            /* its last byte has come; span may still hold some */
	bool raw;              /* as it comes: the protocol says where it ends */
	uint64_t received;     /* bytes of body that have come */
};

struct gw_stream {
	struct gw_conn *conn;
	struct gw_stream *next; /* of its connection */
	void *carrier;          /* its protocol's */
	struct gateway *gateway;
	enum gw_stream_state state;
	enum gw_end end;
	/* HTTP/2: the two halves of its stream (RFC 9113 5.1), of which either may end first. */
	bool ends;                            /* its client sends nothing more on it */
	bool whole;                           /* the response is: nothing will be added to out */
	const struct http_trailers *trailers; /* of the response; NULL: none, or not yet */
	bool ready;                           /* of its turn alone: something that it may wait for has come */
	char id[GW_REQUEST_ID_MAX + 1];       /* empty until gw_stream_id() */
	struct pace pace;
	struct gw_wants wants; /* read: something of the client; write: that it takes something */
	uint64_t began_ms;
	struct http_scan scan;
	struct gw_input in;
	size_t head_len; /* 0 until the head is parsed */
	struct gw_body body;
	const struct gw_route *route;
	const struct config_route *destination; /* that the path of its Destination belongs to; NULL: as its own */
	enum gw_expect expect;                  /* gw_expect_enter() */
	thaw_spool *spool;                      /* NULL until a byte is drained, and again once it is empty */
	/* Facts, of which each is true for good once it is, in whatever state. */
	bool cut_off;            /* the client has sent its close_notify */
	bool overtaken;          /* bytes of a later request came before the renegotiation that it waited for */
	enum gw_account account; /* gw_account_enter() */
	struct gw_record_ask story;
	scoreboard_ask shown;                  /* while it is asked */
	const struct tls_identity *identity;   /* that the request runs under; the connection's */
	const struct tls_identity *unverified; /* goes on with it, marked so: story.report has the reason. NULL: none */
	const struct gw_upstream_ops *ops;     /* NULL: not handed to an upstream yet */
	void *upstream;
	uint64_t passed;   /* bytes of body that it has taken */
	struct buffer out; /* what is to be written to the client */
	bool close_after;  /* the connection ends with this response, whatever is the cause */
	unsigned status;   /* of the response; 0: none */
	const char *note;
	const char *service; /* the upstream that it was handed to; NULL: none */
	const char *server;  /* of it; NULL: none */
	uint64_t server_ms;  /* until its response's head */
	uint64_t body_out;
	unsigned repairs; /* of the upstream's response: enum http_repair */
	unsigned retry_s; /* it has come too early by so much: GW_PROBLEM_RATE */
	/* Its spans point into in.head. The last: its fields are not zeroed for each request. */
	struct http_request head;
};

/* How a version of HTTP carries streams. */
struct gw_protocol {
	const char *version; /* for Via (RFC 9110 7.6.3) and the access record: "1.1", "2.0" */
	bool text;           /* a response is sent as it is written here: in HTTP/1.1's form, in chunks if need be */
	bool asks;           /* a certificate can be requested between its bytes */
	size_t piece;        /* of a response: bytes of one read of it, GW_DOWN_ROOM at most */
	/* ---- a stream's bytes ---- */
	/* More of the request, as it is framed there. */
	enum thaw_status (*read)(struct gw_stream *stream, void *where, size_t room, size_t *len);
	/* Bytes of the body were used; NULL: nobody needs to know. */
	void (*took)(struct gw_stream *stream, size_t len);
	/* Sends a response's head, which is the beginning of the batch, and takes it off there; what is behind it
	 * stays. last: nothing else will come. Not if the protocol is text: then it stays, and is written. False: no
	 * memory, or it is too large. */
	bool (*respond)(struct gw_stream *stream, unsigned status, struct gw_batch *head, size_t len, bool last);
	/* Nothing will be written behind what has been; trailers (NULL: none) live as long as the stream's upstream. */
	void (*finish)(struct gw_stream *stream, const struct http_trailers *trailers);
	/* As much as the client takes now; the rest is kept in stream->out, behind what is there. False: no memory, or
	 * the connection is broken. */
	bool (*write)(struct gw_stream *stream, const char *bytes, size_t len);
	/* THAW_OK: all of stream->out is written, and freed. */
	enum thaw_status (*flush)(struct gw_stream *stream);
	/* A response cannot be written on, perhaps because its client writes its whole request before it reads: what
	 * still comes of that is thrown away already now (RFC 9112 9.6), or neither side would ever move. */
	enum gw_step (*make_way)(struct gw_stream *stream);
	/* ---- a stream's states that are the protocol's ---- */
	enum gw_step (*head)(struct gw_stream *stream);
	/* What becomes of a request whose head is parsed. HTTP/1.1 only. */
	enum gw_step (*route)(struct gw_stream *stream);
	enum gw_step (*reply)(struct gw_stream *stream);
	/* ---- the connection ---- */
	/* In idle and busy. */
	enum gw_step (*run)(struct gw_conn *conn);
	/* Of idle or busy; run() looks at it. */
	uint64_t (*deadline)(const struct gw_conn *conn);
	/* Each of its streams; behind: NULL for the first. NULL: no more. */
	struct gw_stream *(*next_stream)(const struct gw_conn *conn, const struct gw_stream *behind);
	/* Frees them. */
	void (*drop)(struct gw_conn *conn);
	/* No further request is wanted; NULL: each response says so. */
	void (*retire)(struct gw_conn *conn);
};

/* What a request is handed to once it may go on. */
struct gw_upstream_ops {
	enum gw_step (*begin)(struct gw_stream *stream);
	enum gw_step (*pass)(struct gw_stream *stream);
	enum gw_step (*relay)(struct gw_stream *stream);
	enum gw_step (*tunnel)(struct gw_stream *stream);
	uint64_t (*deadline)(const struct gw_stream *stream); /* of its own */
	void (*overdue)(struct gw_stream *stream);            /* that deadline has come */
	bool (*sent)(const struct gw_stream *stream);         /* it has had the request, or a part of it */
	void (*stop)(struct gw_stream *stream);               /* no more of the body will come */
	void (*free)(struct gw_stream *stream);
};

/* stream.c */
struct gw_stream *gw_stream_new(struct gw_conn *conn); /* its input is not open; NULL: no memory */
void gw_stream_free(struct gw_stream **stream);
/* Those that are kept for the next requests. */
void gw_streams_free(struct gateway *gateway);
/* The only writer of stream->state. */
void gw_stream_enter(struct gw_stream *stream, enum gw_stream_state to);
void gw_stream_end(struct gw_stream *stream, enum gw_end how);
/* The only writers of stream->account and stream->expect; either may be that state already. */
void gw_account_enter(struct gw_stream *stream, enum gw_account to);
void gw_expect_enter(struct gw_stream *stream, enum gw_expect to);
void gw_upstream_free(struct gw_stream *stream);
/* The next request on it, whose first bytes are here. False: no memory. */
bool gw_stream_restart(struct gw_stream *stream);
/* For the access record; the first one stays. */
void gw_stream_note(struct gw_stream *stream, const char *note);
/* Taken from the client, where the host says so, or made when it is first asked for; empty: the system has no random
 * bytes. */
const char *gw_stream_id(struct gw_stream *stream);
/* The rules for fields of its route; of its host while it has none. */
const struct config_header_set *gw_headers_of(const struct gw_stream *stream);
/* Its connection's next step is due. */
void gw_stream_wake(struct gw_stream *stream);

static inline uint64_t gw_stream_now(const struct gw_stream *stream)
{
	return stream->gateway->now_ms;
}

/* How long it may be in that state without progress. */
static inline uint64_t gw_limit_ms(const struct gw_stream *stream, enum gw_stream_state state)
{
	return gw_stream_limit_ms(state, &stream->gateway->config->connections);
}

static inline struct gw_stream *gw_next_stream(const struct gw_conn *conn, const struct gw_stream *behind)
{
	return conn->protocol != NULL ? conn->protocol->next_stream(conn, behind) : NULL;
}

/* Whether there is the story of an ask to tell. */
static inline bool gw_asked(const struct gw_stream *stream)
{
	return stream->account == GW_ACCOUNT_ASKED || stream->account == GW_ACCOUNT_TOLD;
}

/* Whether something waits to be written to the client. */
static inline bool gw_unwritten(const struct gw_stream *stream)
{
	return buffer_left(&stream->out) > 0;
}

static inline enum gw_step gw_wait_read(struct gw_stream *stream)
{
	stream->wants.read = true;
	return GW_WAIT;
}

static inline enum gw_step gw_wait_write(struct gw_stream *stream)
{
	stream->wants.write = true;
	return GW_WAIT;
}

#endif
