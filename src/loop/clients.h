/*
 * A worker's connections by client address: how many each client has, and which of them can be closed to make room.
 *
 * A connection with a request under way is busy and is not closed. All others wait for their clients, and are of three
 * kinds: silent (no byte has arrived), in the handshake, or idle (between two requests, or within the head of one). The
 * connection to close is chosen in three steps: the kind with the most connections, in it the client address with the
 * most connections, and of those the one that has waited longest. So a flood of any kind displaces itself, and does not
 * affect an honest client, which has few connections and soon sends something.
 */
#ifndef LOOP_CLIENTS_H
#define LOOP_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum clients_kind { CLIENTS_SILENT, CLIENTS_HANDSHAKE, CLIENTS_IDLE, CLIENTS_KINDS, CLIENTS_BUSY = CLIENTS_KINDS };

struct client;

/* A member of each connection. All zero before clients_enter(). */
struct clients_place {
	struct client *client;
	enum clients_kind kind;
	TAILQ_ENTRY(clients_place) link; /* in the client's list of this kind; not if it is busy */
};
TAILQ_HEAD(clients_places, clients_place);

LIST_HEAD(client_chain, client);
struct client_tally;
TAILQ_HEAD(client_tallies, client_tally);

struct clients {
	size_t max; /* clients with more connections than this are in the same list as those with max */
	size_t mask;
	struct client_chain *table;
	struct clients_of_kind {
		size_t total, most;              /* connections in total; the most that one client has */
		struct client_tallies *by_count; /* lists of clients by number of connections: 0 to max */
	} kinds[CLIENTS_KINDS];
};

/* max: the most connections there can be. False: out of memory. The caller calls clients_free() in any case. */
bool clients_init(struct clients *clients, size_t max);
/* Call this after clients_leave() for all places. */
void clients_free(struct clients *clients);

/* key: identifies the client. The place is busy at first. False: out of memory. */
bool clients_enter(struct clients *clients, struct clients_place *place, uint64_t key);
/* Moves the place to another client. Its waiting time starts again. False: out of memory; nothing has changed. */
bool clients_rename(struct clients *clients, struct clients_place *place, uint64_t key);
/* Sets the kind of the place. Its waiting time starts now, even if the kind is the same as before. */
void clients_move(struct clients *clients, struct clients_place *place, enum clients_kind kind);
/* Does nothing if clients_enter() was not called or has failed. */
void clients_leave(struct clients *clients, struct clients_place *place);

/* clients_count(): all connections of one client. clients_waiting(): those of all clients that are not busy. */
size_t clients_count(const struct clients *clients, uint64_t key);
size_t clients_waiting(const struct clients *clients);

/* Returns the connection to close. NULL: all are busy. */
struct clients_place *clients_choose(const struct clients *clients);
/* The same for the connections of one client. */
struct clients_place *clients_choose_of(const struct clients *clients, uint64_t key);

#endif
