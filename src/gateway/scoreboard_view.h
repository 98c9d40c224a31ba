/*
 * A reader's view of the scoreboard: sums over all workers, including ended ones, and lists of what is pending. The
 * workers continue to count while it is taken: each number is correct, but two may be from slightly different times.
 */
#ifndef GATEWAY_SCOREBOARD_VIEW_H
#define GATEWAY_SCOREBOARD_VIEW_H

#include "gateway/scoreboard.h"

#define SCOREBOARD_MEANS    (THAW_MEANS_RENEGOTIATION + 1)
#define SCOREBOARD_MOMENTS  (THAW_MOMENT_RESPONSE + 1)
#define SCOREBOARD_VERDICTS (THAW_VERDICT_CANCELLED + 1)
#define SCOREBOARD_REASONS  (THAW_REASON_BUDGET_PRESSURE + 1)
#define SCOREBOARD_PROBLEMS GW_PROBLEMS

#define SCOREBOARD_CLASSES   6 /* status classes: none, 1xx to 5xx; larger ones count as 5xx (RFC 9110 15) */
#define SCOREBOARD_BUCKETS   12
#define SCOREBOARD_STEPS     90 /* length of the verdicts' history */
#define SCOREBOARD_STEP_MS   10000
#define SCOREBOARD_SILENT_MS 5000 /* a worker without a sign of life for longer counts as stuck */
#define SCOREBOARD_LISTED    256  /* maximum number of asks; the oldest ones */

#define SCOREBOARD_CLIENT_MAX   64 /* each includes the NUL */
#define SCOREBOARD_HOST_MAX     64
#define SCOREBOARD_PATH_MAX     88 /* 80 bytes are kept */
#define SCOREBOARD_UPSTREAM_MAX 64
#define SCOREBOARD_SERVER_MAX   192

/* The upper bounds of a histogram's buckets; one more bucket has all larger values. */
extern const uint64_t scoreboard_human_ms[SCOREBOARD_BUCKETS];   /* for times that depend on people */
extern const uint64_t scoreboard_machine_ms[SCOREBOARD_BUCKETS]; /* for times of machines */

struct scoreboard_histogram {
	uint64_t counts[SCOREBOARD_BUCKETS + 1]; /* not cumulative */
	uint64_t sum_ms;
};

/* Only uint64_t members in these two, because they are summed as arrays. Gauges come first. */
struct scoreboard_sums {
	uint64_t connections_open, asks_open;
	uint64_t records_waiting; /* access records that are not written yet */
	uint64_t full;            /* number of workers that can take no connection */
	uint64_t connections;
	uint64_t evicted[SCOREBOARD_KINDS];
	uint64_t refused[2];       /* by the limit of all, by the client's */
	uint64_t handshakes[3][2]; /* TLS 1.2, 1.3, other; not resumed, resumed */
	uint64_t handshakes_failed;
	uint64_t on_demand[SCOREBOARD_DEMANDS]; /* by enum tls_demand */
	uint64_t notes;
	uint64_t plain[SCOREBOARD_PLAINS];
	uint64_t records, records_lost; /* access records; those that were never written */
	uint64_t internal_errors;       /* failed internal checks: base/require.h */
	uint64_t connections_unused;    /* ended without a byte, or after the handshake without a request */
	uint64_t requests[SCOREBOARD_CLASSES];
	uint64_t bytes_in, bytes_out, drained;
	uint64_t refusals[SCOREBOARD_PROBLEMS];
	struct scoreboard_histogram request_ms;
	struct scoreboard_histogram ask_ms[2]; /* not accepted, accepted */
	uint64_t asks[SCOREBOARD_MEANS][SCOREBOARD_MOMENTS][SCOREBOARD_VERDICTS][SCOREBOARD_REASONS];
};
struct scoreboard_server_sums {
	struct scoreboard_use use; /* resting: number of workers */
	uint64_t outcomes[SCOREBOARD_OUTCOMES];
	struct scoreboard_histogram answer_ms;
};
/* A word of the sums: SCOREBOARD_AT(requests) + 2. */
#define SCOREBOARD_AT(member)    (offsetof(struct scoreboard_sums, member) / sizeof(uint64_t))
#define SCOREBOARD_GAUGES        (offsetof(struct scoreboard_sums, connections) / sizeof(uint64_t))
#define SCOREBOARD_SERVER_GAUGES (offsetof(struct scoreboard_use, connects) / sizeof(uint64_t))

enum scoreboard_worker_state {
	SCOREBOARD_WORKER_STARTING,
	SCOREBOARD_WORKER_SERVING,
	SCOREBOARD_WORKER_RETIRING, /* of an earlier configuration: finishing its requests */
	SCOREBOARD_WORKER_SILENT,   /* stuck */
	SCOREBOARD_WORKER_STATES
};
struct scoreboard_worker_view {
	int pid; /* 0: just being started */
	unsigned configuration;
	enum scoreboard_worker_state state;
	uint64_t connections, asks; /* open now */
	bool full;                  /* no connection can be taken */
	uint64_t silent_ms;         /* time since the last sign of life */
};

/* Text: printable ASCII; other characters become '?', longer text is cut. */
struct scoreboard_ask_view {
	char client[SCOREBOARD_CLIENT_MAX], host[SCOREBOARD_HOST_MAX], path[SCOREBOARD_PATH_MAX];
	enum thaw_means means;
	enum thaw_moment moment;
	uint64_t began_ms;
	uint64_t asked_ms; /* 0: not yet */
	uint64_t length;   /* UINT64_MAX: not declared */
	uint64_t drained;
	int worker; /* its process */
};

struct scoreboard_server_view {
	char upstream[SCOREBOARD_UPSTREAM_MAX], server[SCOREBOARD_SERVER_MAX];
	struct scoreboard_server_sums sums;
};

#define SCOREBOARD_REFUSAL_MAX 512

/* Why the last reload was refused, or why changed files are not loaded. */
struct scoreboard_refusal {
	uint64_t since_ms; /* on the clock of the workers */
	char why[SCOREBOARD_REFUSAL_MAX];
};

struct scoreboard_view {
	enum scoreboard_phase phase;
	unsigned configuration;
	unsigned workers_wanted, workers_ready, workers_full; /* of that configuration */
	bool full;                                            /* no worker can take a connection */
	bool ready;               /* it serves, no worker is stuck, and connections are taken */
	uint64_t reloads_refused; /* since the start */
	bool refused;             /* the last reload was refused */
	struct scoreboard_refusal refusal;
	bool held; /* watch_files has found changed files that cannot be loaded */
	struct scoreboard_refusal hold;
	struct scoreboard_sums sums;
	uint64_t steps[SCOREBOARD_STEPS][SCOREBOARD_VERDICTS]; /* oldest first; the last step is still open */
	int64_t steps_end_ms;                                  /* end of the last step; since 1970 */
	struct scoreboard_worker_view *workers;
	size_t worker_count;
	struct scoreboard_ask_view *asks; /* the oldest first */
	size_t ask_count;
	struct scoreboard_server_view *servers;
	size_t server_count;
};

/* wall_ms: since 1970. NULL: out of memory. */
struct scoreboard_view *scoreboard_view_new(const struct scoreboard *scoreboard, uint64_t now_ms, int64_t wall_ms);
void scoreboard_view_free(struct scoreboard_view **view);

#endif
