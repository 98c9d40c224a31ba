/*
 * The layout of the scoreboard in memory. Only for scoreboard.c, scoreboard_count.c and scoreboard_view.c.
 *
 * A compromised worker can write any value to shared memory, and the master may be root. So the master keeps the data
 * that it needs in private memory (struct scoreboard); it publishes some of it, and reads none of it back. Readers of
 * shared words check every number that is used as an index, and terminate every text.
 */
#ifndef GATEWAY_SCOREBOARD_BLOCK_H
#define GATEWAY_SCOREBOARD_BLOCK_H

#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>

#include "gateway/scoreboard_view.h"

#define SCOREBOARD_WORDS(type) (sizeof(type) / sizeof(uint64_t))

typedef _Atomic uint64_t scoreboard_word;

/* ---- text that may be read during a write: a sequence word, which is odd during a write, and words of text ---- */

static inline void scoreboard_words_store(scoreboard_word *seq, scoreboard_word *to, const void *from, size_t words)
{
	uint64_t odd = atomic_load_explicit(seq, memory_order_relaxed) | 1;

	atomic_store_explicit(seq, odd, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < words; i++) {
		uint64_t word;
		memcpy(&word, (const char *)from + i * sizeof(word), sizeof(word));
		atomic_store_explicit(&to[i], word, memory_order_relaxed);
	}
	atomic_store_explicit(seq, odd + 1, memory_order_release);
}

/* False: the text was being written. */
static inline bool scoreboard_words_load(const scoreboard_word *seq, const scoreboard_word *from, void *to,
					 size_t words)
{
	uint64_t before = atomic_load_explicit(seq, memory_order_acquire);

	for (size_t i = 0; i < words; i++) {
		uint64_t word = atomic_load_explicit(&from[i], memory_order_relaxed);
		memcpy((char *)to + i * sizeof(word), &word, sizeof(word));
	}
	atomic_thread_fence(memory_order_acquire);
	return (before & 1) == 0 && atomic_load_explicit(seq, memory_order_relaxed) == before;
}

/* ---- a worker's block ---- */

struct scoreboard_ask_text {
	uint64_t began_ms, length;
	uint32_t means, moment;
	char client[SCOREBOARD_CLIENT_MAX], host[SCOREBOARD_HOST_MAX], path[SCOREBOARD_PATH_MAX];
};

struct scoreboard_ask_slot {
	scoreboard_word used, seq, drained, asked_ms;
	scoreboard_word text[SCOREBOARD_WORDS(struct scoreboard_ask_text)];
};

/* One time step of the verdicts' history. stamp: its number since 1970, plus 1; 0: being cleared, or unused. */
struct scoreboard_step {
	scoreboard_word stamp;
	scoreboard_word verdicts[SCOREBOARD_VERDICTS];
};

struct scoreboard_block {
	scoreboard_word sums[SCOREBOARD_WORDS(struct scoreboard_sums)];
	struct scoreboard_step steps[SCOREBOARD_STEPS];
	struct scoreboard_ask_slot asks[SCOREBOARD_ASKS];
	scoreboard_word servers[SCOREBOARD_SERVERS][SCOREBOARD_WORDS(struct scoreboard_server_sums)];
};

/* ---- what the master publishes ---- */

/* Separate from the block, so that looking for workers does not touch unused blocks. */
struct scoreboard_place {
	alignas(64) scoreboard_word taken; /* by the master */
	scoreboard_word configuration;     /* by the master */
	scoreboard_word pid, alive_ms;     /* by the worker; 0: not yet */
};

struct scoreboard_server_text {
	char upstream[SCOREBOARD_UPSTREAM_MAX], server[SCOREBOARD_SERVER_MAX];
};

struct scoreboard_server {
	scoreboard_word seq;
	scoreboard_word text[SCOREBOARD_WORDS(struct scoreboard_server_text)];
	scoreboard_word users; /* number of maps that contain it; if 0, its place may be reused */
};

struct scoreboard_refusal_slot {
	scoreboard_word used, seq;
	scoreboard_word words[SCOREBOARD_WORDS(struct scoreboard_refusal)];
};

struct scoreboard_notice { /* aligned like what follows it in the map: struct scoreboard_place */
	alignas(64) scoreboard_word phase;
	scoreboard_word configuration, workers;
	scoreboard_word places_used, servers_used; /* places beyond were never used */
	scoreboard_word refusals;
	struct scoreboard_refusal_slot refused, held;
	struct scoreboard_server servers[SCOREBOARD_SERVERS];
};

/* ---- data of each process ---- */

struct scoreboard_own_server {
	struct scoreboard_server_text name;
	unsigned users;
};

/* Private to each process. After the fork only the master's copy changes. */
struct scoreboard {
	size_t mapped;
	unsigned places;
	unsigned places_used, servers_used;
	struct scoreboard_own_server servers[SCOREBOARD_SERVERS];
	struct scoreboard_notice *notice; /* shared; the start of the mapping */
	struct scoreboard_place *place;   /* shared; one per place */
	struct scoreboard_block *blocks;  /* shared; one per place */
	bool taken[];                     /* one per place */
};

/* One for each server of each upstream; SCOREBOARD_SERVERS: not on the scoreboard. */
struct scoreboard_map {
	struct scoreboard *scoreboard;
	const struct config *config;
	size_t count;
	size_t *first; /* index of each upstream's first server */
	unsigned at[]; /* count elements */
};

struct scoreboard_worker {
	struct scoreboard_place *place;
	struct scoreboard_block *block;
	const struct scoreboard_map *map; /* NULL: no servers */
	struct scoreboard_use last[];     /* indexed like map->at: the last values from the pool */
};

static inline uint64_t scoreboard_word_read(const scoreboard_word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void scoreboard_word_write(scoreboard_word *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* For the only process that writes that word. */
static inline void scoreboard_word_add(scoreboard_word *word, uint64_t more)
{
	scoreboard_word_write(word, scoreboard_word_read(word) + more);
}

/* Printable ASCII, cut to fit with a NUL; the rest is zeros. */
static inline void scoreboard_text(char *to, size_t room, const char *from, size_t len)
{
	memset(to, 0, room);
	for (size_t i = 0; i < len && i + 1 < room; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
}

#endif
