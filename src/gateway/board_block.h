/*
 * The layout of the scoreboard in memory. Only for board.c, board_count.c and board_view.c.
 *
 * A compromised worker can write any value to shared memory, and the master may be root. So the master keeps the data
 * that it needs in private memory (struct board); it publishes some of it, and reads none of it back. Readers of shared
 * words check every number that is used as an index, and terminate every text.
 */
#ifndef GATEWAY_BOARD_BLOCK_H
#define GATEWAY_BOARD_BLOCK_H

#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>

#include "gateway/board_view.h"

#define BOARD_WORDS(type) (sizeof(type) / sizeof(uint64_t))

typedef _Atomic uint64_t board_word;

/* ---- text that is written while others read it: a word that is odd meanwhile, and other words ---- */

static inline void board_words_store(board_word *seq, board_word *to, const void *from, size_t words)
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

/* False: it was being written. */
static inline bool board_words_load(const board_word *seq, const board_word *from, void *to, size_t words)
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

struct board_ask_text {
	uint64_t began_ms, length;
	uint32_t means, moment;
	char client[BOARD_CLIENT_MAX], host[BOARD_HOST_MAX], path[BOARD_PATH_MAX];
};

struct board_ask_slot {
	board_word used, seq, drained, asked_ms;
	board_word text[BOARD_WORDS(struct board_ask_text)];
};

/* One time step of the verdicts' history. stamp: its number since 1970, plus 1; 0: being cleared, or unused. */
struct board_step {
	board_word stamp;
	board_word verdicts[BOARD_VERDICTS];
};

struct board_block {
	board_word sums[BOARD_WORDS(struct board_sums)];
	struct board_step steps[BOARD_STEPS];
	struct board_ask_slot asks[BOARD_ASKS];
	board_word servers[BOARD_SERVERS][BOARD_WORDS(struct board_server_sums)];
};

/* ---- what the master publishes ---- */

/* Separate from the block, so that looking for workers does not touch unused blocks. */
struct board_place {
	alignas(64) board_word taken; /* by the master */
	board_word configuration;     /* by the master */
	board_word pid, alive_ms;     /* by the worker; 0: not yet */
};

struct board_server_text {
	char upstream[BOARD_UPSTREAM_MAX], server[BOARD_SERVER_MAX];
};

struct board_server {
	board_word seq;
	board_word text[BOARD_WORDS(struct board_server_text)];
	board_word users; /* number of maps that contain it; if 0, its place may be reused */
};

struct board_notice { /* aligned like what follows it in the map: struct board_place */
	alignas(64) board_word phase;
	board_word configuration, workers;
	board_word places_used, servers_used; /* places beyond were never used */
	board_word refusals, refused, refusal_seq;
	board_word refusal[BOARD_WORDS(struct board_refusal)];
	struct board_server servers[BOARD_SERVERS];
};

/* ---- the whole ---- */

struct board_own_server {
	struct board_server_text name;
	unsigned users;
};

/* Private to each process. After the fork only the master's copy changes. */
struct board {
	size_t mapped;
	unsigned places;
	unsigned places_used, servers_used;
	struct board_own_server servers[BOARD_SERVERS];
	struct board_notice *notice; /* shared; the start of the mapping */
	struct board_place *place;   /* shared; one a place */
	struct board_block *blocks;  /* shared; one a place */
	bool taken[];                /* one a place */
};

/* One for each server of each upstream; BOARD_SERVERS: not on the scoreboard. */
struct board_map {
	struct board *board;
	const struct config *config;
	size_t count;
	size_t *first; /* of each upstream */
	unsigned at[]; /* count of them */
};

struct board_worker {
	struct board_place *place;
	struct board_block *block;
	const struct board_map *map; /* NULL: no servers */
	struct board_use last[];     /* indexed like map->at: the last values from the pool */
};

static inline uint64_t board_word_read(const board_word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void board_word_write(board_word *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* For the only process that writes that word. */
static inline void board_word_add(board_word *word, uint64_t more)
{
	board_word_write(word, board_word_read(word) + more);
}

/* Printable ASCII, cut to fit with a NUL; the rest is zeros. */
static inline void board_text(char *to, size_t room, const char *from, size_t len)
{
	memset(to, 0, room);
	for (size_t i = 0; i < len && i + 1 < room; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
}

#endif
