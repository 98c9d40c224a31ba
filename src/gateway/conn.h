/*
 * The inside of a connection, shared by the files that run it:
 *
 *	conn.c     the driver: states, deadlines, handshake, idle, linger
 *	request.c  from a head to its route, its ask, its verdict
 *	body.c     the body's bytes: framing, draining, passing on
 *	room.c     connections that are closed so that others can be taken
 *	answer.c   replies, refusals, access records, and the ask after a response
 *	proxy.h    the way through an upstream's server: proxy.c, upload.c, relay.c, tunnel.c, forward.c
 *	pin.h      upstream connections that belong to this connection
 *
 * A connection holds a struct gw_request only while there is a request, so that an idle one costs little besides its
 * SSL.
 */
#ifndef GATEWAY_CONN_H
#define GATEWAY_CONN_H

#include <netinet/in.h>

#include "base/buffer.h"
#include "base/pace.h"
#include "gateway/board.h"
#include "gateway/conn_states.h"
#include "gateway/gateway.h"
#include "gateway/input.h"
#include "gateway/notice.h"
#include "gateway/problem.h"
#include "gateway/record.h"
#include "gateway/route.h"
#include "gateway/upstream.h"
#include "http/chunked.h"
#include "tls/details.h"
#include "tls/server.h"

#define GW_WORK_MAX     262144 /* bytes moved in one step, before others have their turn */
#define GW_WORK_LEAST   64     /* bytes that each piece of work counts as, however few it moves */
#define GW_WORK_REQUEST 16384  /* bytes that a request counts as, beside its own: it is parsed, answered, recorded */
#define GW_BODY_IDLE_MS 60000  /* of a body that is awaited before its client is asked */
#define GW_LINGER_MS    60000  /* the whole lingering read */
#define GW_MIDDLE_MS    20000  /* of a request that is not ended in the middle of a handshake to make room */
#define GW_RETIRE_MS    1000   /* idle, when no more is wanted: for a request that is on its way already */
#define GW_LINGER_BYTES (UINT64_C(1) << 30)
#define GW_LINGER_FLOOD (UINT64_C(1) << 20) /* of a client that was given up because it floods: tls/records.h */
#define GW_PACK_MAX     327680              /* one batch for a server: a head, and 256 KiB of body */
#define GW_PACK_LEAST   20480               /* room below which a batch is sent: for a record, or the trailers */
#define GW_DOWN_ROOM    65536               /* one read of a response; what its client does not take at once is kept */
#define GW_OUT_MAX      (2 * GW_PACK_MAX)   /* what one client has not taken yet */
#define GW_ALERT_MS     2000 /* the lingering read where there is no response, but an alert of TLS at most */
#define GW_ALERT_BYTES  262144

struct gw_pins;
struct gw_proxy;

/* A batch under way, in the gateway's own buffer: gathered and written in one step. */
struct gw_pack {
	char *at;
	size_t len, room;
};

struct gateway {
	const struct config *config;
	struct gateway_env env;
	struct gw_routes routes;
	struct tls_server *tls;
	struct gw_notices notices;
	uint64_t now_ms;       /* of the step under way */
	struct thaw_error err; /* of the step under way: not each connection's, which would cost an idle one more */
	char scratch[GW_REST_ROOM]; /* for reads of which it is not known whether anything will come */
	char pack[GW_PACK_MAX], down[GW_DOWN_ROOM];
};

/* The bytes of a body as they come out of `in`, whatever its framing. */
struct gw_body {
	enum http_framing framing;
	uint64_t left; /* of a Content-Length: not yet come */
	struct http_chunked chunked;
	struct http_trailers trailers;
	struct http_span span; /* decoded, here, and not yet taken */
	bool ended;            /* its last byte has come; span may still hold some */
	uint64_t received;     /* bytes of body that have come */
};

