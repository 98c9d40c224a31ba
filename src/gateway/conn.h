/*
 * Internals of a connection: the client, its TLS, its ask, and its protocol. It has a stream (stream.h) only during
 * a request, so that an idle connection needs little memory besides its SSL object.
 */
#ifndef GATEWAY_CONN_H
#define GATEWAY_CONN_H

#include <jansson.h>
#include <netinet/in.h>

#include "base/pace.h"
#include "gateway/conn_states.h"
#include "gateway/gateway.h"
#include "gateway/notice.h"
#include "gateway/origin.h"
#include "gateway/part_states.h"
#include "gateway/request_id.h"
#include "gateway/route.h"
#include "gateway/scoreboard.h"
#include "tls/server.h"

#define GW_WORK_MAX     262144 /* bytes moved in one step, before other connections continue */
#define GW_WORK_LEAST   64     /* minimum that each piece of work counts as */
#define GW_WORK_REQUEST 16384  /* what a request counts as in addition: it is parsed, answered, recorded */
#define GW_RETIRE_MS    1000   /* for an idle connection, after retiring: a request may already be on its way */
#define GW_SCRATCH_ROOM 16384  /* one TLS record's plaintext */
#define GW_BATCH_MAX    327680 /* one batch for a server: a head and 256 KiB of body */
#define GW_DOWN_ROOM    65536  /* one read of a response; what the client does not take is kept */
#ifndef GW_SPARE_STREAMS       /* 0 in builds with sanitizers, so that they detect uses of a freed one */
#define GW_SPARE_STREAMS 16
#endif

struct gw_http2;
struct gw_pins;
struct gw_protocol;
struct gw_stream;

/* A batch in progress, in the gateway's buffer: filled and written in one step. */
struct gw_batch {
	char *at;
	size_t len, room;
	bool chunks; /* the body in it is sent in chunks */
};

/* How requests on a connection without TLS are handled. */
struct gw_plain {
	const struct config_listen *listen; /* NULL: plain HTTP on a TLS port */
	struct gw_host host;                /* replaces the host that a handshake chooses; it has no routes */
	struct gw_route acme;               /* config NULL: no route */
};

struct gateway {
	const struct config *config;
	struct gateway_env env;
	struct gw_routes routes;
	struct tls_server *tls;
	struct gw_notices notices;
	struct http_limits limits; /* of requests' heads */
	uint64_t now_ms;           /* of the current step */
	struct thaw_error err;     /* of the current step; not per connection, to save memory */
	struct gw_request_ids ids;
	struct config_host nobody; /* of connections without TLS */
	struct gw_plain *plains;   /* as many as config->listens */
	struct {
		struct gw_stream *first;
		unsigned count;
	} spare;                       /* freed streams for the next requests: stream.c */
	struct gw_plain mistake;       /* plain HTTP on a TLS port */
	char scratch[GW_SCRATCH_ROOM]; /* for reads that may return nothing */
	char batch[GW_BATCH_MAX],
		down[GW_DOWN_ROOM + HTTP_HEAD_MAX]; /* in front: the part of a head that was already received */
};

/* How a connection ends. */
enum gw_close {
	GW_CLOSE_QUIET,    /* no response was sent */
	GW_CLOSE_ANSWERED, /* the client may not have read the response yet */
	GW_CLOSE_CUT,      /* a response was cut off: close_notify must not make it look complete */
};

