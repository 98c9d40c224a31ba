/*
 * A stream: one request and its response. Routing, asking for a certificate, forwarding and answering do not depend on
 * the version of HTTP. The protocol below the stream handles that (http1.c, http2.c).
 *
 *	run.c      which function runs each state, and what happens when its time limit has passed
 *	request.c  from the head to the route, the ask and the verdict
 *	drain.c    stores the body of a request that waits in the spool
 *	local.c    the built-in upstreams;  proxy.c: forwarding to an upstream's server
 *	gather.c   the body for both of them: first the spool, then the rest
 *	pump.c     moves the body from the client to the spool or to the upstream's batch
 *	answer.c   replies and refusals;  account.c: access records and the scoreboard
 *	body.c     the received bytes of a body
 *
 * Functions only call functions in files further down in this list.
 */
#ifndef GATEWAY_STREAM_H
#define GATEWAY_STREAM_H

#include "base/buffer.h"
#include "gateway/conn.h"
#include "gateway/input.h"
#include "gateway/record.h"
#include "gateway/stream_states.h"
#include "gateway/targets.h"
#include "http/chunked.h"

#define GW_OUT_MAX (2 * GW_BATCH_MAX) /* output that one client has not accepted yet */

/* How a stream ended. */
enum gw_end {
	GW_END_NONE,    /* it has not ended */
	GW_END_DONE,    /* its response is complete, and handed to the client's protocol */
	GW_END_ABANDON, /* without a response */
	GW_END_UNREAD,  /* the client does not read the response */
	GW_END_AWAY,    /* the client must send it again, on a connection where it can be asked */
	GW_END_CUT,     /* in the middle of a response: it must not look complete to the client */
};

/* The body as it is decoded from `in`, for any framing. */
struct gw_body {
	enum http_framing framing;
	uint64_t left; /* of a Content-Length: bytes still to come */
	struct http_chunked chunked;
	struct http_trailers trailers;
	struct http_span span; /* decoded bytes that are not used yet */
	bool ended;            /* its last byte was received; span may still have some */
	bool raw;              /* not decoded here: the protocol knows where it ends */
	uint64_t received;     /* bytes of the body received */
};

struct gw_stream {
	struct gw_conn *conn;
	struct gw_stream *next; /* the next stream of the connection */
	void *carrier;          /* the protocol's object for it */
	struct gateway *gateway;
	enum gw_stream_state state;
	enum gw_end end;
	/* HTTP/2: the two sides of the stream (RFC 9113 5.1); either may end first. */
	bool ends;                            /* the client sends nothing more */
	bool whole;                           /* the response is complete: nothing will be added to out */
	const struct http_trailers *trailers; /* of the response; NULL: none, or not yet */
	bool ready;                           /* it must run: something that it may wait for has happened */
	char id[GW_REQUEST_ID_MAX + 1];       /* empty until gw_stream_id() */
	struct pace pace;
	struct gw_wants wants; /* read: input from the client; write: that the client accepts output */
	uint64_t began_ms;
	struct http_scan scan;
	struct gw_input in;
	size_t head_len; /* 0 until the head is parsed */
	struct gw_body body;
	const struct gw_route *route;
	struct gw_targets targets;
	enum gw_expect expect; /* gw_expect_enter() */
	thaw_spool *spool;     /* NULL before the first drained byte, and when it is empty again */
	/* Flags that stay set once they are set, in any state. */
	bool cut_off;   /* the client has sent its close_notify */
	bool overtaken; /* bytes of a later request were received before its renegotiation: see gw_overtaken() */
	enum gw_account account; /* gw_account_enter() */
	struct gw_record_ask story;
	scoreboard_ask shown;                  /* while its ask is pending */
	const struct tls_identity *identity;   /* that the request uses; owned by the connection */
	const struct tls_identity *unverified; /* passed on, marked so: story.report has the reason. NULL: none */
	const struct gw_upstream_ops *ops;     /* NULL: not handed to an upstream yet */
	void *upstream;
	uint64_t passed;   /* bytes of the body that the upstream has taken */
	struct buffer out; /* output that is not written to the client yet */
	bool close_after;  /* the connection ends with this response, for any reason */
	unsigned status;   /* of the response; 0: none */
	const char *note;
	const char *service; /* name of the upstream; NULL: none */
	const char *server;  /* of that upstream; NULL: none */
	uint64_t server_ms;  /* until its response's head */
	uint64_t body_out;
	unsigned repairs; /* of the upstream's response: enum http_repair */
	unsigned retry_s; /* for GW_PROBLEM_RATE: time until the client may try again */
	/* Its spans point into in.head. */
	struct http_request head;
};

