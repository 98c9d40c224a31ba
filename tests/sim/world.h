/*
 * The world: a virtual clock, the connections of a scenario, and the check that nothing ever freezes. It moves from one
 * event to the next: first everything happens that is possible now; then the clock jumps to the next arrival, client
 * timer or server deadline.
 *
 * While it runs, it checks what must hold at every moment; oracle.h checks the result of each request.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <netinet/in.h>

#include "client.h"
#include "origin.h"
#include "server.h"
#include "spool/file.h"
#include "thaw/spool.h"

#define WORLD_RECORDS 24 /* access records of one connection */

struct world;

struct sim_conn {
	struct world *world;
	unsigned index;
	struct duplex duplex;
	struct client client;
	void *server;   /* NULL: not accepted yet, or closed */
	bool sent_away; /* it follows a stream that was reset with HTTP_1_1_REQUIRED, and is asked in its handshake */
	bool accepted, stepped, woken;
	struct gw_wants wants;
	struct sockaddr_in address;
	uint64_t retire_us;    /* SIM_NEVER: never, or done */
	uint64_t dismiss_us;   /* the same */
	uint64_t bound_us;     /* everything must have a result by then */
	char ask_state[16];    /* state of the ask */
	char conn_state[16];   /* state of the connection */
	unsigned asks;         /* how many asks went beyond deciding */
	uint64_t steps, moved; /* steps of the server, and duplex_moved() at the last one */
	unsigned idle_steps;   /* server steps at one instant without a byte moved */
	unsigned idle_turns;   /* client steps at one instant without a byte moved */
	json_t *records[WORLD_RECORDS];
	unsigned record_count;
};

struct world {
	const struct scenario *scenario;
	const struct server_ops *ops;
	void *server;
	uint64_t now_us;
	struct rng order;
	struct thaw_quota_limits limits;
	struct spool_file_ops files;
	thaw_quota *quota;
	thaw_store *store;
	struct sim_conn conns[SCENARIO_CONNS];
	struct origin origin;
	struct sim_conn *current; /* the connection whose server is being stepped */
	bool trace;
	bool failed, frozen;
	char failure[512];
	char last_message[256];
	uint64_t events;
	uint64_t memory_most, disk_most;
};

/* Runs a scenario to its end, or to the first failure: see failed, frozen, failure. Free the world in any case. */
void world_run(struct world *world, const struct scenario *scenario, bool trace);
void world_free(struct world *world);

void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
