#include "gateway/scoreboard.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "config/config.h"
#include "gateway/scoreboard_block.h"

const uint64_t scoreboard_human_ms[SCOREBOARD_BUCKETS] = {50,   100,   250,   500,   1000,   2000,
							  5000, 10000, 30000, 60000, 120000, 300000};
const uint64_t scoreboard_machine_ms[SCOREBOARD_BUCKETS] = {5,   10,   25,   50,   100,   250,
							    500, 1000, 2500, 5000, 10000, 30000};

_Static_assert(sizeof(struct scoreboard_ask_text) % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(sizeof(struct scoreboard_server_text) % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(sizeof(struct scoreboard_refusal) % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(sizeof(scoreboard_word) == sizeof(uint64_t) && ATOMIC_LLONG_LOCK_FREE == 2, "shared by processes");

/* ---- create and free ---- */

static size_t blocks_begin(unsigned places)
{
	size_t page = 4096; /* blocks begin on pages of their own */
	return (sizeof(struct scoreboard_notice) + places * sizeof(struct scoreboard_place) + page - 1) / page * page;
}

struct scoreboard *scoreboard_new(unsigned places)
{
	if (places == 0 || places > SCOREBOARD_PLACES_MAX)
		return NULL;
	struct scoreboard *scoreboard = calloc(1, sizeof(*scoreboard) + places * sizeof(scoreboard->taken[0]));
	if (scoreboard == NULL)
		return NULL;
	scoreboard->places = places;
	scoreboard->mapped = blocks_begin(places) + places * sizeof(struct scoreboard_block);
	void *map = mmap(NULL, scoreboard->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);
	if (map == MAP_FAILED) {
		free(scoreboard);
		return NULL;
	}
	scoreboard->notice = map;
	scoreboard->place = (struct scoreboard_place *)(void *)((char *)map + sizeof(struct scoreboard_notice));
	scoreboard->blocks = (struct scoreboard_block *)(void *)((char *)map + blocks_begin(places));
	return scoreboard;
}

void scoreboard_free(struct scoreboard **scoreboard)
{
	if (*scoreboard != NULL)
		(void)munmap((*scoreboard)->notice, (*scoreboard)->mapped);
	free(*scoreboard);
	*scoreboard = NULL;
}

void scoreboard_enter(struct scoreboard *scoreboard, enum scoreboard_phase phase, unsigned configuration,
		      unsigned workers)
{
	if (scoreboard == NULL)
		return;
	scoreboard_word_write(&scoreboard->notice->configuration, configuration);
	scoreboard_word_write(&scoreboard->notice->workers, workers);
	scoreboard_word_write(&scoreboard->notice->refused.used, 0);
	scoreboard_word_write(&scoreboard->notice->held.used, 0);
	atomic_store_explicit(&scoreboard->notice->phase, phase, memory_order_release);
}

static void fill(struct scoreboard_refusal_slot *slot, const char *why, uint64_t now_ms)
{
	struct scoreboard_refusal refusal = {.since_ms = now_ms};

	scoreboard_text(refusal.why, sizeof(refusal.why), why, strlen(why));
	scoreboard_words_store(&slot->seq, slot->words, &refusal, SCOREBOARD_WORDS(refusal));
	scoreboard_word_write(&slot->used, 1);
}

void scoreboard_refuse(struct scoreboard *scoreboard, const char *why, uint64_t now_ms)
{
	if (scoreboard == NULL)
		return;
	fill(&scoreboard->notice->refused, why, now_ms);
	scoreboard_word_add(&scoreboard->notice->refusals, 1);
}

void scoreboard_hold(struct scoreboard *scoreboard, const char *why, uint64_t now_ms)
{
	if (scoreboard == NULL)
		return;
	if (why != NULL)
		fill(&scoreboard->notice->held, why, now_ms);
	else
		scoreboard_word_write(&scoreboard->notice->held.used, 0);
}

/* ---- places ---- */

int scoreboard_take(struct scoreboard *scoreboard, unsigned configuration)
{
	unsigned place = 0;

	if (scoreboard == NULL)
		return -1;
	while (place < scoreboard->places && scoreboard->taken[place])
		place++;
	if (place == scoreboard->places)
		return -1;
	scoreboard->taken[place] = true;
	scoreboard_word_write(&scoreboard->place[place].configuration, configuration);
	scoreboard_word_write(&scoreboard->place[place].taken, 1);
	if (place >= scoreboard->places_used)
		scoreboard->places_used = place + 1;
	atomic_store_explicit(&scoreboard->notice->places_used, scoreboard->places_used, memory_order_release);
	return (int)place;
}

static void close_asks(struct scoreboard_block *block)
{
	for (size_t i = 0; i < SCOREBOARD_ASKS; i++) {
		struct scoreboard_ask_slot *slot = &block->asks[i];
		uint64_t seq = scoreboard_word_read(&slot->seq);
		scoreboard_word_write(&slot->used, 0);
		scoreboard_word_write(&slot->seq, seq + (seq & 1)); /* the worker may have died while writing */
	}
}

uint64_t scoreboard_reclaim(struct scoreboard *scoreboard, int place)
{
	if (scoreboard == NULL || place < 0 || (unsigned)place >= scoreboard->places)
		return 0;
	struct scoreboard_block *block = &scoreboard->blocks[place];

	uint64_t lost = scoreboard_word_read(&block->sums[SCOREBOARD_AT(records_waiting)]);
	scoreboard_word_add(&block->sums[SCOREBOARD_AT(records_lost)], lost);
	for (size_t i = 0; i < SCOREBOARD_GAUGES; i++)
		scoreboard_word_write(&block->sums[i], 0);
	for (unsigned server = 0; server < scoreboard->servers_used; server++)
		for (size_t i = 0; i < SCOREBOARD_SERVER_GAUGES; i++)
			scoreboard_word_write(&block->servers[server][i], 0);
	close_asks(block);
	scoreboard->taken[place] = false;
	scoreboard_word_write(&scoreboard->place[place].pid, 0);
	scoreboard_word_write(&scoreboard->place[place].alive_ms, 0);
	scoreboard_word_write(&scoreboard->place[place].taken, 0);
	return lost;
}

/* ---- servers ---- */

/* Clears the counts of the server that had this place before. No worker writes there. */
static void clear_server(struct scoreboard *scoreboard, unsigned at)
{
	for (unsigned place = 0; place < scoreboard->places_used; place++)
		for (size_t i = 0; i < SCOREBOARD_WORDS(struct scoreboard_server_sums); i++)
			scoreboard_word_write(&scoreboard->blocks[place].servers[at][i], 0);
}

/* The place of the server with that name, or a free one; SCOREBOARD_SERVERS: none. */
static unsigned find_server(const struct scoreboard *scoreboard, const struct scoreboard_server_text *name, bool *known)
{
	unsigned unused = SCOREBOARD_SERVERS, used = scoreboard->servers_used;

	for (unsigned i = 0; i < used; i++) {
		*known = memcmp(&scoreboard->servers[i].name, name, sizeof(*name)) == 0;
		if (*known)
			return i;
		if (unused == SCOREBOARD_SERVERS && scoreboard->servers[i].users == 0)
			unused = i;
	}
	*known = false;
	/* The counts of a removed server are kept for its return until the place is needed. */
	return used < SCOREBOARD_SERVERS ? used : unused;
}

static void publish_server(struct scoreboard *scoreboard, unsigned at)
{
	struct scoreboard_server *server = &scoreboard->notice->servers[at];
	const struct scoreboard_own_server *own = &scoreboard->servers[at];

	scoreboard_words_store(&server->seq, server->text, &own->name, SCOREBOARD_WORDS(own->name));
	scoreboard_word_write(&server->users, own->users);
	if (at >= scoreboard->servers_used)
		scoreboard->servers_used = at + 1;
	atomic_store_explicit(&scoreboard->notice->servers_used, scoreboard->servers_used, memory_order_release);
}

static unsigned enter_server(struct scoreboard *scoreboard, const struct config_upstream *upstream, const char *server)
{
	struct scoreboard_server_text name = {.upstream = ""};
	bool known;

	scoreboard_text(name.upstream, sizeof(name.upstream), upstream->name, strlen(upstream->name));
	scoreboard_text(name.server, sizeof(name.server), server, strlen(server));
	unsigned at = find_server(scoreboard, &name, &known);
	if (at == SCOREBOARD_SERVERS)
		return at;
	if (!known) {
		clear_server(scoreboard, at);
		scoreboard->servers[at].name = name;
	}
	scoreboard->servers[at].users++;
	publish_server(scoreboard, at);
	return at;
}

static void leave_server(struct scoreboard *scoreboard, unsigned at)
{
	scoreboard->servers[at].users--;
	scoreboard_word_write(&scoreboard->notice->servers[at].users, scoreboard->servers[at].users);
}

struct scoreboard_map *scoreboard_map_new(struct scoreboard *scoreboard, const struct config *config)
{
	size_t count = 0;

	if (scoreboard == NULL)
		return NULL;
	for (size_t i = 0; i < config->upstream_count; i++)
		count += config->upstreams[i].server_count;
	struct scoreboard_map *map = calloc(1, sizeof(*map) + count * sizeof(map->at[0]));
	size_t *first = calloc(config->upstream_count + 1, sizeof(*first));
	if (map == NULL || first == NULL) {
		free(map);
		free(first);
		return NULL;
	}
	*map = (struct scoreboard_map){.scoreboard = scoreboard, .config = config, .first = first};
	for (size_t i = 0; i < config->upstream_count; i++) {
		first[i] = map->count;
		for (size_t j = 0; j < config->upstreams[i].server_count; j++)
			map->at[map->count++] =
				enter_server(scoreboard, &config->upstreams[i], config->upstreams[i].servers[j].text);
	}
	return map;
}

void scoreboard_map_free(struct scoreboard_map **map)
{
	struct scoreboard_map *m = *map;

	*map = NULL;
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->count; i++)
		if (m->at[i] < SCOREBOARD_SERVERS)
			leave_server(m->scoreboard, m->at[i]);
	free(m->first);
	free(m);
}