struct gw_conn {
	struct gateway *gateway;
	struct transport transport;
	const struct gw_plain *plain; /* a connection without TLS, which has no tls and no ask; NULL: TLS */
	struct gw_preface *preface;   /* while it is read */
	bool named;                   /* peer is the client, not the load balancer */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer;               /* of family 0: not known */
	struct tls_conn *tls; /* NULL until data arrives; so is ask */
	thaw_conn *ask;
	enum gw_state state;
	struct pace pace;
	uint64_t waits_ms; /* start of the current wait: for the handshake, for a request, or for the rest of a head */
	size_t work;       /* bytes moved in this step */
	bool quiet;        /* gw_conn_quiet() was called for the next step */
	bool retiring;     /* in any state: no further request is accepted */
	bool began;        /* a byte of a request was received, or the end of the connection was logged */
	void (*wake)(void *arg);
	void *wake_arg;
	struct gw_wants wants;
	const struct gw_protocol *protocol; /* set after the handshake */
	struct gw_stream *stream;           /* HTTP/1.1 only; NULL: there is no request */
	/* HTTP/1.1 only: the ask after a response. */
	struct {
		enum gw_after state;
		json_t *record;          /* while it is pending */
		const thaw_trust *trust; /* trust of the last ask */
		enum thaw_verdict verdict;
		enum thaw_reason reason;
		char detail[128];
	} after;
	struct gw_http2 *http2; /* HTTP/2 only */
	bool answered;          /* a response was just sent: wait for the next request without trying to read */
	/* the accepted certificate, decoded when needed; it never changes */
	struct tls_details *details;
	struct gw_identity_text identity_text;
	struct gw_pins *pins; /* pin.h; NULL: none */
	uint64_t linger_left, linger_end_ms;
};

/* The reason why a connection without a request ends. */
#define GW_STOPS "the worker stops"

enum gw_step {
	GW_MOVED, /* something changed: look again */
	GW_WAIT,  /* wants says what for */
	GW_AGAIN, /* enough work for one step */
};

static inline uint64_t gw_now(const struct gw_conn *conn)
{
	return conn->gateway->now_ms;
}

/* Milliseconds since 1970. */
static inline int64_t gw_wall(const struct gw_conn *conn, uint64_t at_ms)
{
	return (int64_t)at_ms + conn->gateway->env.wall_offset_ms;
}

/* facts.c */
/* The client's address, as far as it is used; NULL: none. */
void gw_conn_name(struct gw_conn *conn, const struct sockaddr *peer);
const struct gw_host *gw_conn_host(const struct gw_conn *conn);

/* plain.c: the bytes of a connection without TLS. *len: how many were read or written. */
enum thaw_status gw_plain_read(struct gw_conn *conn, void *where, size_t room, size_t *len) THAW_MUST_CHECK;
enum thaw_status gw_plain_write(struct gw_conn *conn, const char *bytes, size_t room, size_t *len) THAW_MUST_CHECK;

/* demand.c: the handshake on demand (tls/offer.h says which clients are candidates, away.h has the notes). */
/* For tls_conn_on_away(), with the connection as arg: looks for a note under each trust of the host's late routes. */
struct tls_away gw_sent_away(void *arg);
/* Notes that the client's stream is reset because of that route, which asks late: in the table, and in a session
 * ticket. Call before the reset. Does nothing for a client that does not retry. */
void gw_send_away(struct gw_conn *conn, const struct gw_route *route);
/* The handshake is complete: if the client was asked on demand, it has answered. */
void gw_came_back(struct gw_conn *conn);
/* The client was asked in its handshake, on demand. */
static inline bool gw_on_demand(const struct gw_conn *conn)
{
	return tls_conn_demand(conn->tls) != TLS_DEMAND_NONE;
}

void gw_say(const struct gateway *gateway, enum config_log_level level, const char *format, ...) THAW_PRINTF(3, 4);

/* The accepted certificate, decoded; NULL: out of memory. */
const struct tls_details *gw_conn_details(struct gw_conn *conn);

/* The address of the peer, as far as it is used; NULL: unknown. */
static inline const struct sockaddr *gw_conn_peer(const struct gw_conn *conn)
{
	return conn->peer.any.sa_family != AF_UNSPEC ? &conn->peer.any : NULL;
}

static inline bool gw_is_handshaking(const struct gw_conn *conn)
{
	return conn->state == GW_TLS || conn->state == GW_CHOICE;
}

static inline bool gw_after_pending(const struct gw_conn *conn)
{
	return conn->after.state == GW_AFTER_PENDING;
}

/* The only function that changes conn->after.state. */
void gw_after_enter(struct gw_conn *conn, enum gw_after to);

/* The only function that changes conn->state. */
void gw_enter(struct gw_conn *conn, enum gw_state to);
uint64_t gw_idle_limit_ms(const struct gw_conn *conn);

#endif
