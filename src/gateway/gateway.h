/*
 * The gateway's outer face: one struct gateway for a process, one struct gw_conn for a connection.
 * No I/O of its own: a connection is handed a transport and the time, and says what it waits for.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/trace.h"
#include "base/transport.h"
#include "config/config.h"
#include "gateway/leg.h"
#include "thaw/thaw.h"

struct sockaddr;
struct away;
struct throttle;
struct board_worker;
struct gateway;
struct gw_conn;

struct gateway_env {
	thaw_store *store; /* borrowed */
	struct gw_legs legs;
	struct board_worker *board; /* NULL: nobody wants to see */
	struct away *away;          /* borrowed; NULL: nobody is noted */
	struct throttle *throttle;  /* borrowed; NULL: requests are not counted */
	struct trace trace;
	/* One access record, with its newline; NULL: dropped. */
	void (*access)(void *arg, const char *line, size_t len);
	/* One message for the operator, without a newline; NULL: dropped. The receiver filters by level. */
	void (*message)(void *arg, enum config_log_level level, const char *text);
	void *log_arg;
	/* The answer to an ACME challenge: the file of that token below the folder. *len: its bytes, at most room.
	 * THAW_CLOSED: there is none. NULL: there are no files. */
	enum thaw_status (*challenge)(const char *webroot, const char *token, char *out, size_t room, size_t *len,
				      struct thaw_error *err);
	/* Milliseconds since 1970 of the moment at which the monotonic clock shows 0: for log times. */
	int64_t wall_offset_ms;
};

/* config is borrowed and outlives the gateway. Reads certificates, keys and CAs: any failure is *err and NULL. */
struct gateway *gateway_new(const struct config *config, const struct gateway_env *env, struct thaw_error *err);
void gateway_free(struct gateway **gateway);

/* What is allowed and does something other than one may expect. say gets each as a text, once. */
typedef void gateway_say_fn(void *arg, const char *text);
void gateway_warnings(const struct gateway *gateway, gateway_say_fn *say, void *arg);

/* After fork: the worker's own store and logs. */
void gateway_set_env(struct gateway *gateway, const struct gateway_env *env);

/* After fork: this process's socket to the signer (tls/signer.h); borrowed. */
void gateway_set_signer(struct gateway *gateway, int fd);

/* A turn of the event loop begins. */
void gateway_turn(struct gateway *gateway);

/*
 * Messages that peers cause are written at a limited rate: this says how many were left out, of each kind whose time
 * has come, or of all. When it is due again; THAW_NEVER: nothing was left out.
 */
uint64_t gateway_sum_up(struct gateway *gateway, uint64_t now_ms, bool all);

/* What a connection waits for. When dead, free it; when again, step it again soon, before sleeping. */
struct gw_wants {
	bool read, write, again, dead;
	uint64_t deadline_ms;
};

/*
 * NULL: no memory; little is needed until something comes. peer: the client's address, copied; NULL: unnamed. preface:
 * a load balancer says the client's address first (the PROXY protocol); a connection that does not begin so is ended.
 */
struct gw_conn *gw_conn_new(struct gateway *gateway, struct transport transport, const struct sockaddr *peer,
			    bool preface, uint64_t now_ms);

/* Before the first step: it came to that listener, an index in config->listens, which may be one without TLS. */
void gw_conn_from(struct gw_conn *conn, size_t listener);

/* Does all that can be done without waiting (up to a bounded amount of work). Call when the transport is ready, or the
 * deadline has come. */
struct gw_wants gw_conn_step(struct gw_conn *conn, uint64_t now_ms);

/*
 * wake is called when gw_conn_step() is due: for what an upstream has done, or because the request was ended to make
 * room in the spool. It may be called from within a step of another connection.
 */
void gw_conn_on_wake(struct gw_conn *conn, void (*wake)(void *arg), void *arg);

/* The next step is not because of the transport: that was waited for to be readable, and has not become so. */
void gw_conn_quiet(struct gw_conn *conn);

/* No further request on this connection: it ends after the one under way (graceful stop). */
void gw_conn_retire(struct gw_conn *conn, uint64_t now_ms);

/*
 * The time for that is over: a request under way is answered now (503), or broken off where its response has begun.
 * Step it afterwards until it is dead.
 */
void gw_conn_dismiss(struct gw_conn *conn, uint64_t now_ms);

/* The time for reading that answer is over, too: writes the access record, and nothing else. Free it afterwards. */
void gw_conn_end(struct gw_conn *conn, uint64_t now_ms);

/* What a connection waits for: by that, one may be closed so that another can be taken. */
enum gw_phase {
	GW_PHASE_UNNAMED, /* for the PROXY protocol's header */
	GW_PHASE_SILENT,  /* for the first byte of TLS */
	GW_PHASE_HANDSHAKE,
	GW_PHASE_IDLE, /* for a request, or the rest of its head */
	GW_PHASE_BUSY, /* a request is under way, or an ask */
};
/* *since_ms: since when it waits, unless it is busy. */
enum gw_phase gw_conn_phase(const struct gw_conn *conn, uint64_t *since_ms);

/* The client's address. NULL: it has none, or it is not known, as before the PROXY protocol's header is read. */
const struct sockaddr *gw_conn_client(const struct gw_conn *conn);

/* Ends it at once, so that another can be taken: as far as that can be done without waiting, a request that has begun
 * is answered (503), and TLS is ended. The next step says that it is dead. */
void gw_conn_evict(struct gw_conn *conn, uint64_t now_ms);

void gw_conn_free(struct gw_conn **conn);

#endif
