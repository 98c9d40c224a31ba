/* What the files share that make scenarios from seeds. */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include "rng.h"
#include "scenario.h"

static inline uint64_t pick(struct rng *rng, const uint64_t *values, size_t count)
{
	return values[rng_range(rng, 0, count - 1)];
}
#define PICK(rng, ...) \
	pick(rng, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

struct relay_limits random_relay(struct rng *rng);
/* A server behind the gateway, fast enough that it never causes a timeout. */
void random_origin(struct rng *rng, struct scenario *scenario);

#endif
