/*
 * A reader's view of the scoreboard: sums over all workers, including ended ones, and lists of what is pending. The
 * workers continue to count while it is taken: each number is correct, but two may be from slightly different times.
 */
#ifndef GATEWAY_BOARD_VIEW_H
#define GATEWAY_BOARD_VIEW_H

#include "gateway/board.h"

#define BOARD_MEANS    (THAW_MEANS_RENEGOTIATION + 1)
#define BOARD_MOMENTS  (THAW_MOMENT_RESPONSE + 1)
#define BOARD_VERDICTS (THAW_VERDICT_CANCELLED + 1)
#define BOARD_REASONS  (THAW_REASON_BUDGET_PRESSURE + 1)
#define BOARD_PROBLEMS GW_PROBLEMS

#define BOARD_CLASSES   6 /* status classes: none, 1xx to 5xx; larger ones count as 5xx (RFC 9110 15) */
#define BOARD_BUCKETS   12
#define BOARD_STEPS     90 /* length of the verdicts' history */
#define BOARD_STEP_MS   10000
#define BOARD_SILENT_MS 5000 /* a worker without a sign of life for longer counts as stuck */
#define BOARD_LISTED    256  /* maximum number of asks; the oldest ones */

#define BOARD_CLIENT_MAX   64 /* each includes the NUL */
#define BOARD_HOST_MAX     64
#define BOARD_PATH_MAX     88 /* 80 bytes are kept */
#define BOARD_UPSTREAM_MAX 64
#define BOARD_SERVER_MAX   192

/* The upper bounds of a histogram's buckets; one more bucket has all larger values. */
extern const uint64_t board_human_ms[BOARD_BUCKETS];   /* for durations of people */
extern const uint64_t board_machine_ms[BOARD_BUCKETS]; /* for durations of machines */

struct board_histogram {
	uint64_t counts[BOARD_BUCKETS + 1]; /* not cumulative */
	uint64_t sum_ms;
};

/* Only uint64_t members in these two, because they are summed as arrays. Gauges come first. */
struct board_sums {
	uint64_t connections_open, asks_open;
	uint64_t records_waiting; /* access records that are not written yet */
	uint64_t full;            /* number of workers that can take no connection */
	uint64_t connections;
	uint64_t evicted[BOARD_KINDS];
	uint64_t refused[2];       /* by the limit of all, by the client's */
	uint64_t handshakes[3][2]; /* TLS 1.2, 1.3, other; not resumed, resumed */
	uint64_t handshakes_failed;
	uint64_t on_demand[BOARD_DEMANDS]; /* by enum tls_demand */
	uint64_t notes;
	uint64_t plain[BOARD_PLAINS];
	uint64_t records, records_lost; /* access records; those that were never written */
	uint64_t internal_errors;       /* failed internal checks: base/require.h */
	uint64_t connections_unused;    /* ended without a byte, or after the handshake without a request */
	uint64_t requests[BOARD_CLASSES];
	uint64_t bytes_in, bytes_out, drained;
	uint64_t refusals[BOARD_PROBLEMS];
	struct board_histogram request_ms;
	struct board_histogram ask_ms[2]; /* not accepted, accepted */
	uint64_t asks[BOARD_MEANS][BOARD_MOMENTS][BOARD_VERDICTS][BOARD_REASONS];
};
struct board_server_sums {
	struct board_use use; /* resting: number of workers */
	uint64_t outcomes[BOARD_OUTCOMES];
	struct board_histogram answer_ms;
};
/* A word of the sums: BOARD_AT(requests) + 2. */
#define BOARD_AT(member)    (offsetof(struct board_sums, member) / sizeof(uint64_t))
#define BOARD_GAUGES        (offsetof(struct board_sums, connections) / sizeof(uint64_t))
#define BOARD_SERVER_GAUGES (offsetof(struct board_use, connects) / sizeof(uint64_t))

enum board_worker_state {
	BOARD_WORKER_STARTING,
	BOARD_WORKER_SERVING,
	BOARD_WORKER_RETIRING, /* of an earlier configuration: finishing its requests */
	BOARD_WORKER_SILENT,   /* stuck */
	BOARD_WORKER_STATES
};
struct board_worker_view {
	int pid; /* 0: just being started */
	unsigned configuration;
	enum board_worker_state state;
	uint64_t connections, asks; /* open now */
	bool full;                  /* no connection can be taken */
	uint64_t silent_ms;         /* time since the last sign of life */
};

/* Text: printable ASCII; other characters become '?', longer text is cut. */
struct board_ask_view {
	char client[BOARD_CLIENT_MAX], host[BOARD_HOST_MAX], path[BOARD_PATH_MAX];
	enum thaw_means means;
	enum thaw_moment moment;
	uint64_t began_ms;
	uint64_t asked_ms; /* 0: not yet */
	uint64_t length;   /* UINT64_MAX: not declared */
	uint64_t drained;
	int worker; /* its process */
};

struct board_server_view {
	char upstream[BOARD_UPSTREAM_MAX], server[BOARD_SERVER_MAX];
	struct board_server_sums sums;
};

#define BOARD_REFUSAL_MAX 512

/* The last reload, if it was refused. */
struct board_refusal {
	uint64_t since_ms; /* on the clock of the workers */
	char why[BOARD_REFUSAL_MAX];
};

struct board_view {
	enum board_phase phase;
	unsigned configuration;
	unsigned workers_wanted, workers_ready, workers_full; /* of that configuration */
	bool full;                                            /* no worker can take a connection */
	bool ready;               /* it serves, no worker is stuck, and connections are taken */
	uint64_t reloads_refused; /* since the start */
	bool refused;             /* the last reload was */
	struct board_refusal refusal;
	struct board_sums sums;
	uint64_t steps[BOARD_STEPS][BOARD_VERDICTS]; /* oldest first; the last step is still open */
	int64_t steps_end_ms;                        /* end of the last step; since 1970 */
	struct board_worker_view *workers;
	size_t worker_count;
	struct board_ask_view *asks; /* the oldest first */
	size_t ask_count;
	struct board_server_view *servers;
	size_t server_count;
};

/* wall_ms: since 1970. NULL: no memory. */
struct board_view *board_view_new(const struct board *board, uint64_t now_ms, int64_t wall_ms);
void board_view_free(struct board_view **view);

#endif
