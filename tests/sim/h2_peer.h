/*
 * A client of HTTP/2: nghttp2's client session between the requests of a plan and the bytes of its TLS connection. All
 * requests are streams of one connection. Its plan says how it gives windows back: at once, a little at a time, or
 * never.
 */
#ifndef SIM_H2_PEER_H
#define SIM_H2_PEER_H

#include "answer.h"
#include "scenario.h"

struct h2_peer;

struct h2_peer_setup {
	const struct scenario *scenario;
	const struct conn_plan *plan;
	struct answer *answers; /* array of SCENARIO_REQUESTS; filled in */
	char (*sha256)[65];     /* of the complete bodies; filled in */
};

struct h2_peer *h2_peer_new(const struct h2_peer_setup *setup);
void h2_peer_free(struct h2_peer **peer);

/* Does what is due: begins requests, continues bodies, gives windows back, cancels. */
void h2_peer_tick(struct h2_peer *peer, uint64_t now_us);
/* When to call h2_peer_tick() again; SIM_NEVER: no timer. */
uint64_t h2_peer_timer(const struct h2_peer *peer);

/* Returns the next bytes to send; 0: none now. */
size_t h2_peer_next(struct h2_peer *peer, void *data, size_t room);
bool h2_peer_ready(const struct h2_peer *peer);
/* Takes received bytes. False: they are not HTTP/2; *why has the reason. */
bool h2_peer_take(struct h2_peer *peer, const void *data, size_t len, const char **why);

/* How many requests are over; whether all are. */
unsigned h2_peer_over(const struct h2_peer *peer);
bool h2_peer_done(const struct h2_peer *peer);

/* What became of a request's stream. */
struct h2_fate {
	bool begun;     /* its head was given to the session */
	bool over;      /* complete, reset, or never begun because of a GOAWAY */
	bool cancelled; /* by this client */
	uint32_t code;  /* of the stream's end */
	uint64_t sent;  /* bytes of its body */
};
/* Whether a request for a route that asks late, with the host's own trust, was reset with HTTP_1_1_REQUIRED. */
bool h2_peer_sent_away(const struct h2_peer *peer);
const struct h2_fate *h2_peer_fate(const struct h2_peer *peer, unsigned request);

#endif
