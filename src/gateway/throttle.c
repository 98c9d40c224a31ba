#include "gateway/throttle.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "gateway/keyed.h"

#define SET_SIZE  8 /* words that a client can use: one cache line */
#define SETS      (THROTTLE_CLIENTS / SET_SIZE)
#define TRIES_MAX 16 /* if other workers change the same word; after that, the request is allowed */

/*
 * A word: the upper bits of the hash, of which the last is always 1; below them, the time at which the full burst is
 * available again, in units of 1/64 ms. The time wraps around after 198 days. 0: unused.
 */
#define STEPS_PER_MS 64
#define TIME_BITS    40
#define TIME_MASK    ((UINT64_C(1) << TIME_BITS) - 1)
#define TAG_MASK     (~TIME_MASK)
#define TAG_ONE      (UINT64_C(1) << TIME_BITS)
#define LONGEST      (THROTTLE_LONGEST_MS * STEPS_PER_MS)

typedef _Atomic uint64_t word;

_Static_assert(sizeof(word) == sizeof(uint64_t) && ATOMIC_LLONG_LOCK_FREE == 2, "shared by processes");
_Static_assert((SETS & (SETS - 1)) == 0, "a mask finds the set");
_Static_assert(SETS <= TAG_ONE, "the set and the tag are different bits of the hash");

/* Private to each process; does not change after the fork. */
struct throttle {
	word *words; /* shared: SETS times SET_SIZE */
	struct keyed_secret secret;
};

#define MAP_SIZE (SETS * SET_SIZE * sizeof(word))

struct throttle *throttle_new(void)
{
	struct throttle *throttle = calloc(1, sizeof(*throttle));

	if (throttle == NULL)
		return NULL;
	void *map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	throttle->words = map != MAP_FAILED ? map : NULL;
	if (throttle->words == NULL ||
	    getrandom(&throttle->secret, sizeof(throttle->secret), 0) != (ssize_t)sizeof(throttle->secret))
		throttle_free(&throttle);
	return throttle;
}

void throttle_free(struct throttle **throttle)
{
	if (*throttle != NULL && (*throttle)->words != NULL)
		(void)munmap((*throttle)->words, MAP_SIZE);
	free(*throttle);
	*throttle = NULL;
}

static void add_text(const struct keyed_secret *secret, uint64_t *hash, const char *text)
{
	keyed_add(secret, hash, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static bool hash_of(const struct throttle *throttle, const struct throttle_client *client, uint64_t *hash)
{
	const struct keyed_secret *secret = &throttle->secret;

	*hash = secret->start;
	if (!keyed_add_address(secret, hash, client->address))
		return false;
	add_text(secret, hash, client->host);
	add_text(secret, hash, client->path);
	add_text(secret, hash, client->method);
	return true;
}

static uint64_t time_of(uint64_t now_ms)
{
	return now_ms * STEPS_PER_MS & TIME_MASK;
}

/* The time until the full burst is available again; 0: it is available. */
static uint64_t left_of(uint64_t value, uint64_t now_ms)
{
	uint64_t left = (value - time_of(now_ms)) & TIME_MASK;

	return value != 0 && left <= LONGEST ? left : 0;
}

/* Returns the client's own word, or else the word whose time ends first. *seen: its value. */
static word *choose(word *set, uint64_t tag, uint64_t now_ms, uint64_t *seen)
{
	word *first = set;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < SET_SIZE; i++) {
		uint64_t value = atomic_load_explicit(&set[i], memory_order_relaxed);
		uint64_t left = left_of(value, now_ms);
		if ((value & TAG_MASK) == tag) {
			*seen = value;
			return &set[i];
		}
		if (left < least) {
			first = &set[i];
			least = left;
			*seen = value;
		}
	}
	return first;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool throttle_take(struct throttle *throttle, const struct throttle_client *client, const struct throttle_rate *rate,
		   uint64_t now_ms, uint64_t *wait_ms)
{
	uint64_t hash = 0, each = rate->period_ms * STEPS_PER_MS / rate->requests;
	uint64_t whole = less(each * rate->burst, LONGEST), room = whole > each ? whole - each : 0;

	*wait_ms = 0;
	if (throttle == NULL || !hash_of(throttle, client, &hash))
		return true;
	word *set = &throttle->words[(hash & (SETS - 1)) * SET_SIZE];
	uint64_t tag = (hash & TAG_MASK) | TAG_ONE;
	for (int i = 0; i < TRIES_MAX; i++) {
		uint64_t seen = 0;
		word *at = choose(set, tag, now_ms, &seen);
		/* At most the burst: the configuration may have had a slower rate before. */
		uint64_t left = (seen & TAG_MASK) == tag ? less(left_of(seen, now_ms), whole) : 0;
		if (left > room) {
			*wait_ms = (left - room + STEPS_PER_MS - 1) / STEPS_PER_MS;
			return false;
		}
		uint64_t next = tag | ((time_of(now_ms) + left + each) & TIME_MASK);
		if (atomic_compare_exchange_strong_explicit(at, &seen, next, memory_order_relaxed,
							    memory_order_relaxed))
			return true;
	}
	return true;
}