struct gw_request {
	uint64_t began_ms;
	struct http_scan scan;
	struct gw_input in;
	struct http_request head; /* its spans point into in.head */
	size_t head_len;          /* 0 until the head is parsed */
	struct gw_body body;
	const struct gw_route *route;
	struct gw_then {
		bool ask, answer_continue;
	} then;            /* once the request goes on */
	thaw_spool *spool; /* NULL until a byte is drained, and again once it is empty */
	bool asked;        /* there is a story to tell */
	bool settled;      /* and it is told to its end: the ask's own report adds nothing */
	bool cut_off;      /* the client has sent its close_notify */
	bool overtaken;    /* bytes of a later request came before the renegotiation that it waited for */
	bool recorded;     /* the access record is written, or handed to the ask that follows */
	struct gw_record_ask story;
	board_ask shown;                      /* while it is asked */
	const struct thaw_identity *identity; /* that the request runs under; the connection's */
	const struct gw_upstream_ops *ops;
	void *upstream;
	struct gw_proxy *proxy; /* instead of ops and upstream: on its way through a server */
	unsigned status;        /* of the response; 0: none */
	const char *note;
	const char *server; /* of the upstream that it went to; NULL: none */
	uint64_t server_ms; /* until its response's head */
	uint64_t body_out;
	unsigned repairs; /* of the upstream's response: enum http_repair */
};

struct gw_conn {
	struct gateway *gateway;
	struct transport transport;
	struct gw_preface *preface; /* while it is read */
	bool has_peer;
	bool named; /* that is the client's address, not a load balancer's */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} peer;
	struct tls_link *tls; /* NULL until something has come; so is ask */
	thaw_conn *ask;
	enum gw_state state;
	struct pace pace;
	uint64_t now_ms;
	uint64_t waits_ms; /* since when it waits, if it does: for its handshake, for a request, for the rest of a head
			    */
	size_t work;       /* bytes moved in this step */
	bool human;        /* the handshake waits for a client certificate: its deadline is the ask's */
	bool retiring;
	bool began;    /* a byte of a request has come; or it was said that none will */
	bool answered; /* just now: the next request is waited for without looking whether it is here */
	bool cut;      /* a response broke off: no close_notify may make it look complete */
	void (*wake)(void *arg);
	void *wake_arg;
	struct gw_wants wants;
	struct gw_request *request;
	struct buffer out; /* what is to be written to the client */
	bool close_after;  /* the connection ends with this response */
	/* the ask that followed a response: its record waits for the verdict, and later requests for its outcome */
	struct {
		bool pending;
		json_t *record;
		const thaw_trust *trust; /* whose ask was refused last; NULL: none */
		enum thaw_verdict verdict;
		enum thaw_reason reason;
		char detail[128];
	} after;
	/* the accepted certificate, once something needs to know more of it; it never changes */
	struct tls_details *details;
	struct {
		char *fields;   /* owned: for the upstream */
		bool too_large; /* there are none: the certificate does not fit */
		size_t len;
	} told;
	struct gw_pins *pins; /* pin.h; NULL: none */
	uint64_t linger_left, linger_end_ms;
};

/* Why a connection ends that has no request. */
#define GW_STOPS "the worker stops"

enum gw_step {
	GW_MOVED, /* something changed: look again */
	GW_WAIT,  /* conn->wants says for what */
	GW_AGAIN, /* enough work for one step */
};

/* conn.c */

/* The only writer of conn->state. */
void gw_enter(struct gw_conn *conn, enum gw_state to);
uint32_t gw_idle_limit_ms(const struct gw_conn *conn);
enum gw_step gw_wait_write(struct gw_conn *conn);
/* What a call that did not return THAW_OK means for waiting; GW_MOVED: the connection is over, and the state has
 * changed. */
enum gw_step gw_blocked(struct gw_conn *conn, enum thaw_status status);
/* Whether something waits to be written to the client. */
static inline bool gw_unwritten(const struct gw_conn *conn)
{
	return buffer_left(&conn->out) > 0;
}
/* THAW_OK: all of conn->out is written, and freed. */
enum thaw_status gw_flush(struct gw_conn *conn);
const struct gw_host *gw_conn_host(const struct gw_conn *conn);
/* To the client as much as it takes now; the rest is kept in conn->out, behind what is there. False: no memory, or the
 * connection is broken. */
bool gw_write(struct gw_conn *conn, const char *bytes, size_t len);
void gw_say(const struct gateway *gateway, enum config_log_level level, const char *format, ...) THAW_PRINTF(3, 4);

