/* The checks that hold at every moment of a run: no freeze, budgets kept, no spinning. */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "world.h"

#define WORLD_START_MS 1000000U

/* Call it after each step of the server. */
void watch_step(struct world *world, struct sim_conn *conn);

/* Call it when nothing can happen before the clock moves. */
void watch_still(struct world *world, struct sim_conn *conn);

/* Call it when everything is over and all connections are freed. */
void watch_end(struct world *world);

/* When something happens on this connection next, by itself. */
uint64_t watch_next(const struct sim_conn *conn);

/* An upper bound for the time of a connection, from the deadlines of the settings and its relays. */
uint64_t watch_bound_us(const struct scenario *scenario, const struct conn_plan *plan);

#endif
