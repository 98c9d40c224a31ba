/* Random numbers that depend only on a seed (splitmix64). */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15U;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

/* From low to high, inclusive. */
static inline uint64_t rng_range(struct rng *rng, uint64_t low, uint64_t high)
{
	return low + rng_next(rng) % (high - low + 1);
}

/* True with a probability of percent %. */
static inline bool rng_chance(struct rng *rng, unsigned percent)
{
	return rng_next(rng) % 100 < percent;
}

/* From 0 to high; small numbers are as likely as large ones, because the number of bits is chosen first. */
static inline uint64_t rng_skewed(struct rng *rng, uint64_t high)
{
	uint64_t n = rng_next(rng) >> rng_range(rng, 0, 63);
	return high == 0 ? 0 : n % (high + 1);
}

static inline void rng_fill(struct rng *rng, unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = rng_next(rng);
		for (size_t k = 0; k < sizeof(word) && i + k < len; k++)
			data[i + k] = (unsigned char)(word >> (8 * k));
	}
}

#endif