/* request.c */
struct gw_request *gw_request_new(uint64_t now_ms); /* NULL: no memory */
void gw_request_free(struct gw_request **request);
/* The ask's story as it is now, for the access record. */
void gw_note_story(struct gw_conn *conn);
enum gw_step gw_run_head(struct gw_conn *conn);
/* What the accepted certificate says; NULL: no memory. */
const struct tls_details *gw_conn_details(struct gw_conn *conn);
enum gw_step gw_run_held(struct gw_conn *conn);
enum gw_step gw_run_ask(struct gw_conn *conn);

/* find.c: sets the request's route. False: there is none, and *step says what became of it. */
bool gw_find_route(struct gw_conn *conn, enum gw_step *step);

/* body.c */

enum gw_body_step {
	GW_BODY_SPAN, /* request->body.span has bytes; gw_body_took() them */
	GW_BODY_NEED, /* read more */
	GW_BODY_END,
	GW_BODY_BAD, /* *refusal */
};
enum gw_body_step gw_body_next(struct gw_request *request, struct http_refusal *refusal);
void gw_body_took(struct gw_request *request, size_t len);
/*
 * Reads as much as one record, no further than the body's end where that is known. The reason why no more can be kept,
 * or NONE and *status.
 */
enum thaw_reason gw_body_fill(struct gw_conn *conn, enum thaw_status *status);
/* One piece of work on an asked request's body: into the spool. */
enum gw_step gw_drain(struct gw_conn *conn);
enum gw_step gw_run_pass(struct gw_conn *conn);

/* answer.c */

/* Refuses with a reply that ends the connection. */
enum gw_step gw_refuse(struct gw_conn *conn, enum gw_problem problem, const struct http_refusal *refusal);
enum gw_step gw_refuse_verdict(struct gw_conn *conn, enum thaw_verdict verdict, enum thaw_reason reason,
			       const char *detail);
/* Ends what is pending, so that nothing else happens on this connection but its last response. */
void gw_end_asks(struct gw_conn *conn, enum thaw_reason reason);
/*
 * TLS 1.2: bytes behind this request are here, and a renegotiation comes between them and their request. RFC 5746 keeps
 * others from having put them there; so that nothing depends on it alone, they are never run under the certificate that
 * comes with it (CVE-2009-3555), and the connection ends with this response.
 */
bool gw_overtaken(const struct gw_conn *conn);
/* An ask is pending, by a renegotiation that is not over. */
bool gw_renegotiates(const struct gw_conn *conn);
/* Writes a 100 Continue, as far as can be done now; waiting to read waits for the rest, too. */
enum gw_step gw_continue(struct gw_conn *conn);
/* Takes over the reply's memory. */
enum gw_step gw_answer(struct gw_conn *conn, struct gw_reply *reply, bool close);
enum gw_step gw_run_reply(struct gw_conn *conn);
/* The last response cannot be written on, perhaps because its client writes its whole request before it reads: what
 * still comes of that is thrown away already now (RFC 9112 9.6), or neither side would ever move. */
enum gw_step gw_make_way(struct gw_conn *conn);
/* The connection is over without a response to the request under way. */
enum gw_step gw_abandon(struct gw_conn *conn, const char *note);
/* The same in the middle of a response: its client must not take it for complete. */
enum gw_step gw_cut(struct gw_conn *conn, const char *note);
/* Milliseconds since 1970. */
int64_t gw_wall(const struct gw_conn *conn, uint64_t at_ms);
/* ask_settled_fn: the ask that followed a response, if that was it, has ended: its record is written. arg: the
 * connection. */
void gw_ask_settled(void *arg);
/* On the board, and off it. */
void gw_show_ask(struct gw_conn *conn);
void gw_hide_ask(struct gw_conn *conn);
/* Writes the records that are still owed. */
void gw_records_close(struct gw_conn *conn);

/* proxy.c, relay.c, tunnel.c */
enum gw_step gw_proxy_begin(struct gw_conn *conn);
enum gw_step gw_proxy_pass(struct gw_conn *conn);
enum gw_step gw_run_relay(struct gw_conn *conn);
enum gw_step gw_run_tunnel(struct gw_conn *conn);
uint64_t gw_proxy_deadline(const struct gw_proxy *proxy);
/* That deadline has come. */
void gw_proxy_overdue(struct gw_conn *conn);
/* Gives its leg back, to be closed if it has one still. */
void gw_proxy_free(struct gw_proxy **proxy);

#endif
