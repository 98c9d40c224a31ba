/*
 * The simulated upstream: upstream connections over wires of their own, and behind each a server that reads requests by
 * src/http's own strict parser and answers as builtin:inspect does, with the identity that the request's header fields
 * told it. Its habits, good and bad, are the scenario's.
 */
#ifndef SIM_ORIGIN_H
#define SIM_ORIGIN_H

#include "gateway/upconn.h"
#include "http/chunked.h"
#include "http/head.h"
#include "relay.h"
#include "scenario.h"

#define ORIGIN_UPCONNS 96    /* of one run */
#define ORIGIN_ROOM    65536 /* of a request's head, and of a response */

struct world;
struct sim_conn;
struct tls_digest;

struct sim_upconn {
	struct world *world;
	struct sim_conn *conn; /* whose request it serves; NULL: idle */
	unsigned index;
	struct wire wire;
	bool open;   /* the gateway has it, or keeps it */
	bool dead;   /* the origin has closed */
	bool failed; /* it could not be connected */
	uint64_t ready_us;
	bool used, told;
	const struct sim_conn *owner; /* of a server that offers NTLM: who has used it */
	bool want_read, want_write;   /* the gateway's */
	void (*wake)(void *arg);
	void *arg;
	/* the origin's side */
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
	bool ends;        /* after the response */
	uint64_t next_us; /* not before: reads, or writes */
	unsigned requests;
};

struct origin {
	struct sim_upconn upconns[ORIGIN_UPCONNS];
	unsigned count, taken, requests;
};

extern const struct gw_upconn_ops origin_ops; /* pool: the struct world */

/* Does what can be done now. True: something happened. */
bool origin_step(struct world *world);
/* When something happens by itself; SIM_NEVER: nothing will. */
uint64_t origin_next(const struct world *world);
/* Of the upstream connections that serve this connection. */
bool origin_under_way(const struct world *world, const struct sim_conn *conn);
/* What a response is made longer with, if its request says so: X-Pad. */
void origin_pad(char *text, size_t len);
void origin_free(struct world *world);

#endif
