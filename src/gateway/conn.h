/*
 * The inside of a connection, shared by the files that run it:
 *
 *	conn.c     the driver: states, deadlines, handshake, idle, linger
 *	request.c  from a head to its route, its ask, its verdict
 *	body.c     the body's bytes: framing, draining, passing on
 *	answer.c   replies, refusals, access records, and the ask after a response
 *
 * A connection holds a struct gw_request only while there is a request, so that an idle one costs little besides its
 *SSL.
 */
#ifndef GATEWAY_CONN_H
#define GATEWAY_CONN_H

#include <sys/socket.h>

#include "base/pace.h"
#include "gateway/conn_states.h"
#include "gateway/gateway.h"
#include "gateway/input.h"
#include "gateway/problem.h"
#include "gateway/record.h"
#include "gateway/route.h"
#include "gateway/upstream.h"
#include "http/chunked.h"
#include "tls/server.h"

#define GW_WORK_MAX     262144 /* bytes moved in one step, before others have their turn */
#define GW_BODY_IDLE_MS 60000  /* of a body that is awaited before its client is asked */
#define GW_LINGER_MS    60000  /* the whole lingering read */
#define GW_LINGER_BYTES (UINT64_C(1) << 30)

struct gateway {
	const struct config *config;
	struct gateway_env env;
	struct gw_routes routes;
	struct tls_server *tls;
	char scratch[GW_REST_ROOM]; /* for reads of which it is not known whether anything will come */
};

/* The bytes of a body as they come out of `in`, whatever its framing. */
struct gw_body {
	enum http_framing framing;
	uint64_t left; /* of a Content-Length: not yet come */
	struct http_chunked chunked;
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
	bool cut_off;      /* the client has sent its close_notify */
	bool recorded;     /* the access record is written, or handed to the ask that follows */
	struct gw_record_ask story;
	const struct thaw_identity *identity; /* that the request runs under; the connection's */
	const struct gw_upstream_ops *ops;
	void *upstream;
	unsigned status; /* of the response; 0: none */
	const char *note;
	uint64_t body_out;
};

struct gw_conn {
	struct gateway *gateway;
	struct transport transport;
	bool has_peer;
	struct sockaddr_storage peer;
	struct tls_link *tls;
	thaw_conn *ask;
	enum gw_state state;
	struct pace pace;
	uint64_t now_ms;
	size_t work; /* bytes moved in this step */
	bool retiring;
	struct gw_wants wants;
	struct gw_request *request;
	struct {
		char *bytes; /* owned; NULL: nothing to write */
		size_t at, len;
	} out;
	bool close_after; /* the connection ends with this response */
	/* the ask that followed a response: its record waits for the verdict, and later requests for its outcome */
	struct {
		bool pending;
		json_t *record;
		const thaw_trust *trust; /* whose ask was refused last; NULL: none */
		enum thaw_verdict verdict;
		enum thaw_reason reason;
		char detail[128];
	} after;
	uint64_t linger_left, linger_end_ms;
	struct thaw_error err;
};

enum gw_step {
	GW_MOVED, /* something changed: look again */
	GW_WAIT,  /* conn->wants says for what */
	GW_AGAIN, /* enough work for one step */
};

/* conn.c */

/* The only writer of conn->state. */
void gw_enter(struct gw_conn *conn, enum gw_state to);
enum gw_step gw_wait_write(struct gw_conn *conn);
/* What a call that did not return THAW_OK means for waiting; GW_MOVED: the connection is over, and the state has
 * changed. */
enum gw_step gw_blocked(struct gw_conn *conn, enum thaw_status status);
/* THAW_OK: all of conn->out is written, and freed. */
enum thaw_status gw_flush(struct gw_conn *conn);
const struct gw_host *gw_conn_host(const struct gw_conn *conn);
void gw_say(const struct gateway *gateway, enum config_log_level level, const char *format, ...) THAW_PRINTF(3, 4);

/* request.c */
struct gw_request *gw_request_new(uint64_t now_ms); /* NULL: no memory */
void gw_request_free(struct gw_request **request);
/* The ask's story as it is now, for the access record. */
void gw_note_story(struct gw_conn *conn);
enum gw_step gw_run_head(struct gw_conn *conn);
enum gw_step gw_run_ask(struct gw_conn *conn);

/* body.c */
/* One piece of work on an asked request's body: into the spool. */
enum gw_step gw_drain(struct gw_conn *conn);
enum gw_step gw_run_pass(struct gw_conn *conn);

/* answer.c */

/* Refuses with a reply that ends the connection. */
enum gw_step gw_refuse(struct gw_conn *conn, enum gw_problem problem, const struct http_refusal *refusal);
enum gw_step gw_refuse_verdict(struct gw_conn *conn, enum thaw_verdict verdict, enum thaw_reason reason,
			       const char *detail);
/* Writes a 100 Continue, as far as can be done now; waiting to read waits for the rest, too. */
enum gw_step gw_continue(struct gw_conn *conn);
/* Takes over the reply's memory. */
enum gw_step gw_answer(struct gw_conn *conn, struct gw_reply *reply, bool close);
enum gw_step gw_run_reply(struct gw_conn *conn);
/* The connection is over without a response to the request under way. */
enum gw_step gw_abandon(struct gw_conn *conn, const char *note);
/* The ask after a response, if one is pending, has ended: see to its record. */
void gw_after_settle(struct gw_conn *conn);
/* Writes the records that are still owed. */
void gw_records_close(struct gw_conn *conn);

#endif
