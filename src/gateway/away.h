/*
 * Notes about clients whose HTTP/2 streams were reset with HTTP_1_1_REQUIRED because a route asks late. A browser
 * retries at once on a new connection, which another worker may get. That worker finds the note here and asks in the
 * handshake (tls/offer.h).
 *
 * The table is in memory shared by all workers, created by the master. It has a fixed size, and a note is one word: a
 * keyed hash of the client, and the end of the note. A compromised worker can write any word, and so forge or erase
 * notes, but nothing else: no word is an index or a size. There are no locks, so none stays locked when a worker is
 * killed. If too many notes fall into one set, the one that expires first is replaced, and its client is treated as
 * unknown.
 */
#ifndef GATEWAY_AWAY_H
#define GATEWAY_AWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "tls/server.h"

struct sockaddr;
struct away;

/* The subject of a note. */
struct away_client {
	const struct sockaddr *address; /* an IPv6 address is reduced to its /64 */
	const char *name;               /* server name in SNI */
	enum tls_client_kind kind;
	const thaw_trust *trust; /* the trust under which it is to be asked */
};

/* NULL: no memory. */
struct away *away_new(void);
void away_free(struct away **away);

/* The resolution of times. */
#define AWAY_STEP_MS    64
#define AWAY_LONGEST_MS 600000 /* maximum life of a note */

/*
 * The note is valid for for_ms, or longer if it was already; at most AWAY_LONGEST_MS. A person may have to choose
 * the certificate, and Chromium closes the connection meanwhile and opens another one afterwards. False: the client
 * has no address to recognise it by, or away is NULL.
 */
bool away_note(struct away *away, const struct away_client *client, uint64_t now_ms, uint64_t for_ms);

/* The client has retried and has answered in its handshake: the note is valid for at most TLS_AWAY_MS more, for
 * other connections that it opens at the same time. */
void away_answered(struct away *away, const struct away_client *client, uint64_t now_ms);

/* Whether there is a valid note. It is kept, because a browser may open several connections. */
bool away_look(const struct away *away, const struct away_client *client, uint64_t now_ms);

#endif
