/*
 * How many requests each client address may send (`rate`): counted by the generic cell rate algorithm (GCRA, ITU-T
 * I.371), which needs one time for each client: when what it has used is given back.
 *
 * The table is in memory that all workers share, made by the master. It is of a fixed size, and a client is one word: a
 * keyed hash of whom it is about, and that time. A worker that was taken over can write any word, and so let clients
 * through or refuse them for as long as their burst takes, but nothing else: no word is an index or a size. Nothing is
 * locked. A client whose time has passed needs no word. If too many others fall together, the one that is given
 * everything back first gives way, and has its whole burst again. At most one of 2^23 clients takes another's word for
 * its own, for each word of its set.
 */
#ifndef GATEWAY_THROTTLE_H
#define GATEWAY_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;
struct throttle;

/* Who is counted, and where. */
struct throttle_client {
	const struct sockaddr *address; /* an IPv6 address counts as its /64 */
	const char *host;
	const char *path;   /* of a route that counts by itself; NULL: the host's count */
	const char *method; /* the first of that route; NULL: it has every one */
};

struct throttle_rate {
	uint64_t requests, period_ms; /* so many in that time */
	uint64_t burst;               /* at once, at least 1 */
};

#define THROTTLE_CLIENTS    65536
#define THROTTLE_LONGEST_MS (24 * UINT64_C(3600000)) /* until a burst is given back */

/* NULL: no memory. */
struct throttle *throttle_new(void);
void throttle_free(struct throttle **throttle);

/*
 * Counts one request, if it may go on. False: it may not, and is not counted; *wait_ms: after which time one may.
 * A client without an address that could be known again is not counted, and neither is any where throttle is NULL.
 */
bool throttle_take(struct throttle *throttle, const struct throttle_client *client, const struct throttle_rate *rate,
		   uint64_t now_ms, uint64_t *wait_ms);

#endif
