/*
 * The scoreboard: the counters of all workers and their current state, in memory shared by all processes. It
 * outlives workers and configurations.
 *
 * - The master creates it before it forks. - A place is one worker's block of counters. Only that worker writes to it,
 * so counting needs a load and a store. When
 *   the worker has ended, the master gives the place to another worker; the counts are kept.
 * - An upstream's server is identified by its name: its counts continue in the next configuration that has it. - A map
 * has the places of one configuration's servers. - A board_worker is a worker's handle for its place.
 *
 * Every function does nothing if the board or board_worker is NULL. Files: board.c (places and servers), board_count.c
 * (what a worker writes), board_view.h (what a reader sees), board_block.h (the layout in memory).
 */
#ifndef GATEWAY_BOARD_H
#define GATEWAY_BOARD_H

#include "gateway/problem.h"
#include "thaw/ask.h"

struct sockaddr;
struct config;
struct config_upstream;
struct board;
struct board_map;
struct board_worker;

#define BOARD_PLACES_MAX 1024
#define BOARD_SERVERS    256 /* of all upstreams; further ones are not counted separately */
#define BOARD_ASKS       64  /* pending in one worker; further ones are counted, but not listed */

/* ---- in the master ---- */

/* NULL: out of memory. Unused parts cost no memory. */
struct board *board_new(unsigned places);
void board_free(struct board **board);

enum board_phase { BOARD_STARTING, BOARD_SERVING, BOARD_STOPPING, BOARD_PHASES };

/* configuration: its number; it has that many workers. */
void board_enter(struct board *board, enum board_phase phase, unsigned configuration, unsigned workers);
/* A reload was refused, for this cause. It stays on the board until board_enter(). */
void board_refuse(struct board *board, const char *why, uint64_t now_ms);

/* A free place for a new worker; -1: none, or board is NULL. */
int board_take(struct board *board, unsigned configuration);

/* Call when the worker's process has ended, or failed to start: its connections count as closed, its counts are
 * kept. place -1: does nothing. Returns how many access records it had not written; they are counted as lost. */
uint64_t board_reclaim(struct board *board, int place);

/* Registers all servers of the configuration, which is borrowed. NULL: out of memory, or board is NULL. */
struct board_map *board_map_new(struct board *board, const struct config *config);
/* Call when the configuration has no more workers. */
void board_map_free(struct board_map **map);

/* ---- in a worker ---- */

/* Call after the fork. map may be NULL. NULL: board is NULL, place is -1, or out of memory. */
struct board_worker *board_open(struct board *board, int place, const struct board_map *map);
void board_close(struct board_worker **worker);

/* Call about once per second. The first call says that the worker is ready. */
void board_alive(struct board_worker *worker, uint64_t now_ms);

void board_connection_opened(struct board_worker *worker);
void board_connection_closed(struct board_worker *worker);

/* At a connection limit: a waiting connection was closed, or a new one was refused. kind: 0 to BOARD_KINDS - 1, as
 * in loop/clients.h. per_client: because of the limit per client. */
#define BOARD_KINDS 3
void board_connection_evicted(struct board_worker *worker, unsigned kind);
void board_connection_refused(struct board_worker *worker, bool per_client);
/* Whether the worker can take no connection, because none can be closed for a new one. */
void board_full(struct board_worker *worker, bool full);

/* version: as OpenSSL names it, such as "TLSv1.3". */
void board_handshake(struct board_worker *worker, const char *version, bool resumed);
/* A handshake with an ask on demand is complete; why: enum tls_demand (tls/server.h), 0 does nothing. */
#define BOARD_DEMANDS 4
void board_on_demand(struct board_worker *worker, unsigned why);
/* A note was made for a client whose HTTP/2 stream was reset. */
void board_note(struct board_worker *worker);
/* A request without TLS, and what it got. */
enum board_plain {
	BOARD_PLAIN_REDIRECTED,
	BOARD_PLAIN_CHALLENGE, /* from the folder, or handed to the upstream */
	BOARD_PLAIN_OTHER,     /* a refusal, or 204 for OPTIONS * */
	BOARD_PLAINS
};
void board_plain(struct board_worker *worker, enum board_plain answer);
void board_handshake_failed(struct board_worker *worker);

/* An access record is to be written; that many were written or given up, and that many of these were lost. */
void board_record_taken(struct board_worker *worker);
void board_records_settled(struct board_worker *worker, uint64_t settled, uint64_t lost);

/* A request is over. status 0: without a response. bytes: of bodies. */
void board_request(struct board_worker *worker, unsigned status, uint64_t took_ms, uint64_t bytes_in,
		   uint64_t bytes_out);

/* A connection ended without a byte, or after its handshake without a request. */
void board_connection_unused(struct board_worker *worker);

/* An internal check failed (base/require.h). */
void board_internal_error(struct board_worker *worker);

/* A request was refused without a verdict. */
void board_refusal(struct board_worker *worker, enum gw_problem problem);

/* A pending ask; 0: none. */
typedef unsigned board_ask;

struct board_ask_facts {
	const struct sockaddr *client; /* NULL: unknown */
	const char *host;              /* its name in the configuration; NULL: none */
	struct http_span path;
	enum thaw_means means;
	enum thaw_moment moment;
	uint64_t length; /* the body's declared length; UINT64_MAX: not declared */
};
board_ask board_ask_begin(struct board_worker *worker, const struct board_ask_facts *facts, uint64_t now_ms);

/* drained: bytes of the body so far. asked_ms: when the certificate request was written; 0: not yet. */
void board_ask_progress(struct board_worker *worker, board_ask ask, uint64_t drained, uint64_t asked_ms);

/* It is no longer pending; *ask becomes 0. Counts nothing; see board_verdict(). */
void board_ask_end(struct board_worker *worker, board_ask *ask);

/* The result of an ask, also of one that never started (impossible). wall_ms: since 1970. */
void board_verdict(struct board_worker *worker, const struct thaw_report *report, uint64_t drained, int64_t wall_ms);

/* How a request to an upstream's server ended. */
enum board_outcome { BOARD_ANSWERED, BOARD_FAILED, BOARD_TIMED_OUT, BOARD_OUTCOMES };

/* server: as returned by gw_leg_ops.server(). took_ms: until the response's head; for ANSWERED only. */
void board_upstream(struct board_worker *worker, const struct config_upstream *upstream, const char *server,
		    enum board_outcome outcome, uint64_t took_ms);

/* The state of one server in a worker's pool: counts since the worker started. */
struct board_use {
	uint64_t in_use, idle, resting; /* connections; resting: 1 if marked down */
	uint64_t connects, reused, connect_failures, failures;
};
/* upstream, server: indexes in the configuration. */
void board_pool(struct board_worker *worker, size_t upstream, size_t server, const struct board_use *use);

#endif
