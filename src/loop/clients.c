#include "loop/clients.h"

#include <stdlib.h>

#define CHAINS_MIN 64
#define CHAINS_MAX 65536

struct client_tally {
	struct client *client;
	size_t count;
	struct clients_places places;   /* the longest waiting one comes first */
	TAILQ_ENTRY(client_tally) link; /* in the list of clients with the same count; only if count > 0 */
};

struct client {
	uint64_t key;
	size_t count;
	LIST_ENTRY(client) chain;
	struct client_tally kinds[CLIENTS_KINDS];
};

bool clients_init(struct clients *clients, size_t max)
{
	size_t chains = CHAINS_MIN;

	while (chains < max && chains < CHAINS_MAX)
		chains *= 2;
	*clients = (struct clients){.max = max, .mask = chains - 1};
	clients->table = calloc(chains, sizeof(*clients->table));
	bool made = clients->table != NULL;
	for (int kind = 0; kind < CLIENTS_KINDS; kind++) {
		/* list_of() initializes each list on first use, because untouched pages cost no memory. */
		clients->kinds[kind].by_count = calloc(max + 1, sizeof(struct client_tallies));
		made = made && clients->kinds[kind].by_count != NULL;
	}
	return made;
}

void clients_free(struct clients *clients)
{
	for (int kind = 0; kind < CLIENTS_KINDS; kind++)
		free(clients->kinds[kind].by_count);
	free(clients->table);
	*clients = (struct clients){.max = 0};
}

/* ---- clients by number of connections ---- */

static struct client_tallies *list_of(const struct clients *clients, enum clients_kind kind, size_t count)
{
	struct client_tallies *list = &clients->kinds[kind].by_count[count < clients->max ? count : clients->max];

	if (list->tqh_last == NULL)
		TAILQ_INIT(list);
	return list;
}

/* Within a list, the client that reached this count first comes first. */
static void count_to(struct clients *clients, enum clients_kind kind, struct client_tally *tally, size_t count)
{
	struct clients_of_kind *of = &clients->kinds[kind];

	if (tally->count > 0)
		TAILQ_REMOVE(list_of(clients, kind, tally->count), tally, link);
	of->total += count - tally->count;
	tally->count = count;
	if (count > 0)
		TAILQ_INSERT_TAIL(list_of(clients, kind, count), tally, link);
	if (count > of->most)
		of->most = count < clients->max ? count : clients->max;
	while (of->most > 0 && TAILQ_EMPTY(list_of(clients, kind, of->most)))
		of->most--;
}

/* ---- clients by key ---- */

static struct client *find(const struct clients *clients, uint64_t key)
{
	struct client *client;

	LIST_FOREACH(client, &clients->table[key & clients->mask], chain)
	if (client->key == key)
		return client;
	return NULL;
}

static struct client *find_or_make(struct clients *clients, uint64_t key)
{
	struct client *client = find(clients, key);

	if (client != NULL)
		return client;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return NULL;
	client->key = key;
	for (int kind = 0; kind < CLIENTS_KINDS; kind++) {
		client->kinds[kind].client = client;
		TAILQ_INIT(&client->kinds[kind].places);
	}
	LIST_INSERT_HEAD(&clients->table[key & clients->mask], client, chain);
	return client;
}

static void forget(struct client *client)
{
	if (--client->count > 0)
		return;
	LIST_REMOVE(client, chain);
	free(client);
}

/* ---- places ---- */

bool clients_enter(struct clients *clients, struct clients_place *place, uint64_t key)
{
	place->client = find_or_make(clients, key);
	place->kind = CLIENTS_BUSY;
	if (place->client == NULL)
		return false;
	place->client->count++;
	return true;
}

void clients_move(struct clients *clients, struct clients_place *place, enum clients_kind kind)
{
	struct client *client = place->client;

	if (place->kind != CLIENTS_BUSY) {
		struct client_tally *from = &client->kinds[place->kind];
		TAILQ_REMOVE(&from->places, place, link);
		count_to(clients, place->kind, from, from->count - 1);
	}
	place->kind = kind;
	if (kind != CLIENTS_BUSY) {
		struct client_tally *to = &client->kinds[kind];
		TAILQ_INSERT_TAIL(&to->places, place, link);
		count_to(clients, kind, to, to->count + 1);
	}
}

bool clients_rename(struct clients *clients, struct clients_place *place, uint64_t key)
{
	struct client *before = place->client, *client = find_or_make(clients, key);
	enum clients_kind kind = place->kind;

	if (client == NULL)
		return false;
	clients_move(clients, place, CLIENTS_BUSY);
	client->count++;
	forget(before);
	place->client = client;
	clients_move(clients, place, kind);
	return true;
}

void clients_leave(struct clients *clients, struct clients_place *place)
{
	if (place->client == NULL)
		return;
	clients_move(clients, place, CLIENTS_BUSY);
	forget(place->client);
	place->client = NULL;
}

size_t clients_count(const struct clients *clients, uint64_t key)
{
	const struct client *client = find(clients, key);

	return client != NULL ? client->count : 0;
}

size_t clients_waiting(const struct clients *clients)
{
	size_t total = 0;

	for (int kind = 0; kind < CLIENTS_KINDS; kind++)
		total += clients->kinds[kind].total;
	return total;
}

/* ---- which connection to close ---- */

struct clients_place *clients_choose(const struct clients *clients)
{
	const struct clients_of_kind *of = clients->kinds;
	int most = 0;

	for (int kind = 1; kind < CLIENTS_KINDS; kind++)
		if (of[kind].total > of[most].total)
			most = kind;
	if (of[most].total == 0)
		return NULL;
	return TAILQ_FIRST(&TAILQ_FIRST(list_of(clients, (enum clients_kind)most, of[most].most))->places);
}

struct clients_place *clients_choose_of(const struct clients *clients, uint64_t key)
{
	const struct client *client = find(clients, key);
	int most = 0;

	if (client == NULL)
		return NULL;
	for (int kind = 1; kind < CLIENTS_KINDS; kind++)
		if (client->kinds[kind].count > client->kinds[most].count)
			most = kind;
	return TAILQ_FIRST(&client->kinds[most].places);
}
