/*
 * The inside of a pool, from the top down: pool.c, upconn.c (an upstream connection until it is connected), idle.c
 * (upstream connections that nobody has), upconn_io.c (a connected upstream connection), upconn_states.c, server.c
 * (which server).
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
	struct sockaddr_storage address; /* where it has one, not a name */
	struct upconn_list idle;         /* the one that was used last comes first */
	struct pool_use use;
	unsigned failures;                /* in a row */
	uint64_t down_until_ms;           /* 0: it does not rest */
	bool on_probation;                /* it has rested, and one upstream connection tries it */
	unsigned next_address;            /* of a name with several */
	struct tls_client_memory *memory; /* https servers only */
};

struct group {
	const struct config_upstream *config;
	struct pool *pool;
	struct tls_client_context *tls; /* NULL: no server needs it */
	struct server *servers;
	unsigned first; /* where the next search begins, so that equals have their turns */
};

struct pool {
	struct pool_setup setup;
	struct resolver *resolver; /* NULL: no server has a name */
	struct group *groups;      /* as many as config->upstreams */
	size_t upconns;            /* idle ones, too */
	ev_timer idle_timer;
	uint64_t idle_armed_ms; /* when it fires; THAW_NEVER: it does not run */
};

enum upconn_state {
	UPCONN_NEW,         /* no server is being tried */
	UPCONN_NAMING,      /* its server's name is looked up */
	UPCONN_CONNECTING,  /* the connection is being made */
	UPCONN_HANDSHAKING, /* TLS */
	UPCONN_READY,       /* a request has it */
	UPCONN_IDLE,        /* nobody has */
	UPCONN_FAILED,      /* no server could be reached */
	UPCONN_STATES
};

struct gw_upconn {
	struct group *group;
	struct server *server; /* that it is of, or was last; NULL: none yet */
	enum upconn_state state;
	bool counted;      /* among the server's that are in use */
	bool on_probation; /* it is the one that tries a server which has rested */
	bool used;         /* it has served a request before */
	bool heard;        /* the server has sent something for this request */
	bool blameless;    /* the attempt failed for want of something of ours */
	int fd;            /* -1: none */
	ev_io io;
	ev_timer timer;       /* of the attempt; when ready: wakes at once */
	uint64_t deadline_ms; /* of the attempt */
	struct resolve_wait naming;
	struct resolved *found; /* of the server's name; NULL: the server's own address */
	size_t at;              /* which address is tried */
	struct tls_client *tls;
	bool read_wants_write, write_wants_read, closing; /* what TLS waits for; its close_notify is not out */
	bool want_read, want_write;
	void (*wake)(void *arg);
	void *arg;
	struct thaw_error err; /* of the last attempt */
	unsigned put;          /* the loop's iteration in which it came to rest */
	uint64_t idle_until_ms;
	TAILQ_ENTRY(gw_upconn) idle;
	bool tried[]; /* one a server */
};

/* ---- server.c ---- */

/* The next server to try, which is counted as in use by upstream connection from now on. False: all were tried. */
bool server_choose(struct gw_upconn *upconn);
/* For an upstream connection that has no server yet, before it is made. */
struct server *server_best(struct group *group, const bool *tried);
void server_enter(struct server *server, struct gw_upconn *upconn);
void server_leave(struct gw_upconn *upconn);

void server_failed(struct server *server, const char *why);
void server_heard(struct server *server); /* it answers */
void server_well(struct server *server);  /* it has answered in full */

/* ---- upconn_states.c ---- */

/* The only writer of upconn->state. */
void upconn_enter(struct gw_upconn *upconn, enum upconn_state to);
/* The connection of one attempt, and what waits for it. */
void upconn_hang_up(struct gw_upconn *upconn);
/* In any state. */
void upconn_free(struct gw_upconn **upconn);

/* ---- upconn.c ---- */

/* For that server at first. NULL: no memory. */
struct gw_upconn *upconn_new(struct server *server);
void upconn_begin(struct gw_upconn *upconn);

/* ---- upconn_io.c ---- */

struct transport upconn_transport(struct gw_upconn *upconn);
void upconn_watch(struct gw_upconn *upconn, bool read, bool write);
void upconn_watch_events(struct gw_upconn *upconn, int events);
/* It is ready, and its socket is. */
void upconn_stir(struct gw_upconn *upconn);
/* An idle one, on which nothing has come that its next user would not expect. */
bool upconn_is_fit(struct gw_upconn *upconn);

/* ---- idle.c ---- */

void idle_init(struct pool *pool);
void idle_stop(struct pool *pool);
/* From ready to idle. */
void idle_put(struct gw_upconn *upconn);
/* Ready again; NULL: the server has none that can be used. */
struct gw_upconn *idle_take(struct server *server);
void idle_drop(struct gw_upconn *upconn);
/* Closes one, for its descriptor. False: there is none. */
bool idle_spare(struct pool *pool);

#endif
