/* What the files of the watch share. */
#ifndef SIM_WATCH_INSIDE_H
#define SIM_WATCH_INSIDE_H

#include "watch.h"

/* Call it after each step of the server: checks bounds. */
void watch_h2_step(struct world *world, struct sim_conn *conn);
/* Whether streams wait although nobody withholds anything. */
bool watch_h2_waits(const struct world *world, const struct sim_conn *conn);

#endif
