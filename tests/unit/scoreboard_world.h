/* A scoreboard with workers and servers, for tests of the code that counts on it and of the code that reads it. */
#ifndef SCOREBOARD_WORLD_H
#define SCOREBOARD_WORLD_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "gateway/scoreboard_view.h"

#define NOW_MS  UINT64_C(1000000)
#define WALL_MS INT64_C(1795459200000) /* the start of a step */

/* ---- failing allocations */

static long calls_left = -1; /* the allocation with this number and all later ones fail; -1: none */

static inline bool may_allocate(void)
{
	if (calls_left > 0)
		calls_left--;
	return calls_left != 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
	return may_allocate() ? __real_realloc(memory, size) : NULL;
}

/* ---- a world */

/* A configuration with these upstreams, in YAML's flow style: "{ a: { servers: [ ... ] } }". */
static inline struct config *config_with(const char *upstreams)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char *text = NULL;
	int len = asprintf(&text,
			   "listen: [ { address: '127.0.0.1:0' } ]\n"
			   "spool: { memory: 16MiB }\n"
			   "hosts:\n"
			   "  - name: '*'\n"
			   "    certificate: a.pem\n"
			   "    key: a.key\n"
			   "    routes: [ { path: /, upstream: 'builtin:sink' } ]\n"
			   "upstreams: %s\n",
			   upstreams);

	assert_true(len > 0);
	struct config *config = config_parse(text, (size_t)len, "test", NULL, &err);
	if (config == NULL)
		fail_msg("%s", err.text);
	free(text);
	return config;
}

static inline struct scoreboard *new_scoreboard(unsigned places)
{
	struct scoreboard *scoreboard = scoreboard_new(places);

	assert_non_null(scoreboard);
	return scoreboard;
}

static inline struct scoreboard_worker *new_worker(struct scoreboard *scoreboard, unsigned configuration,
						   const struct scoreboard_map *map, int *place)
{
	int taken = scoreboard_take(scoreboard, configuration);

	assert_true(taken >= 0);
	struct scoreboard_worker *worker = scoreboard_open(scoreboard, taken, map);
	assert_non_null(worker);
	if (place != NULL)
		*place = taken;
	return worker;
}

static inline struct scoreboard_view *look(const struct scoreboard *scoreboard)
{
	struct scoreboard_view *view = scoreboard_view_new(scoreboard, NOW_MS, WALL_MS);

	assert_non_null(view);
	return view;
}

static inline struct thaw_report a_verdict(enum thaw_means means, enum thaw_verdict verdict, enum thaw_reason reason,
					   uint64_t took_ms)
{
	return (struct thaw_report){.means = means,
				    .moment = THAW_MOMENT_HEADERS,
				    .verdict = verdict,
				    .reason = reason,
				    .asked_ms = 10,
				    .ended_ms = 10 + took_ms};
}

static inline scoreboard_ask ask_at(struct scoreboard_worker *worker, const char *path, uint64_t now_ms)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(49152)};
	struct scoreboard_ask_facts facts = {.client = (const struct sockaddr *)&peer,
					     .host = "a.example",
					     .path = {path, strlen(path)},
					     .means = THAW_MEANS_POST_HANDSHAKE,
					     .moment = THAW_MOMENT_HEADERS,
					     .length = 1000};

	(void)inet_pton(AF_INET, "192.0.2.1", &peer.sin_addr);
	return scoreboard_ask_begin(worker, &facts, now_ms);
}

#endif
