/*
 * The board: what all workers have counted, and what they do right now, in memory that all processes share. It outlives
 * workers and configurations.
 *
 * - The board is made by the master before it forks anybody.
 * - A place is one worker's block of counters. Only that worker writes to it, so to count is to load and to store. When
 *   the worker is gone the master gives the place to another, and what was counted stays.
 * - A server of an upstream is known by its name: configurations that have it in common count on.
 * - A map tells where the servers of one configuration are on the board.
 * - A board_worker is a worker's way to its place.
 *
 * Every function here does nothing on a NULL board or board_worker: nobody wants to see. Files: board.c (places and
 * servers), board_count.c (what a worker writes), board_view.h (what a reader sees), board_block.h (how it lies in
 * memory).
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
#define BOARD_SERVERS    256 /* of all upstreams; those beyond are not counted one by one */
#define BOARD_ASKS       64  /* under way in one worker; those beyond are counted, but not listed */

/* ---- in the master ---- */

/* NULL: the system had no memory. What is never used costs none. */
struct board *board_new(unsigned places);
void board_free(struct board **board);

enum board_phase { BOARD_STARTING, BOARD_SERVING, BOARD_STOPPING, BOARD_PHASES };

/* configuration: the number of the one that serves, with so many workers. */
void board_enter(struct board *board, enum board_phase phase, unsigned configuration, unsigned workers);
/* A reload was refused, for this cause. It stays on the board until board_enter(). */
void board_refuse(struct board *board, const char *why, uint64_t now_ms);

/* A free place for a worker that is about to be started; -1: none is left, or board is NULL. */
int board_take(struct board *board, unsigned configuration);

/* Once that worker's process has ended, or could not be started: what it had open is closed, what it counted stays.
 * place: -1 does nothing. How many access records it had not written; they are counted as lost. */
uint64_t board_reclaim(struct board *board, int place);

/* Names all servers of the configuration, which is borrowed. NULL: no memory, or board is NULL. */
struct board_map *board_map_new(struct board *board, const struct config *config);
/* Once no worker of that configuration is left. */
void board_map_free(struct board_map **map);

/* ---- in a worker ---- */

/* After the fork. map: may be NULL. NULL: board is NULL, place is -1, or no memory. */
struct board_worker *board_open(struct board *board, int place, const struct board_map *map);
void board_close(struct board_worker **worker);

/* It turns: to be called every second or so. The first time says that it is ready. */
void board_alive(struct board_worker *worker, uint64_t now_ms);

void board_connection_opened(struct board_worker *worker);
void board_connection_closed(struct board_worker *worker);

/* At the limits of connections: one that waited was closed, a new one was refused. kind: 0 to BOARD_KINDS - 1, as
 * loop/clients.h has them. per_client: because of its client's limit. */
#define BOARD_KINDS 3
void board_connection_evicted(struct board_worker *worker, unsigned kind);
void board_connection_refused(struct board_worker *worker, bool per_client);
/* It can take no connection, and close none for another: or it can again. */
void board_full(struct board_worker *worker, bool full);

/* version: as OpenSSL names it, such as "TLSv1.3". */
void board_handshake(struct board_worker *worker, const char *version, bool resumed);
/* A handshake that asked on demand is completed; why: enum tls_demand (tls/server.h), 0 does nothing. */
#define BOARD_DEMANDS 4
void board_on_demand(struct board_worker *worker, unsigned why);
/* A client was sent away from HTTP/2, and that is noted. */
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

/* An access record is to be written; so many have been, or were given up, and of these so many are lost. */
void board_record_taken(struct board_worker *worker);
void board_records_settled(struct board_worker *worker, uint64_t settled, uint64_t lost);

/* A request is over. status 0: without a response. bytes: of bodies. */
void board_request(struct board_worker *worker, unsigned status, uint64_t took_ms, uint64_t bytes_in,
		   uint64_t bytes_out);

/* A connection has ended without a byte, or after its handshake, and without a request. */
void board_connection_unused(struct board_worker *worker);

/* A check of our own logic was broken (base/require.h). */
void board_internal_error(struct board_worker *worker);

/* A request is refused before, or instead of, a verdict. */
void board_refusal(struct board_worker *worker, enum gw_problem problem);

/* An ask that is under way; 0: there is none. */
typedef unsigned board_ask;

struct board_ask_facts {
	const struct sockaddr *client; /* NULL: unnamed */
	const char *host;              /* the settings' name of it; NULL: none */
	struct http_span path;
	enum thaw_means means;
	enum thaw_moment moment;
	uint64_t length; /* the body's declared length; UINT64_MAX: not declared */
};
board_ask board_ask_begin(struct board_worker *worker, const struct board_ask_facts *facts, uint64_t now_ms);

/* drained: bytes of body so far. asked_ms: when the request for the certificate was written; 0: not yet. */
void board_ask_progress(struct board_worker *worker, board_ask ask, uint64_t drained, uint64_t asked_ms);

/* It is no longer under way; *ask is 0 afterwards. Counts nothing: that is board_verdict(). */
void board_ask_end(struct board_worker *worker, board_ask *ask);

/* An ask's story, told to its end, also of one that was never begun (impossible). wall_ms: since 1970. */
void board_verdict(struct board_worker *worker, const struct thaw_report *report, uint64_t drained, int64_t wall_ms);

/* How a request to an upstream's server ended. */
enum board_outcome { BOARD_ANSWERED, BOARD_FAILED, BOARD_TIMED_OUT, BOARD_OUTCOMES };

/* server: as gw_leg_ops.server() names it. took_ms: until the response's head was there; for ANSWERED only. */
void board_upstream(struct board_worker *worker, const struct config_upstream *upstream, const char *server,
		    enum board_outcome outcome, uint64_t took_ms);

/* What a worker's pool knows of one server: counts since the worker began. */
struct board_use {
	uint64_t in_use, idle, resting; /* connections; resting: 1 or 0 */
	uint64_t connects, reused, connect_failures, failures;
};
/* upstream, server: places in the configuration. */
void board_pool(struct board_worker *worker, size_t upstream, size_t server, const struct board_use *use);

#endif
