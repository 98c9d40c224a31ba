/* Internals of a plan, for plan*.c only. */
#ifndef PROBE_PLAN_INSIDE_H
#define PROBE_PLAN_INSIDE_H

#include "probe/contexts.h"
#include "probe/plan.h"
#include "probe/runner.h"

struct plan {
	const struct probe_options *options;
	struct findings *findings;
	struct contexts *contexts;
	struct runner *runner;
	struct tls_client_memory *memories[FIND_VERSIONS];
	struct tls_client_context *proxy; /* TLS to the proxy; NULL: none */
	char proxy_name[PROBE_NAME_MAX + 1];
	char *tunnel; /* the CONNECT request; NULL: no proxy */
	const char *phase;
	uint64_t began_ms;
	struct thaw_error err; /* the first error that prevented a check */
};

/* ---- plan_checks.c ---- */

enum tls_client_version plan_version(size_t i);
/* TLS_CLIENT_ANY if both are wanted. */
enum tls_client_version plan_any_version(const struct findings *findings);

/* 0: none left. */
uint32_t plan_time_left_ms(const struct plan *plan);

/* False: interrupted, out of time, or failed. */
bool plan_may_go_on(struct plan *plan);

/* On a terminal one line is overwritten; elsewhere each phase prints a line. */
void plan_phase(struct plan *plan, const char *phase);
/* On a terminal: prints the phase and the progress. arg: the plan. */
void plan_tell_progress(void *arg);

/* NULL: not allowed any more, or the check could not be started. */
const struct check *plan_begin(struct plan *plan, const struct check_script *script, const struct context_wish *wish,
			       struct tls_client_memory *memory);

/* A request without a body. */
struct check_script plan_plain_script(const struct plan *plan);
/* A request with a body of that length. */
struct check_script plan_body_script(const struct plan *plan, uint64_t length);

/* The server speaks that version, and HTTP/1.1 over it. */
bool plan_is_usable(const struct find_version *version);

/* The time limit for a stall: --stall, or longer if the server answers small requests slowly. */
uint32_t plan_stall_ms(const struct plan *plan);

/* Requests with and without a small body were answered; otherwise larger ones cannot be judged. */
bool plan_is_answered(const struct find_version *version);

/* ---- the questions ---- */

/* plan_sizes.c: bodies of all sizes. */
void plan_sizes(struct plan *plan);

/* plan_repeat.c: repeats the results that count, and the smallest case after each. */
void plan_repeat(struct plan *plan);
/* Call at the end, when all connections are closed: evaluates those that were watched longest. */
void plan_settle(struct plan *plan);

#endif
