/*
 * The scoreboard: the counters of all workers and their current state, in memory shared by all processes. It outlives
 * workers and configurations.
 *
 * - The master creates it before it forks.
 * - A place is one worker's block of counters. Only that worker writes to it, so counting needs a load and a store.
 *   When the worker has ended, the master gives the place to another worker; the counts are kept.
 * - An upstream's server is identified by its name: its counts continue in the next configuration that has it.
 * - A map has the places of one configuration's servers.
 * - A scoreboard_worker is a worker's handle for its place.
 *
 * Every function does nothing if the scoreboard or scoreboard_worker is NULL. Files: scoreboard.c (places and servers),
 * scoreboard_count.c (what a worker writes), scoreboard_view.h (what a reader sees), scoreboard_block.h (the layout in
 * memory).
 */
#ifndef GATEWAY_SCOREBOARD_H
#define GATEWAY_SCOREBOARD_H

#include "gateway/problem.h"
#include "thaw/ask.h"

struct sockaddr;
struct config;
struct config_upstream;
struct scoreboard;
struct scoreboard_map;
struct scoreboard_worker;

#define SCOREBOARD_PLACES_MAX 1024
#define SCOREBOARD_SERVERS    256 /* of all upstreams; further ones are not counted separately */
#define SCOREBOARD_ASKS       64  /* pending in one worker; further ones are counted, but not listed */

/* ---- in the master ---- */

/* NULL: out of memory. Unused parts cost no memory. */
struct scoreboard *scoreboard_new(unsigned places);
void scoreboard_free(struct scoreboard **scoreboard);

enum scoreboard_phase { SCOREBOARD_STARTING, SCOREBOARD_SERVING, SCOREBOARD_STOPPING, SCOREBOARD_PHASES };

/* configuration: its number. workers: how many it has. */
void scoreboard_enter(struct scoreboard *scoreboard, enum scoreboard_phase phase, unsigned configuration,
		      unsigned workers);
/* A reload was refused, for this cause. It stays on the scoreboard until scoreboard_enter(). */
void scoreboard_refuse(struct scoreboard *scoreboard, const char *why, uint64_t now_ms);
/* Changed files are not loaded, for this cause; NULL: there are none any more. It stays until scoreboard_enter(). */
void scoreboard_hold(struct scoreboard *scoreboard, const char *why, uint64_t now_ms);

/* A free place for a new worker; -1: none, or scoreboard is NULL. */
int scoreboard_take(struct scoreboard *scoreboard, unsigned configuration);

/* Call when the worker's process has ended, or failed to start: its connections count as closed, its counts are
 * kept. place -1: does nothing. Returns how many access records it had not written; they are counted as lost. */
uint64_t scoreboard_reclaim(struct scoreboard *scoreboard, int place);

/* Registers all servers of the configuration, which is borrowed. NULL: out of memory, or scoreboard is NULL. */
struct scoreboard_map *scoreboard_map_new(struct scoreboard *scoreboard, const struct config *config);
/* Call when the configuration has no more workers. */
void scoreboard_map_free(struct scoreboard_map **map);

/* ---- in a worker ---- */

/* Call after the fork. map may be NULL. NULL: scoreboard is NULL, place is -1, or out of memory. */
struct scoreboard_worker *scoreboard_open(struct scoreboard *scoreboard, int place, const struct scoreboard_map *map);
void scoreboard_close(struct scoreboard_worker **worker);

/* Call about once per second. The first call says that the worker is ready. */
void scoreboard_alive(struct scoreboard_worker *worker, uint64_t now_ms);

void scoreboard_connection_opened(struct scoreboard_worker *worker);
void scoreboard_connection_closed(struct scoreboard_worker *worker);

/* At a connection limit: a waiting connection was closed, or a new one was refused. kind: 0 to SCOREBOARD_KINDS - 1, as
 * in loop/clients.h. per_client: because of the limit per client. */
#define SCOREBOARD_KINDS 3
void scoreboard_connection_evicted(struct scoreboard_worker *worker, unsigned kind);
void scoreboard_connection_refused(struct scoreboard_worker *worker, bool per_client);
/* Whether the worker can take no connection, because none can be closed for a new one. */
void scoreboard_full(struct scoreboard_worker *worker, bool full);

