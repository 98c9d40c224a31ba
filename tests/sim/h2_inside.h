/* What the files of the HTTP/2 client share: h2_peer.c sends, h2_hear.c receives. */
#ifndef SIM_H2_INSIDE_H
#define SIM_H2_INSIDE_H

#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>

#include "h2_peer.h"
#include "rng.h"

struct peer_stream {
	struct h2_peer *peer;
	const struct request_plan *plan;
	struct answer *answer;
	int32_t id;
	struct h2_fate outcome;
	struct rng bytes;
	EVP_MD_CTX *digest;
	uint64_t got;     /* bytes of the response's body */
	uint64_t kept;    /* of those, the bytes not yet given back to the window */
	uint64_t next_us; /* when more of the request's body may be sent */
	bool deferred;    /* the body waits for next_us */
	bool ended;       /* the response is complete */
	size_t room;      /* of answer->body: its size */
};

struct h2_peer {
	struct h2_peer_setup setup;
	nghttp2_session *session;
	uint64_t began_us, now_us, grant_us;
	const uint8_t *out; /* output of the session that is not sent yet */
	size_t out_len;
	bool began, goaway;
	const char *why;
	struct peer_stream streams[SCENARIO_REQUESTS];
};

static inline const struct conn_plan *plan_of(const struct h2_peer *peer)
{
	return peer->setup.plan;
}

/* An error of nghttp2 here is a bug of the simulation. */
static inline void must(int result)
{
	if (result != 0)
		abort();
}

/* h2_hear.c */
void h2_hear_callbacks(nghttp2_session_callbacks *callbacks);
/* Resets an open stream. */
void h2_cancel(struct peer_stream *stream, uint32_t code);
/* The only writer of outcome.over. */
void h2_finish(struct peer_stream *stream, uint32_t code);

#endif
