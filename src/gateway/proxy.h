/*
 * A request that is forwarded to an upstream's server, in the states pass, relay and tunnel. It has two flows. They
 * move independently, so that neither side can block the other by not reading:
 *
 *	up    the request: its head, the spooled body, then the rest of the body  (upload.c)
 *	down  the response: informational responses, the head, then the body      (relay.c)
 *
 * After a 101 response both flows are plain bytes (tunnel.c). Data that one side does not accept at once is buffered,
 * up to one batch; the other side is not read until that data is written.
 */
#ifndef GATEWAY_PROXY_H
#define GATEWAY_PROXY_H

#include "gateway/rewrite.h"
#include "gateway/stream.h"
#include "gateway/upconn.h"
#include "http/response_head.h"

#define GW_CONTINUE_MS 1000   /* wait for the server's 100 Continue; then the gateway sends it (RFC 9110 10.1.1) */
#define GW_RETRIES     1      /* of a request that can be repeated safely */
#define GW_INFORM_MAX  256    /* informational responses to one request: each needs a separate write */
#define GW_UP_HEAD_MAX 196608 /* a forwarded request's head, with the client's certificate and its chain */

struct gw_proxy {
	const struct config_upstream *upstream;
	const struct gw_upconns *upconns; /* the gateway's */
	struct gw_upconn *upconn;         /* NULL: given back to the pool */
	struct transport server;
	struct pace pace; /* of the server: runs while we wait for it */
	uint64_t began_ms;
	unsigned retries;
	enum gw_up up;        /* gw_proxy_enter() */
	struct buffer unsent; /* data that the server has not accepted yet, up to one batch */
	bool just_sent;       /* data was sent in this step: there cannot be an answer yet */
	bool upgrade;         /* the request asks for an upgrade */
	struct gw_rewrite rewrite;
	uint64_t continue_ms; /* when the gateway itself sends a 100 Continue; THAW_NEVER: never */
	/* the response */
	struct buffer head; /* the received part of an incomplete head */
	struct http_scan head_scan;
	struct http_limits limits; /* of the response's heads */
	bool heard;                /* a byte of a response was received */
	unsigned informed;         /* informational responses so far */
	enum http_response_framing framing;
	uint64_t left; /* for HTTP_RESPONSE_LENGTH: bytes of the body still to come */
	struct http_chunked chunked;
	struct http_trailers trailers;
	bool to_chunks; /* the client gets chunks */
	bool reusable;  /* the upstream connection, after this response */
	bool pinned;    /* but only for this client (pin.h) */
};

static inline struct gw_proxy *gw_proxy_of(const struct gw_stream *stream)
{
	return stream->upstream;
}

/* What a flow waits for. */
struct gw_waits {
	bool client_read, client_write, server_read, server_write, server_connect;
};

/* True: data was moved, or the stream's state has changed. */
typedef bool gw_flow_fn(struct gw_stream *stream, struct gw_waits *waits);

/* proxy.c */
const struct gw_upstream_ops *gw_upstream_proxy(void);
/* upload.c */
bool gw_proxy_up(struct gw_stream *stream, struct gw_waits *waits);
/* server.c: the only writer of proxy->up. Does nothing if that is the state already. */
void gw_proxy_enter(struct gw_stream *stream, enum gw_up to);
/* flow.c: runs both flows, and sets what they wait for. */
enum gw_step gw_proxy_drive(struct gw_stream *stream, gw_flow_fn *up, gw_flow_fn *down);
/* Starts and stops the timeouts: each side's timeout runs only while the exchange waits for that side. */
void gw_proxy_paces(struct gw_stream *stream, const struct gw_waits *waits);
/* server.c: begins an attempt; fresh: on a new connection. False: out of memory. */
bool gw_proxy_take(struct gw_stream *stream, bool fresh);
/* Sends as much as the server accepts; buffers the rest. False: out of memory. If the connection is broken, the state
 * becomes GW_UP_DEAD. */
bool gw_proxy_send(struct gw_stream *stream, const char *bytes, size_t len);
/* Sends buffered data. True: as for gw_flow_fn. */
bool gw_proxy_send_kept(struct gw_stream *stream, struct gw_waits *waits);
/* Records the attempt's outcome for the scoreboard and the access log. */
void gw_proxy_count(struct gw_stream *stream, enum scoreboard_outcome outcome);
/* The kind of messages about the upstream, for gw_notice(). */
size_t gw_proxy_notice(const struct gw_stream *stream);
void gw_proxy_give(struct gw_proxy *proxy, enum gw_upconn_end end, uint64_t now_ms);
/* Call when the server has failed or ended its connection before its response. Starts another attempt, or refuses the
 * request. */
void gw_proxy_server_gone(struct gw_stream *stream, const char *how);

/* tunnel.c */
enum gw_step gw_proxy_tunnel(struct gw_stream *stream);
/* The batch has the head of a 101 response; bytes were received after it. */
void gw_tunnel_begin(struct gw_stream *stream, struct gw_batch *batch, const char *bytes, size_t len);

/* relay.c */
enum gw_step gw_proxy_relay(struct gw_stream *stream);
bool gw_proxy_down_head(struct gw_stream *stream, struct gw_waits *waits);

#endif