/* version: as OpenSSL names it, such as "TLSv1.3". */
void scoreboard_handshake(struct scoreboard_worker *worker, const char *version, bool resumed);
/* A handshake with an ask on demand is complete; why: enum tls_demand (tls/server.h), 0 does nothing. */
#define SCOREBOARD_DEMANDS 4
void scoreboard_on_demand(struct scoreboard_worker *worker, unsigned why);
/* A note was made for a client whose HTTP/2 stream was reset. */
void scoreboard_note(struct scoreboard_worker *worker);
/* The outcome of a request without TLS. */
enum scoreboard_plain {
	SCOREBOARD_PLAIN_REDIRECTED,
	SCOREBOARD_PLAIN_CHALLENGE, /* from the folder, or handed to the upstream */
	SCOREBOARD_PLAIN_OTHER,     /* a refusal, or 204 for OPTIONS * */
	SCOREBOARD_PLAINS
};
void scoreboard_plain(struct scoreboard_worker *worker, enum scoreboard_plain answer);
void scoreboard_handshake_failed(struct scoreboard_worker *worker);

/* An access record is to be written; that many were written or given up, and that many of these were lost. */
void scoreboard_record_taken(struct scoreboard_worker *worker);
void scoreboard_records_settled(struct scoreboard_worker *worker, uint64_t settled, uint64_t lost);

/* A request is over. status 0: without a response. bytes: of bodies. */
void scoreboard_request(struct scoreboard_worker *worker, unsigned status, uint64_t took_ms, uint64_t bytes_in,
			uint64_t bytes_out);

/* A connection ended without sending a byte, or after its handshake without a request. */
void scoreboard_connection_unused(struct scoreboard_worker *worker);

/* An internal check failed (base/require.h). */
void scoreboard_internal_error(struct scoreboard_worker *worker);

/* A request was refused without a verdict. */
void scoreboard_refusal(struct scoreboard_worker *worker, enum gw_problem problem);

/* A pending ask; 0: none. */
typedef unsigned scoreboard_ask;

struct scoreboard_ask_facts {
	const struct sockaddr *client; /* NULL: unknown */
	const char *host;              /* its name in the configuration; NULL: none */
	struct http_span path;
	enum thaw_means means;
	enum thaw_moment moment;
	uint64_t length; /* the body's declared length; UINT64_MAX: not declared */
};
scoreboard_ask scoreboard_ask_begin(struct scoreboard_worker *worker, const struct scoreboard_ask_facts *facts,
				    uint64_t now_ms);

/* drained: bytes of the body so far. asked_ms: when the certificate request was written; 0: not yet. */
void scoreboard_ask_progress(struct scoreboard_worker *worker, scoreboard_ask ask, uint64_t drained, uint64_t asked_ms);

/* The ask is no longer pending; *ask becomes 0. Counts nothing; see scoreboard_verdict(). */
void scoreboard_ask_end(struct scoreboard_worker *worker, scoreboard_ask *ask);

/* The result of an ask, also of one that never started (impossible). wall_ms: since 1970. */
void scoreboard_verdict(struct scoreboard_worker *worker, const struct thaw_report *report, uint64_t drained,
			int64_t wall_ms);

/* How a request to an upstream's server ended. */
enum scoreboard_outcome { SCOREBOARD_ANSWERED, SCOREBOARD_FAILED, SCOREBOARD_TIMED_OUT, SCOREBOARD_OUTCOMES };

/* server: as returned by gw_upconn_ops.server(). took_ms: until the response's head; for ANSWERED only. */
void scoreboard_upstream(struct scoreboard_worker *worker, const struct config_upstream *upstream, const char *server,
			 enum scoreboard_outcome outcome, uint64_t took_ms);

/* The state of one server in a worker's pool: counts since the worker started. */
struct scoreboard_use {
	uint64_t in_use, idle, resting; /* connections; resting: 1 if marked down */
	uint64_t connects, reused, connect_failures, failures;
};
/* upstream, server: indexes in the configuration. */
void scoreboard_pool(struct scoreboard_worker *worker, size_t upstream, size_t server,
		     const struct scoreboard_use *use);

#endif
