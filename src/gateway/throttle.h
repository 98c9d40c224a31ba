/*
 * Limits how many requests each client address may send (`rate`), with the generic cell rate algorithm (GCRA, ITU-T
 * I.371). It needs one time per client: when the client's full burst is available again.
 *
 * The table is in memory that all workers share; the master creates it. It has a fixed size. Each client uses one word,
 * which has a keyed hash of what is counted, and that time. A compromised worker can write any word, and so allow or
 * refuse clients for as long as their burst takes. It can do nothing else, because no word is used as an index or a
 * size. There are no locks. A client whose time has passed needs no word. If too many other clients hash to the same
 * set, the one whose time ends first loses its word, and has its full burst again. For each word of its set, at most
 * one of 2^23 clients is taken for another client.
 */
#ifndef GATEWAY_THROTTLE_H
#define GATEWAY_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct sockaddr;
struct throttle;

/* What is counted: a client, and the host or route that it uses. */
struct throttle_client {
	const struct sockaddr *address; /* an IPv6 address counts as its /64 */
	const char *host;
	const char *path;   /* of a route with a count of its own; NULL: the host's count */
	const char *method; /* the first method of that route; NULL: it allows all methods */
};

struct throttle_rate {
	uint64_t requests, period_ms; /* this many requests per period */
	uint64_t burst;               /* at once, at least 1 */
};

#define THROTTLE_CLIENTS    65536
#define THROTTLE_LONGEST_MS (24 * UINT64_C(3600000)) /* maximum time until a full burst is available again */

/* NULL: out of memory. */
struct throttle *throttle_new(void);
void throttle_free(struct throttle **throttle);

/*
 * Counts one request if it is allowed. False: it is not allowed and not counted; *wait_ms: the time until one is
 * allowed. A client is not counted if its address does not identify it, or if throttle is NULL.
 */
bool throttle_take(struct throttle *throttle, const struct throttle_client *client, const struct throttle_rate *rate,
		   uint64_t now_ms, uint64_t *wait_ms);

#endif
