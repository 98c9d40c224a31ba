/*
 * The internals of a pool, from the top down: pool.c, upconn.c (an upstream connection until it is connected), idle.c
 * (idle upstream connections), upconn_io.c (a connected upstream connection), upconn_states.c, server.c (the choice of
 * a server).
 */
#ifndef LOOP_SERVER_H
#define LOOP_SERVER_H

#include <sys/queue.h>

#include "loop/pool.h"
#include "loop/resolve.h"
#include "tls/client.h"

TAILQ_HEAD(upconn_list, gw_upconn);

struct server {
	const struct config_server *config;
	struct group *group;
	struct sockaddr_storage address; /* not used if the server has a name */
	struct upconn_list idle;         /* the last used one comes first */
	struct pool_use use;
	unsigned failures;                /* in a row */
	uint64_t down_until_ms;           /* marked down until then; 0: it is not */
	bool on_probation;                /* it was marked down, and one upstream connection tries it */
	unsigned next_address;            /* for a name with several addresses: counts the look-ups */
	struct tls_client_memory *memory; /* for https servers only */
};

struct group {
	const struct config_upstream *config;
	struct pool *pool;
	struct tls_client_context *tls; /* NULL: no server needs it */
	struct server *servers;
	unsigned first; /* index where the next search begins, so that equal servers take turns */
};

struct pool {
	struct pool_setup setup;
	struct resolver *resolver; /* NULL: no server has a name */
	struct group *groups;      /* one for each of config->upstreams */
	size_t upconns;            /* all upstream connections, also idle ones */
	ev_timer idle_timer;
	uint64_t idle_armed_ms; /* when the timer fires; THAW_NEVER: it is stopped */
};

enum upconn_state {
	UPCONN_NEW,         /* no attempt is under way */
	UPCONN_NAMING,      /* looking up the server's name */
	UPCONN_CONNECTING,  /* connecting the socket */
	UPCONN_HANDSHAKING, /* in the TLS handshake */
	UPCONN_READY,       /* a request uses it */
	UPCONN_IDLE,        /* no request uses it */
	UPCONN_FAILED,      /* no server could be reached */
	UPCONN_STATES
};

struct gw_upconn {
	struct group *group;
	struct server *server; /* its server, or its last one; NULL: none yet */
	enum upconn_state state;
	bool counted;      /* counted in use.in_use of the server */
	bool on_probation; /* it tries a server that was marked down */
	bool used;         /* it has served an earlier request */
	bool heard;        /* the server has sent something for this request */
	bool blameless;    /* the attempt failed because of this side, not because of the server */
	int fd;            /* -1: none */
	ev_io io;
	ev_timer timer;       /* for the attempt; in state ready: wakes at once */
	uint64_t deadline_ms; /* for the attempt */
	struct resolve_wait naming;
	struct resolved *found; /* addresses of the server's name; NULL: use server->address */
	size_t at;              /* index of the address that is tried */
	struct tls_client *tls;
	bool read_wants_write, write_wants_read, closing; /* TLS waits for; closing: close_notify not sent yet */
	bool want_read, want_write;
	void (*wake)(void *arg);
	void *arg;
	struct thaw_error err; /* the error of the last attempt */
	unsigned put;          /* the loop's iteration in which it became idle */
	uint64_t idle_until_ms;
	TAILQ_ENTRY(gw_upconn) idle;
	bool tried[]; /* one per server */
};

/* ---- server.c ---- */

/* Chooses the next server to try, and counts the upstream connection as in use there. False: all were tried. */
bool server_choose(struct gw_upconn *upconn);
/* Returns the best server that was not tried; tried NULL: none was. NULL: all were tried. */
struct server *server_best(struct group *group, const bool *tried);
void server_enter(struct server *server, struct gw_upconn *upconn);
void server_leave(struct gw_upconn *upconn);

void server_failed(struct server *server, const char *why);
void server_heard(struct server *server); /* it has sent the first bytes of a response */
void server_well(struct server *server);  /* it has sent a complete response */

/* ---- upconn_states.c ---- */

/* The only writer of upconn->state. */
void upconn_enter(struct gw_upconn *upconn, enum upconn_state to);
/* Closes the connection of one attempt, and stops its watchers. */
void upconn_hang_up(struct gw_upconn *upconn);
/* Allowed in any state. */
void upconn_free(struct gw_upconn **upconn);

/* ---- upconn.c ---- */

/* The first attempt is for that server. NULL: out of memory. */
struct gw_upconn *upconn_new(struct server *server);
void upconn_begin(struct gw_upconn *upconn);

/* ---- upconn_io.c ---- */

struct transport upconn_transport(struct gw_upconn *upconn);
void upconn_watch(struct gw_upconn *upconn, bool read, bool write);
void upconn_watch_events(struct gw_upconn *upconn, int events);
/* Call this in state ready, when its socket is ready. */
void upconn_stir(struct gw_upconn *upconn);
/* Returns whether an idle connection can be used: it is open, and no unexpected bytes have arrived. */
bool upconn_is_fit(struct gw_upconn *upconn);

/* ---- idle.c ---- */

void idle_init(struct pool *pool);
void idle_stop(struct pool *pool);
/* Moves it from ready to idle. */
void idle_put(struct gw_upconn *upconn);
/* Moves an idle one back to ready, and returns it. NULL: the server has none that can be used. */
struct gw_upconn *idle_take(struct server *server);
void idle_drop(struct gw_upconn *upconn);
/* Closes an idle one, to free its descriptor. False: there is none. */
bool idle_spare(struct pool *pool);

#endif
