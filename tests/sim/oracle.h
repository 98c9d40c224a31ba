/* Checks the result of each request after a world has run to its end. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "world.h"

/* Fails the world if a promise was broken. */
void oracle_judge(struct world *world);

#endif
