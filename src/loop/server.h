/*
 * The inside of a pool, from the top down: pool.c, leg.c (a leg until it is connected), idle.c (legs that nobody has),
 * wire.c (a connected leg), leg_states.c, server.c (which server).
 */
#ifndef LOOP_SERVER_H
#define LOOP_SERVER_H

#include <sys/queue.h>

#include "loop/pool.h"
#include "loop/resolve.h"
#include "tls/client.h"

TAILQ_HEAD(leg_list, gw_leg);

struct server {
	const struct config_server *config;
	struct group *group;
	struct sockaddr_storage address; /* where it has one, not a name */
	struct leg_list idle;            /* the one that was used last comes first */
	struct pool_use use;
	unsigned failures;                /* in a row */
	uint64_t rests_until_ms;          /* 0: it does not rest */
	bool on_trial;                    /* it has rested, and one leg tries it */
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
	size_t legs;               /* idle ones, too */
	ev_timer idle_timer;
	uint64_t idle_armed_ms; /* when it fires; THAW_NEVER: it does not run */
};

enum leg_state {
	LEG_NEW,        /* no server is being tried */
	LEG_NAMING,     /* its server's name is looked up */
	LEG_CONNECTING, /* the connection is being made */
	LEG_SHAKING,    /* TLS */
	LEG_READY,      /* a request has it */
	LEG_IDLE,       /* nobody has */
	LEG_FAILED,     /* no server could be reached */
	LEG_STATES
};

struct gw_leg {
	struct group *group;
	struct server *server; /* that it is of, or was last; NULL: none yet */
	enum leg_state state;
	bool counted;   /* among the server's that are in use */
	bool on_trial;  /* it is the one that tries a server which has rested */
	bool used;      /* it has served a request before */
	bool heard;     /* the server has sent something for this request */
	bool blameless; /* the attempt failed for want of something of ours */
	int fd;         /* -1: none */
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
	TAILQ_ENTRY(gw_leg) idle;
	bool tried[]; /* one a server */
};

/* ---- server.c ---- */

/* The next server to try, which is counted as in use by leg from now on. False: all were tried. */
bool server_choose(struct gw_leg *leg);
/* For a leg that has no server yet, before it is made. */
struct server *server_best(struct group *group, const bool *tried);
void server_enter(struct server *server, struct gw_leg *leg);
void server_leave(struct gw_leg *leg);

void server_failed(struct server *server, const char *why);
void server_heard(struct server *server); /* it answers */
void server_well(struct server *server);  /* it has answered in full */

/* ---- leg_states.c ---- */

/* The only writer of leg->state. */
void leg_enter(struct gw_leg *leg, enum leg_state to);
/* The connection of one attempt, and what waits for it. */
void leg_hang_up(struct gw_leg *leg);
/* In any state. */
void leg_free(struct gw_leg **leg);

/* ---- leg.c ---- */

/* For that server at first. NULL: no memory. */
struct gw_leg *leg_new(struct server *server);
void leg_begin(struct gw_leg *leg);

/* ---- wire.c ---- */

struct transport leg_transport(struct gw_leg *leg);
void leg_watch(struct gw_leg *leg, bool read, bool write);
void leg_watch_events(struct gw_leg *leg, int events);
/* It is ready, and its socket is. */
void leg_stir(struct gw_leg *leg);
/* An idle one, on which nothing has come that its next user would not expect. */
bool leg_is_fit(struct gw_leg *leg);

/* ---- idle.c ---- */

void idle_init(struct pool *pool);
void idle_stop(struct pool *pool);
/* From ready to idle. */
void idle_put(struct gw_leg *leg);
/* Ready again; NULL: the server has none that can be used. */
struct gw_leg *idle_take(struct server *server);
void idle_drop(struct gw_leg *leg);
/* Closes one, for its descriptor. False: there is none. */
bool idle_spare(struct pool *pool);

#endif