/* How a version of HTTP carries streams. */
struct gw_protocol {
	const char *version; /* for Via (RFC 9110 7.6.3) and the access record: "1.1", "2.0" */
	bool text;           /* a response is sent in HTTP/1.1 form, in chunks if needed */
	bool asks;           /* a certificate can be requested between the bytes of a request */
	size_t piece;        /* maximum bytes of one read of a response; at most GW_DOWN_ROOM */
	/* ---- a stream's input and output ---- */
	/* Reads more of the request, still with its framing. */
	enum thaw_status (*read)(struct gw_stream *stream, void *where, size_t room, size_t *len);
	/* Call when bytes of the body were used; NULL: not needed. */
	void (*took)(struct gw_stream *stream, size_t len);
	/* Sends a response's head and removes it from the beginning of the batch; the data after it stays. last:
	 * nothing else follows. Not for a text protocol: there the head stays in the batch and is written with it.
	 * False: out of memory, or the head is too large. */
	bool (*respond)(struct gw_stream *stream, unsigned status, struct gw_batch *head, size_t len, bool last);
	/* Call when nothing else will be written. trailers (NULL: none) are valid as long as the stream's upstream. */
	void (*finish)(struct gw_stream *stream, const struct http_trailers *trailers);
	/* Writes as much as the client accepts now; appends the rest to stream->out. False: out of memory, or the
	 * connection is broken. */
	bool (*write)(struct gw_stream *stream, const char *bytes, size_t len);
	/* THAW_OK: all of stream->out is written, and freed. */
	enum thaw_status (*flush)(struct gw_stream *stream);
	/* Call when a response cannot be written further, perhaps because the client sends its whole request before it
	 * reads. Discards the rest of that request now (RFC 9112 9.6), because otherwise both sides would wait
	 * forever. */
	enum gw_step (*make_way)(struct gw_stream *stream);
	/* ---- states of a stream that the protocol runs ---- */
	enum gw_step (*head)(struct gw_stream *stream);
	/* Handles a request whose head is parsed. HTTP/1.1 only. */
	enum gw_step (*route)(struct gw_stream *stream);
	enum gw_step (*reply)(struct gw_stream *stream);
	/* ---- the connection ---- */
	/* Runs the connection in the states idle and busy. */
	enum gw_step (*run)(struct gw_conn *conn);
	/* The deadline in the states idle and busy; run() checks it. */
	uint64_t (*deadline)(const struct gw_conn *conn);
	/* Iterates over the connection's streams: returns the one after behind, or the first if behind is NULL. NULL:
	 * no more. */
	struct gw_stream *(*next_stream)(const struct gw_conn *conn, const struct gw_stream *behind);
	/* Frees all streams. */
	void (*drop)(struct gw_conn *conn);
	/* Tells the client that no further request is wanted; NULL: each response says so. */
	void (*retire)(struct gw_conn *conn);
};

/* What a request is handed to when it may continue. */
struct gw_upstream_ops {
	enum gw_step (*begin)(struct gw_stream *stream);
	enum gw_step (*pass)(struct gw_stream *stream);
	enum gw_step (*relay)(struct gw_stream *stream);
	enum gw_step (*tunnel)(struct gw_stream *stream);
	uint64_t (*deadline)(const struct gw_stream *stream); /* the upstream's own deadline */
	void (*overdue)(struct gw_stream *stream);            /* that deadline has passed */
	bool (*sent)(const struct gw_stream *stream);         /* it has received the request, or a part of it */
	void (*stop)(struct gw_stream *stream);               /* no more of the body will come */
	void (*free)(struct gw_stream *stream);
};

/* stream.c */
struct gw_stream *gw_stream_new(struct gw_conn *conn); /* its input is not open; NULL: out of memory */
void gw_stream_free(struct gw_stream **stream);
/* Frees the streams that are kept for the next requests. */
void gw_streams_free(struct gateway *gateway);
/* The only writer of stream->state. */
void gw_stream_enter(struct gw_stream *stream, enum gw_stream_state to);
void gw_stream_end(struct gw_stream *stream, enum gw_end how);
/* The only writers of stream->account and stream->expect. They do nothing if that is the state already. */
void gw_account_enter(struct gw_stream *stream, enum gw_account to);
void gw_expect_enter(struct gw_stream *stream, enum gw_expect to);
void gw_upstream_free(struct gw_stream *stream);
/* Prepares the stream for the next request, whose first bytes were already received. False: out of memory. */
bool gw_stream_restart(struct gw_stream *stream);
/* Sets the note in the access record, if there is none yet. */
void gw_stream_note(struct gw_stream *stream, const char *note);
/* The request's ID: taken from the client if the host is configured so, or generated on first use. Empty: the system
 * has no random bytes. */
const char *gw_stream_id(struct gw_stream *stream);
/* The header field rules of its route, or of its host if it has no route. */
const struct config_header_set *gw_headers_of(const struct gw_stream *stream);
/* Wakes the connection, because its next step is due. */
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

/* Whether the request has an ask that the access record reports. */
static inline bool gw_asked(const struct gw_stream *stream)
{
	return stream->account == GW_ACCOUNT_ASKED || stream->account == GW_ACCOUNT_FINAL;
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
