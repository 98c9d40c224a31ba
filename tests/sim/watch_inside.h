/* What the files of the watch share. */
#ifndef SIM_WATCH_INSIDE_H
#define SIM_WATCH_INSIDE_H

#include "watch.h"

/* After each step of the server: bounds. */
void watch_h2_step(struct world *world, struct sim_conn *conn);
/* Streams wait although no one withholds anything. */
bool watch_h2_waits(const struct world *world, const struct sim_conn *conn);

#endif
