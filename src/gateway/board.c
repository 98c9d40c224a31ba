#include "gateway/board.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "config/config.h"
#include "gateway/board_block.h"

const uint64_t board_human_ms[BOARD_BUCKETS] = {50,   100,   250,   500,   1000,   2000,
						5000, 10000, 30000, 60000, 120000, 300000};
const uint64_t board_machine_ms[BOARD_BUCKETS] = {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000};

_Static_assert(sizeof(struct board_ask_text) % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(sizeof(struct board_server_text) % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(sizeof(struct board_refusal) % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(sizeof(board_word) == sizeof(uint64_t) && ATOMIC_LLONG_LOCK_FREE == 2, "shared by processes");

/* ---- the whole ---- */

static size_t blocks_begin(unsigned places)
{
	size_t page = 4096; /* blocks begin on pages of their own */
	return (sizeof(struct board_notice) + places * sizeof(struct board_place) + page - 1) / page * page;
}

struct board *board_new(unsigned places)
{
	if (places == 0 || places > BOARD_PLACES_MAX)
		return NULL;
	struct board *board = calloc(1, sizeof(*board) + places * sizeof(board->taken[0]));
	if (board == NULL)
		return NULL;
	board->places = places;
	board->mapped = blocks_begin(places) + places * sizeof(struct board_block);
	void *map =
		mmap(NULL, board->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) {
		free(board);
		return NULL;
	}
	board->notice = map;
	board->place = (struct board_place *)(void *)((char *)map + sizeof(struct board_notice));
	board->blocks = (struct board_block *)(void *)((char *)map + blocks_begin(places));
	return board;
}

void board_free(struct board **board)
{
	if (*board != NULL)
		(void)munmap((*board)->notice, (*board)->mapped);
	free(*board);
	*board = NULL;
}

void board_enter(struct board *board, enum board_phase phase, unsigned configuration, unsigned workers)
{
	if (board == NULL)
		return;
	board_word_write(&board->notice->configuration, configuration);
	board_word_write(&board->notice->workers, workers);
	board_word_write(&board->notice->refused, 0);
	atomic_store_explicit(&board->notice->phase, phase, memory_order_release);
}

void board_refuse(struct board *board, const char *why, uint64_t now_ms)
{
	struct board_refusal refusal = {.since_ms = now_ms};

	if (board == NULL)
		return;
	board_text(refusal.why, sizeof(refusal.why), why, strlen(why));
	board_words_store(&board->notice->refusal_seq, board->notice->refusal, &refusal, BOARD_WORDS(refusal));
	board_word_add(&board->notice->refusals, 1);
	board_word_write(&board->notice->refused, 1);
}

/* ---- places ---- */

int board_take(struct board *board, unsigned configuration)
{
	unsigned place = 0;

	if (board == NULL)
		return -1;
	while (place < board->places && board->taken[place])
		place++;
	if (place == board->places)
		return -1;
	board->taken[place] = true;
	board_word_write(&board->place[place].configuration, configuration);
	board_word_write(&board->place[place].taken, 1);
	if (place >= board->places_used)
		board->places_used = place + 1;
	atomic_store_explicit(&board->notice->places_used, board->places_used, memory_order_release);
	return (int)place;
}

static void close_asks(struct board_block *block)
{
	for (size_t i = 0; i < BOARD_ASKS; i++) {
		struct board_ask_slot *slot = &block->asks[i];
		uint64_t seq = board_word_read(&slot->seq);
		board_word_write(&slot->used, 0);
		board_word_write(&slot->seq, seq + (seq & 1)); /* the worker may have died while writing */
	}
}

uint64_t board_reclaim(struct board *board, int place)
{
	if (board == NULL || place < 0 || (unsigned)place >= board->places)
		return 0;
	struct board_block *block = &board->blocks[place];

	uint64_t lost = board_word_read(&block->sums[BOARD_AT(records_waiting)]);
	board_word_add(&block->sums[BOARD_AT(records_lost)], lost);
	for (size_t i = 0; i < BOARD_GAUGES; i++)
		board_word_write(&block->sums[i], 0);
	for (unsigned server = 0; server < board->servers_used; server++)
		for (size_t i = 0; i < BOARD_SERVER_GAUGES; i++)
			board_word_write(&block->servers[server][i], 0);
	close_asks(block);
	board->taken[place] = false;
	board_word_write(&board->place[place].pid, 0);
	board_word_write(&board->place[place].alive_ms, 0);
	board_word_write(&board->place[place].taken, 0);
	return lost;
}

/* ---- servers ---- */

/* Clears the counts of the server that had this place before. No worker writes there. */
static void clear_server(struct board *board, unsigned at)
{
	for (unsigned place = 0; place < board->places_used; place++)
		for (size_t i = 0; i < BOARD_WORDS(struct board_server_sums); i++)
			board_word_write(&board->blocks[place].servers[at][i], 0);
}

/* The place of the server with that name, or a free one; BOARD_SERVERS: none. */
static unsigned find_server(const struct board *board, const struct board_server_text *name, bool *known)
{
	unsigned unused = BOARD_SERVERS, used = board->servers_used;

	for (unsigned i = 0; i < used; i++) {
		*known = memcmp(&board->servers[i].name, name, sizeof(*name)) == 0;
		if (*known)
			return i;
		if (unused == BOARD_SERVERS && board->servers[i].users == 0)
			unused = i;
	}
	*known = false;
	/* The counts of a removed server are kept for its return until the place is needed. */
	return used < BOARD_SERVERS ? used : unused;
}

static void publish_server(struct board *board, unsigned at)
{
	struct board_server *server = &board->notice->servers[at];
	const struct board_own_server *own = &board->servers[at];

	board_words_store(&server->seq, server->text, &own->name, BOARD_WORDS(own->name));
	board_word_write(&server->users, own->users);
	if (at >= board->servers_used)
		board->servers_used = at + 1;
	atomic_store_explicit(&board->notice->servers_used, board->servers_used, memory_order_release);
}

static unsigned enter_server(struct board *board, const struct config_upstream *upstream, const char *server)
{
	struct board_server_text name = {.upstream = ""};
	bool known;

	board_text(name.upstream, sizeof(name.upstream), upstream->name, strlen(upstream->name));
	board_text(name.server, sizeof(name.server), server, strlen(server));
	unsigned at = find_server(board, &name, &known);
	if (at == BOARD_SERVERS)
		return at;
	if (!known) {
		clear_server(board, at);
		board->servers[at].name = name;
	}
	board->servers[at].users++;
	publish_server(board, at);
	return at;
}

static void leave_server(struct board *board, unsigned at)
{
	board->servers[at].users--;
	board_word_write(&board->notice->servers[at].users, board->servers[at].users);
}

struct board_map *board_map_new(struct board *board, const struct config *config)
{
	size_t count = 0;

	if (board == NULL)
		return NULL;
	for (size_t i = 0; i < config->upstream_count; i++)
		count += config->upstreams[i].server_count;
	struct board_map *map = calloc(1, sizeof(*map) + count * sizeof(map->at[0]));
	size_t *first = calloc(config->upstream_count + 1, sizeof(*first));
	if (map == NULL || first == NULL) {
		free(map);
		free(first);
		return NULL;
	}
	*map = (struct board_map){.board = board, .config = config, .first = first};
	for (size_t i = 0; i < config->upstream_count; i++) {
		first[i] = map->count;
		for (size_t j = 0; j < config->upstreams[i].server_count; j++)
			map->at[map->count++] =
				enter_server(board, &config->upstreams[i], config->upstreams[i].servers[j].text);
	}
	return map;
}

void board_map_free(struct board_map **map)
{
	struct board_map *m = *map;

	*map = NULL;
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->count; i++)
		if (m->at[i] < BOARD_SERVERS)
			leave_server(m->board, m->at[i]);
	free(m->first);
	free(m);
}
