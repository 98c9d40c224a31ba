/*
 * The gateway's public interface: one struct gateway per process, one struct gw_conn per connection. It does no I/O:
 * a connection is given a transport and the time, and returns what it waits for.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/trace.h"
#include "base/transport.h"
#include "config/config.h"
#include "gateway/upconn.h"
#include "thaw/thaw.h"

struct sockaddr;
struct away;
struct throttle;
struct scoreboard_worker;
struct gateway;
struct gw_conn;

struct gateway_env {
	thaw_store *store; /* borrowed */
	struct gw_upconns upconns;
	struct scoreboard_worker *scoreboard; /* NULL: no scoreboard */
	struct away *away;                    /* borrowed; NULL: no notes are made */
	struct throttle *throttle;            /* borrowed; NULL: requests are not counted */
	struct trace trace;
	/* One access record with its newline; NULL: discarded. */
	void (*access)(void *arg, const char *line, size_t len);
	/* One message for the log, without a newline; NULL: discarded. The receiver filters by level. */
	void (*message)(void *arg, enum config_log_level level, const char *text);
	void *log_arg;
	/* The response to an ACME challenge: the file with that token below the folder. *len: its length, at most
	 * room. THAW_CLOSED: not found. NULL: no files. */
	enum thaw_status (*challenge)(const char *webroot, const char *token, char *out, size_t room, size_t *len,
				      struct thaw_error *err);
	/* Milliseconds since 1970 when the monotonic clock is 0; for log times. */
	int64_t wall_offset_ms;
};

/* config is borrowed and must outlive the gateway. Loads certificates, keys and CAs. NULL with *err set on any
 * failure. */
struct gateway *gateway_new(const struct config *config, const struct gateway_env *env, struct thaw_error *err);
void gateway_free(struct gateway **gateway);

/* Settings that are allowed, but may have unexpected effects. say is called once for each, with a text. */
typedef void gateway_say_fn(void *arg, const char *text);
void gateway_warnings(const struct gateway *gateway, gateway_say_fn *say, void *arg);

/* After the fork: the worker's own store and logs. */
void gateway_set_env(struct gateway *gateway, const struct gateway_env *env);

/*
 * Messages that clients can cause are rate-limited. This reports how many were suppressed, for each kind that is
 * due, or for all. Returns when it is due next; THAW_NEVER: nothing was suppressed.
 */
uint64_t gateway_sum_up(struct gateway *gateway, uint64_t now_ms, bool all);

/* What a connection waits for. If dead, free it; if again, step it again soon, before sleeping. */
struct gw_wants {
	bool read, write, again, dead;
	uint64_t deadline_ms;
};

/*
 * NULL: out of memory; little is needed before data arrives. peer: the client's address, copied; NULL: unknown.
 * preface: a PROXY protocol header comes first; without it the connection is closed.
 */
struct gw_conn *gw_conn_new(struct gateway *gateway, struct transport transport, const struct sockaddr *peer,
			    bool preface, uint64_t now_ms);

/* Call before the first step: the listener, as an index into config->listens; it may be one without TLS. */
void gw_conn_from(struct gw_conn *conn, size_t listener);

/* Does everything that is possible without waiting, up to a limit of work. Call when the transport is ready or the
 * deadline has passed. */
struct gw_wants gw_conn_step(struct gw_conn *conn, uint64_t now_ms);

/*
 * wake is called when gw_conn_step() is due because of an upstream, or because the request lost its spool space. It
 * may be called within a step of another connection.
 */
void gw_conn_on_wake(struct gw_conn *conn, void (*wake)(void *arg), void *arg);

/* The next step is not caused by the transport: it was waited for to be readable, and is not. */
void gw_conn_quiet(struct gw_conn *conn);

/* Graceful stop: closes the connection after the current request. */
void gw_conn_retire(struct gw_conn *conn, uint64_t now_ms);

/*
 * The time for that is over: the current request is answered with 503, or aborted if its response has begun. Step it
 * until it is dead.
 */
void gw_conn_dismiss(struct gw_conn *conn, uint64_t now_ms);

/* The time for reading that response is over: only writes the access record. Free it afterwards. */
void gw_conn_end(struct gw_conn *conn, uint64_t now_ms);

/* What a connection waits for; determines which ones may be closed to make room. */
enum gw_phase {
	GW_PHASE_UNNAMED, /* for the PROXY protocol header */
	GW_PHASE_SILENT,  /* for the first byte of TLS */
	GW_PHASE_HANDSHAKE,
	GW_PHASE_IDLE, /* for a request, or for the rest of its head */
	GW_PHASE_BUSY, /* a request or an ask is in progress */
};
/* *since_ms: start of the wait, unless it is busy. */
enum gw_phase gw_conn_phase(const struct gw_conn *conn, uint64_t *since_ms);

/* The client's address. NULL: none, or unknown, as before the PROXY protocol header. */
const struct sockaddr *gw_conn_client(const struct gw_conn *conn);

/* Closes it at once to make room: without waiting, a started request is answered with 503, and TLS is ended. The
 * next step reports that it is dead. */
void gw_conn_evict(struct gw_conn *conn, uint64_t now_ms);

void gw_conn_free(struct gw_conn **conn);

#endif
