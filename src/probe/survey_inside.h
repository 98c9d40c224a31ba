/* The inside of a survey, for survey*.c alone. */
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
	char *tunnel; /* the CONNECT; NULL: there is no proxy */
	const char *phase;
	uint64_t began_ms;
	struct thaw_error err; /* the first that kept a trial from being begun */
};

/* ---- survey_trials.c ---- */

enum tls_client_version survey_version(size_t i);
/* TLS_CLIENT_ANY where both are wanted. */
enum tls_client_version survey_any_version(const struct findings *findings);

/* 0: its time is over. */
uint32_t survey_time_left_ms(const struct survey *survey);

/* False: it was interrupted, its time is over, or something failed. */
bool survey_may_go_on(struct survey *survey);

/* On a terminal the line is written over; elsewhere there is a line a phase. */
void survey_phase(struct survey *survey, const char *phase);
/* On a terminal: the phase, and how much was done. arg: the survey. */
void survey_tell_progress(void *arg);

/* NULL: it may not go on, or the trial could not be begun. */
const struct trial *survey_begin(struct survey *survey, const struct trial_script *script,
				 const struct context_wish *wish, struct tls_client_memory *memory);

/* A request without a body. */
struct trial_script survey_plain_script(const struct survey *survey);
/* One with a body of that length. */
struct trial_script survey_body_script(const struct survey *survey, uint64_t length);

/* It spoke that version, and HTTP/1.1 over it. */
bool survey_is_usable(const struct find_version *version);

/* What counts as a stall here: --stall, or longer where the server answers small requests more slowly than that. */
uint32_t survey_stall_ms(const struct survey *survey);

/* Requests with and without a small body were answered at all: else nothing can be told of larger ones. */
bool survey_is_answered(const struct find_version *version);

/* ---- the questions ---- */

/* survey_sizes.c: the bodies of every size. */
void survey_sizes(struct survey *survey);

/* survey_repeat.c: what would be found is tried again, and the smallest case after it. */
void survey_repeat(struct survey *survey);
/* At the end, when all connections are over: what those say that were watched longest. */
void survey_settle(struct survey *survey);

#endif
