/* What must have come of each request once a world has run to its end. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "world.h"

/* Fails the world where a promise was not kept. */
void oracle_judge(struct world *world);

#endif
