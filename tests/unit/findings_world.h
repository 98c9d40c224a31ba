/* Constructed findings, without real checks, for tests of the verdict and the reports. */
#ifndef UNIT_FINDINGS_WORLD_H
#define UNIT_FINDINGS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/check_inside.h"
#include "probe/server.h"

#define MAX_BODY 16777216
#define POOL     64

static struct check pool[POOL];
static size_t used;
static struct findings found;
static struct server_guess guess;

/* Whether the text contains all these words in this order; '|' separates them. */
static inline bool has_words(const char *text, const char *words)
{
	char list[512], *rest = list, *word;

	assert_true(strlen(words) < sizeof(list));
	(void)snprintf(list, sizeof(list), "%s", words);
	while ((word = strsep(&rest, "|")) != NULL) {
		if ((text = strstr(text, word)) == NULL)
			return false;
		text += strlen(word);
	}
	return true;
}

static inline struct check *made(enum check_outcome outcome, unsigned status)
{
	assert_true(used < POOL);
	struct check *check = &pool[used++];
	memset(check, 0, sizeof(*check));
	check->script.method = "PUT";
	check->result.outcome = outcome;
	check->result.status = status;
	return check;
}

static inline struct check *asked(enum check_moment moment, size_t version)
{
	struct check *check = made(CHECK_ANSWERED, 200);

	check->result.asked = moment;
	check->result.version = version == FIND_12 ? 12 : 13;
	check->result.means = version == FIND_12 ? THAW_MEANS_RENEGOTIATION : THAW_MEANS_POST_HANDSHAKE;
	check->result.given = moment != CHECK_NEVER;
	return check;
}

/* Findings of a server without a problem, over both versions. */
static inline void begin(enum check_moment moment)
{
	used = 0;
	found = (struct findings){.max_body = MAX_BODY, .wanted = {true, true}, .method = "PUT"};
	guess = (struct server_guess){.kind = SERVER_UNKNOWN};
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		struct find_version *version = &found.versions[i];
		version->plain = asked(moment, i);
		version->paused = asked(moment, i);
		version->waits = made(CHECK_ANSWERED, 200);
		version->eager = made(CHECK_ANSWERED, 200);
		version->primed = made(CHECK_ANSWERED, 200);
		for (size_t style = 0; style < 2; style++) {
			struct find_bodies *bodies = &version->bodies[style];
			bodies->began = bodies->done = true;
			bodies->largest = made(CHECK_ANSWERED, 200);
			bodies->boundary.good = MAX_BODY;
		}
	}
}

/* Sets the first bad body of that style, over that version. */
static inline struct sizes_boundary *change(size_t version, enum check_style style, uint64_t bad,
					    const struct check *first)
{
	struct find_bodies *bodies = &found.versions[version].bodies[style];

	bodies->boundary = (struct sizes_boundary){.found = true, .good = bad - 1, .bad = bad, .exact = true};
	bodies->first_bad = first;
	return &bodies->boundary;
}

/* All repeated checks had the same result, also the smallest request after them. */
static inline void repeat_all(void)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		found.versions[i].again = found.versions[i].paused;
	find_claims(&found);
	for (size_t k = 0; k < found.claim_count; k++)
		found.claims[k].second = found.claims[k].first;
}

static inline void change_all(uint64_t bad, enum check_outcome outcome, unsigned status)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (int style = 0; style < 2; style++)
			(void)change(i, (enum check_style)style, bad, made(outcome, status));
}

#endif
