/*
 * A worker's connections by client address: who has how many, and which can be closed to make room for others.
 *
 * A connection on which a request is under way is busy, and is not closed. The others wait for their clients, and are
 * of three kinds: silent (nothing has come), in the handshake, or idle (between two requests, or in the head of one).
 * The one to close is of the kind that most of them are; of the address that has most of that kind; and of those, the
 * one that has waited longest. So a flood makes room for itself, whatever it consists of, and an honest client, which
 * has few connections and soon moves on, is not in its way.
 */
#ifndef LOOP_CLIENTS_H
#define LOOP_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum clients_kind { CLIENTS_SILENT, CLIENTS_HANDSHAKE, CLIENTS_IDLE, CLIENTS_KINDS, CLIENTS_BUSY = CLIENTS_KINDS };

struct client;

/* Of one connection, which has it as a member. All zero before it is entered. */
struct clients_place {
	struct client *client;
	enum clients_kind kind;
	TAILQ_ENTRY(clients_place) link; /* unless it is busy: among its client's of its kind */
};
TAILQ_HEAD(clients_places, clients_place);

LIST_HEAD(client_chain, client);
struct client_tally;
TAILQ_HEAD(client_tallies, client_tally);

struct clients {
	size_t max; /* clients with more connections than this count as if they had so many */
	size_t mask;
	struct client_chain *table;
	struct clients_of_kind {
		size_t total, most;              /* connections; the most that one client has */
		struct client_tallies *by_count; /* clients, by how many they have: 0 to max */
	} kinds[CLIENTS_KINDS];
};

/* max: connections that there will be. False: no memory; to be freed in any case. */
bool clients_init(struct clients *clients, size_t max);
/* Once all places have left. */
void clients_free(struct clients *clients);

/* key: of the client's address. It is busy at first. False: no memory. */
bool clients_enter(struct clients *clients, struct clients_place *place, uint64_t key);
/* Its client is another one: the same place, which begins to wait anew. False: no memory; nothing has changed. */
bool clients_rename(struct clients *clients, struct clients_place *place, uint64_t key);
/* It is of that kind, and begins to wait now, also if it was of that kind before. */
void clients_move(struct clients *clients, struct clients_place *place, enum clients_kind kind);
/* Does nothing where it was not entered. */
void clients_leave(struct clients *clients, struct clients_place *place);

/* All connections of that client, and those that are not busy. */
size_t clients_count(const struct clients *clients, uint64_t key);
size_t clients_waiting(const struct clients *clients);

/* The one to close; NULL: all are busy. */
struct clients_place *clients_choose(const struct clients *clients);
/* The same among those of one client. */
struct clients_place *clients_choose_of(const struct clients *clients, uint64_t key);

#endif
