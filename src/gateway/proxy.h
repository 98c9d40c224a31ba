/*
 * A request on its way through an upstream's server, while it is in pass, relay or tunnel. Two flows, which move
 * independently of each other, so that neither side can hold up the other by not reading:
 *
 *	up    the request: its head, what was spooled, then the body as it comes  (upload.c)
 *	down  the response: informational ones, the head, then the body           (relay.c)
 *
 * After 101 both are plain bytes (tunnel.c). What one side does not take at once is kept, up to one batch, and until it
 * is gone the other is not read.
 */
#ifndef GATEWAY_PROXY_H
#define GATEWAY_PROXY_H

#include "gateway/rewrite.h"
#include "gateway/stream.h"
#include "gateway/upconn.h"
#include "http/response_head.h"

#define GW_CONTINUE_MS 1000   /* how long a server has to send its 100 Continue before we do (RFC 9110 10.1.1) */
#define GW_RETRIES     1      /* of a request that can be repeated safely */
#define GW_INFORM_MAX  256    /* informational responses to one request: each is a write of its own */
#define GW_UP_HEAD_MAX 196608 /* a request's head as it is passed on: with the client's certificate, and its chain */

struct gw_proxy {
	const struct config_upstream *upstream;
	const struct gw_upconns *upconns; /* the gateway's */
	struct gw_upconn *upconn;         /* NULL: given back */
	struct transport server;
	struct pace pace; /* of the server: runs while it owes us something */
	uint64_t began_ms;
	unsigned retries;
	enum gw_up up;        /* gw_proxy_enter() */
	struct buffer unsent; /* what the server has not taken yet: up to one batch */
	bool just_sent;       /* of this step alone: there is no answer to it yet */
	bool upgrade;         /* the request asks for one */
	struct gw_rewrite rewrite;
	uint64_t continue_ms; /* when the client gets its 100, whatever the server does; THAW_NEVER: not at all */
	/* the response */
	struct buffer head; /* the beginning of one that has not come whole */
	struct http_scan head_scan;
	struct http_limits limits; /* of its heads */
	bool heard;                /* a byte of a response has come */
	unsigned informed;         /* informational responses so far */
	enum http_response_framing framing;
	uint64_t left; /* HTTP_RESPONSE_LENGTH */
	struct http_chunked chunked;
	struct http_trailers trailers;
	bool to_chunks; /* the client gets chunks */
	bool reusable;  /* the server's connection, once this response is complete */
	bool pinned;    /* and only for this client (pin.h) */
};

static inline struct gw_proxy *gw_proxy_of(const struct gw_stream *stream)
{
	return stream->upstream;
}

/* What a flow waits for. */
struct gw_waits {
	bool client_read, client_write, server_read, server_write, server_connect;
};

/* True: something was moved, or the stream's state has changed. */
typedef bool gw_flow_fn(struct gw_stream *stream, struct gw_waits *waits);

/* proxy.c */
const struct gw_upstream_ops *gw_upstream_proxy(void);
/* upload.c */
bool gw_proxy_up(struct gw_stream *stream, struct gw_waits *waits);
/* server.c: the only writer of proxy->up, which may be that state already. */
void gw_proxy_enter(struct gw_stream *stream, enum gw_up to);
/* flow.c: both flows, and what they wait for. */
enum gw_step gw_proxy_drive(struct gw_stream *stream, gw_flow_fn *up, gw_flow_fn *down);
/* Each side's time runs only while the exchange waits for that side. */
void gw_proxy_paces(struct gw_stream *stream, const struct gw_waits *waits);
/* server.c: begins an attempt; fresh: on a new connection. False: no memory. */
bool gw_proxy_take(struct gw_stream *stream, bool fresh);
/* To the server as much as it takes; the rest is kept. False: no memory for it. A broken server is GW_UP_DEAD. */
bool gw_proxy_send(struct gw_stream *stream, const char *bytes, size_t len);
/* Sends what was kept. True: something moved. */
bool gw_proxy_send_kept(struct gw_stream *stream, struct gw_waits *waits);
/* The attempt's outcome, for the scoreboard and the access log. */
void gw_proxy_count(struct gw_stream *stream, enum scoreboard_outcome outcome);
/* The kind of messages about its upstream. */
size_t gw_proxy_notice(const struct gw_stream *stream);
void gw_proxy_give(struct gw_proxy *proxy, enum gw_upconn_end end, uint64_t now_ms);
/* The server has failed, or ended its connection, before its response: another attempt, or a refusal. */
void gw_proxy_server_gone(struct gw_stream *stream, const char *how);

/* tunnel.c */
enum gw_step gw_proxy_tunnel(struct gw_stream *stream);
/* A 101 is packed; bytes came behind its head. */
void gw_tunnel_begin(struct gw_stream *stream, struct gw_batch *batch, const char *bytes, size_t len);

/* relay.c */
enum gw_step gw_proxy_relay(struct gw_stream *stream);
bool gw_proxy_down_head(struct gw_stream *stream, struct gw_waits *waits);

#endif
