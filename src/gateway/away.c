#include "gateway/away.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "gateway/keyed.h"

#define SET_SIZE 8 /* words in a set: one cache line */
#define SETS     2048
#define TRUST_ID 32

/*
 * A word: the upper bits of the hash, the last of them always 1; below, the end of the note in steps of
 * AWAY_STEP_MS, which wraps around after 12 days. 0: empty.
 */
#define TIME_BITS 24
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define TAG_MASK  (~TIME_MASK)
#define TAG_ONE   (UINT64_C(1) << TIME_BITS)
#define LONGEST   (AWAY_LONGEST_MS / AWAY_STEP_MS) /* steps */

typedef _Atomic uint64_t word;

_Static_assert(sizeof(word) == sizeof(uint64_t) && ATOMIC_LLONG_LOCK_FREE == 2, "shared by processes");
_Static_assert((SETS & (SETS - 1)) == 0, "a mask finds the set");

/* Private to each process; not changed after the fork. */
struct away {
	word *words; /* shared: SETS times SET_SIZE */
	struct keyed_secret secret;
};

#define MAP_SIZE (SETS * SET_SIZE * sizeof(word))

struct away *away_new(void)
{
	struct away *away = calloc(1, sizeof(*away));

	if (away == NULL)
		return NULL;
	void *map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	away->words = map != MAP_FAILED ? map : NULL;
	if (away->words == NULL || getrandom(&away->secret, sizeof(away->secret), 0) != (ssize_t)sizeof(away->secret))
		away_free(&away);
	return away;
}

void away_free(struct away **away)
{
	if (*away != NULL && (*away)->words != NULL)
		(void)munmap((*away)->words, MAP_SIZE);
	free(*away);
	*away = NULL;
}

/* ---- whom it is about ---- */

static bool hash_of(const struct away *away, const struct away_client *client, uint64_t *hash)
{
	uint8_t kind = (uint8_t)client->kind;

	*hash = away->secret.start;
	if (!keyed_add_address(&away->secret, hash, client->address))
		return false;
	keyed_add(&away->secret, hash, client->name, strlen(client->name));
	keyed_add(&away->secret, hash, &kind, 1);
	keyed_add(&away->secret, hash, thaw_trust_id(client->trust), TRUST_ID);
	return true;
}

/* ---- words ---- */

static word *set_of(const struct away *away, uint64_t hash)
{
	return &away->words[(hash & (SETS - 1)) * SET_SIZE];
}

static uint64_t tag_of(uint64_t hash)
{
	return (hash & TAG_MASK) | TAG_ONE;
}

static uint64_t time_of(uint64_t now_ms)
{
	return now_ms / AWAY_STEP_MS & TIME_MASK;
}

/* The remaining steps; 0: expired or empty. */
static uint64_t left_of(uint64_t value, uint64_t now_ms)
{
	uint64_t left = (value - time_of(now_ms)) & TIME_MASK;

	return value != 0 && left <= LONGEST ? left : 0;
}

static word *find(word *set, uint64_t tag)
{
	for (size_t i = 0; i < SET_SIZE; i++)
		if ((atomic_load_explicit(&set[i], memory_order_relaxed) & TAG_MASK) == tag)
			return &set[i];
	return NULL;
}

/* The note that expires first. */
static word *first_to_end(word *set, uint64_t now_ms)
{
	word *first = set;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < SET_SIZE; i++) {
		uint64_t left = left_of(atomic_load_explicit(&set[i], memory_order_relaxed), now_ms);
		if (left < least) {
			first = &set[i];
			least = left;
		}
	}
	return first;
}

/* If two workers choose the same place at the same time, one loses its note. */
static void put(word *at, uint64_t hash, uint64_t now_ms, uint64_t left)
{
	atomic_store_explicit(at, tag_of(hash) | ((time_of(now_ms) + left) & TIME_MASK), memory_order_relaxed);
}

static uint64_t steps_of(uint64_t ms)
{
	return ms < AWAY_LONGEST_MS ? ms / AWAY_STEP_MS + 1 : LONGEST; /* rounded up to a whole step */
}

bool away_note(struct away *away, const struct away_client *client, uint64_t now_ms, uint64_t for_ms)
{
	uint64_t hash = 0, left = steps_of(for_ms);

	if (away == NULL || !hash_of(away, client, &hash))
		return false;
	word *set = set_of(away, hash), *at = find(set, tag_of(hash));
	if (at == NULL)
		at = first_to_end(set, now_ms);
	else if (left < left_of(atomic_load_explicit(at, memory_order_relaxed), now_ms))
		return true;
	put(at, hash, now_ms, left);
	return true;
}

void away_answered(struct away *away, const struct away_client *client, uint64_t now_ms)
{
	uint64_t hash = 0, left = steps_of(TLS_AWAY_MS);

	if (away == NULL || !hash_of(away, client, &hash))
		return;
	word *at = find(set_of(away, hash), tag_of(hash));
	if (at != NULL && left_of(atomic_load_explicit(at, memory_order_relaxed), now_ms) > left)
		put(at, hash, now_ms, left);
}

bool away_look(const struct away *away, const struct away_client *client, uint64_t now_ms)
{
	uint64_t hash = 0;

	if (away == NULL || !hash_of(away, client, &hash))
		return false;
	const word *at = find(set_of(away, hash), tag_of(hash));
	return at != NULL && left_of(atomic_load_explicit(at, memory_order_relaxed), now_ms) > 0;
}
