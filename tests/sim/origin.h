/*
 * The simulated upstream: upstream connections over connections (relay.h) of their own, and a server at the end of
 * each. The server reads requests with the strict parser of src/http, and answers like builtin:inspect, with the
 * identity from the request's header fields. The scenario defines its habits, good and bad.
 */
#ifndef SIM_ORIGIN_H
#define SIM_ORIGIN_H

#include "gateway/upconn.h"
#include "http/chunked.h"
#include "http/head.h"
#include "relay.h"
#include "scenario.h"

#define ORIGIN_UPCONNS 96    /* upstream connections of one run */
#define ORIGIN_ROOM    65536 /* size of a request's head, and of a response */

struct world;
struct sim_conn;
struct tls_digest;

struct sim_upconn {
	struct world *world;
	struct sim_conn *conn; /* the connection whose request it serves; NULL: idle */
	unsigned index;
	struct duplex duplex;
	bool open;   /* in use by the gateway, or in its pool */
	bool dead;   /* the origin has closed */
	bool failed; /* the connect failed */
	uint64_t ready_us;
	bool used, told;
	const struct sim_conn *owner; /* of a server that offers NTLM: the client that used it first */
	bool want_read, want_write;   /* the gateway's interest in events */
	void (*wake)(void *arg);
	void *arg;
	/* ---- the origin's side ---- */
	char in[ORIGIN_ROOM];
	size_t in_at, in_len, head_len;
	struct http_scan scan;
	bool in_head; /* a head has been read, its body is being read */
	struct http_request head;
	struct http_chunked chunked;
	uint64_t left, body;
	struct tls_digest *digest;
	char *out;
	size_t out_at, out_len;
	bool ends;        /* closes after the response */
	uint64_t next_us; /* no read or write before this time */
	unsigned requests;
};

struct origin {
	struct sim_upconn upconns[ORIGIN_UPCONNS];
	unsigned count, taken, requests;
};

extern const struct gw_upconn_ops origin_ops; /* pool: the struct world */

/* Does everything that is possible now. True: something happened. */
bool origin_step(struct world *world);
/* When something happens by itself; SIM_NEVER: nothing will. */
uint64_t origin_next(const struct world *world);
/* Whether something is in flight on the upstream connections that serve this connection. */
bool origin_under_way(const struct world *world, const struct sim_conn *conn);
/* Appends the padding that a request asks for: X-Pad. */
void origin_pad(char *text, size_t len);
void origin_free(struct world *world);

#endif
