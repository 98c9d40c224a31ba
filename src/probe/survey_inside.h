/* Internals of a survey, for survey*.c only. */
#ifndef PROBE_SURVEY_INSIDE_H
#define PROBE_SURVEY_INSIDE_H

#include "probe/contexts.h"
#include "probe/crew.h"
#include "probe/survey.h"

struct survey {
	const struct probe_options *options;
	struct findings *findings;
	struct contexts *contexts;
	struct crew *crew;
	struct tls_client_memory *memories[FIND_VERSIONS];
	struct tls_client_context *proxy; /* TLS to the proxy; NULL: none */
	char proxy_name[PROBE_NAME_MAX + 1];
	char *tunnel; /* the CONNECT request; NULL: no proxy */
	const char *phase;
	uint64_t began_ms;
	struct thaw_error err; /* the first error that prevented a trial */
};

/* ---- survey_trials.c ---- */

enum tls_client_version survey_version(size_t i);
/* TLS_CLIENT_ANY if both are wanted. */
enum tls_client_version survey_any_version(const struct findings *findings);

/* 0: none left. */
uint32_t survey_time_left_ms(const struct survey *survey);

/* False: interrupted, out of time, or failed. */
bool survey_may_go_on(struct survey *survey);

/* On a terminal one line is overwritten; elsewhere each phase prints a line. */
void survey_phase(struct survey *survey, const char *phase);
/* On a terminal: prints the phase and the progress. arg: the survey. */
void survey_tell_progress(void *arg);

/* NULL: not allowed any more, or the trial could not be started. */
const struct trial *survey_begin(struct survey *survey, const struct trial_script *script,
				 const struct context_wish *wish, struct tls_client_memory *memory);

/* A request without a body. */
struct trial_script survey_plain_script(const struct survey *survey);
/* A request with a body of that length. */
struct trial_script survey_body_script(const struct survey *survey, uint64_t length);

/* The server speaks that version, and HTTP/1.1 over it. */
bool survey_is_usable(const struct find_version *version);

/* The time limit for a stall: --stall, or longer if the server answers small requests slowly. */
uint32_t survey_stall_ms(const struct survey *survey);

/* Requests with and without a small body were answered; otherwise larger ones cannot be judged. */
bool survey_is_answered(const struct find_version *version);

/* ---- the questions ---- */

/* survey_sizes.c: bodies of all sizes. */
void survey_sizes(struct survey *survey);

/* survey_repeat.c: repeats the results that count, and the smallest case after each. */
void survey_repeat(struct survey *survey);
/* Call at the end, when all connections are closed: evaluates those that were watched longest. */
void survey_settle(struct survey *survey);

#endif
