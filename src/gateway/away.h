/*
 * Notes of clients that were sent away: their HTTP/2 streams were reset with HTTP_1_1_REQUIRED because a route asks
 * late. A browser comes back at once, over a connection that another worker may get; that one finds the note here, and
 * asks in the handshake (tls/offer.h).
 *
 * The table is in memory that all workers share, made by the master. It is of a fixed size, and a note is one word: a
 * keyed hash of whom it is about, and when it ends. A worker that was taken over can write any word, and so forge or
 * erase notes, but nothing else: no word is an index or a size. Nothing is locked, so nothing stays locked when a
 * worker is killed. If too many notes fall together the one that ends first gives way, and its client is treated as one
 * that was not noted.
 */
#ifndef GATEWAY_AWAY_H
#define GATEWAY_AWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "tls/server.h"

struct sockaddr;
struct away;

/* Whom a note is about. */
struct away_client {
	const struct sockaddr *address; /* an IPv6 address counts as its /64 */
	const char *name;               /* of the server, from SNI */
	enum tls_client_kind kind;
	const thaw_trust *trust; /* that it is to be asked under */
};

/* NULL: no memory. */
struct away *away_new(void);
void away_free(struct away **away);

/* Times are good to AWAY_STEP_MS. */
#define AWAY_STEP_MS    64
#define AWAY_LONGEST_MS 600000 /* of a note */

/*
 * The note is good for for_ms, or for longer if it was; for AWAY_LONGEST_MS at most. A human may have to choose the
 * certificate, and Chromium ends the connection meanwhile and opens another one afterwards. False: the client has no
 * address that could be known again, or away is NULL.
 */
bool away_note(struct away *away, const struct away_client *client, uint64_t now_ms, uint64_t for_ms);

/* The client has come back, and has answered in its handshake: the note is good for TLS_AWAY_MS more at most, for
 * other connections that it opens with this one. */
void away_answered(struct away *away, const struct away_client *client, uint64_t now_ms);

/* Whether there is a note that has not ended. It stays, for a browser may open several connections. */
bool away_look(const struct away *away, const struct away_client *client, uint64_t now_ms);

#endif
