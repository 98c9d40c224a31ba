#include <stdlib.h>

#include "gateway/scoreboard_block.h"

#define TRIES 8 /* attempts to read a text that is being written; then it is omitted */

static void add(uint64_t *to, const scoreboard_word *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] += scoreboard_word_read(&from[i]);
}

/* Uses a copy, because a struct is not an array. */
static void add_sums(struct scoreboard_sums *to, const struct scoreboard_block *block)
{
	uint64_t words[SCOREBOARD_WORDS(struct scoreboard_sums)];

	memcpy(words, to, sizeof(words));
	add(words, block->sums, SCOREBOARD_WORDS(words));
	memcpy(to, words, sizeof(words));
}

static void add_server_sums(struct scoreboard_server_sums *to, const struct scoreboard_block *block, size_t server)
{
	uint64_t words[SCOREBOARD_WORDS(struct scoreboard_server_sums)];

	memcpy(words, to, sizeof(words));
	add(words, block->servers[server], SCOREBOARD_WORDS(words));
	memcpy(to, words, sizeof(words));
}

static bool load_text(const scoreboard_word *seq, const scoreboard_word *from, void *to, size_t words)
{
	for (int i = 0; i < TRIES; i++)
		if (scoreboard_words_load(seq, from, to, words))
			return true;
	return false;
}

/* The shared text may be unterminated or invalid. */
static void take_text(char *to, const char *from, size_t room)
{
	scoreboard_text(to, room, from, strnlen(from, room));
}

/* ---- the last verdicts ---- */

static void add_step(struct scoreboard_view *view, const struct scoreboard_step *step, uint64_t last)
{
	uint64_t verdicts[SCOREBOARD_VERDICTS] = {0};
	uint64_t stamp = atomic_load_explicit(&step->stamp, memory_order_acquire);

	if (stamp == 0 || stamp > last || last - stamp >= SCOREBOARD_STEPS)
		return;
	add(verdicts, step->verdicts, SCOREBOARD_VERDICTS);
	atomic_thread_fence(memory_order_acquire);
	if (scoreboard_word_read(&step->stamp) != stamp)
		return; /* another step has just replaced it */
	for (size_t i = 0; i < SCOREBOARD_VERDICTS; i++)
		view->steps[SCOREBOARD_STEPS - 1 - (last - stamp)][i] += verdicts[i];
}

/* ---- pending asks ---- */

static void add_ask(struct scoreboard_view *view, const struct scoreboard_ask_slot *slot, int worker)
{
	struct scoreboard_ask_text text;
	struct scoreboard_ask_view ask = {.drained = scoreboard_word_read(&slot->drained),
					  .asked_ms = scoreboard_word_read(&slot->asked_ms),
					  .worker = worker};
	size_t at = view->ask_count;

	if (!load_text(&slot->seq, slot->text, &text, SCOREBOARD_WORDS(text)) || scoreboard_word_read(&slot->used) == 0)
		return;
	if (text.means >= SCOREBOARD_MEANS || text.moment >= SCOREBOARD_MOMENTS)
		return; /* not a valid ask */
	ask.began_ms = text.began_ms;
	ask.length = text.length;
	ask.means = text.means;
	ask.moment = text.moment;
	take_text(ask.client, text.client, sizeof(ask.client));
	take_text(ask.host, text.host, sizeof(ask.host));
	take_text(ask.path, text.path, sizeof(ask.path));
	/* Sorted by age; if there are too many, the youngest are dropped. */
	while (at > 0 && view->asks[at - 1].began_ms > ask.began_ms) {
		if (at < SCOREBOARD_LISTED)
			view->asks[at] = view->asks[at - 1];
		at--;
	}
	if (at < SCOREBOARD_LISTED)
		view->asks[at] = ask;
	view->ask_count += view->ask_count < SCOREBOARD_LISTED;
}

/* ---- workers ---- */

static enum scoreboard_worker_state state_of(const struct scoreboard_view *view,
					     const struct scoreboard_worker_view *worker, uint64_t alive_ms)
{
	if (alive_ms == 0)
		return SCOREBOARD_WORKER_STARTING;
	if (worker->silent_ms > SCOREBOARD_SILENT_MS)
		return SCOREBOARD_WORKER_SILENT;
	if (worker->configuration > view->configuration)
		return SCOREBOARD_WORKER_STARTING; /* it waits for the other workers of its configuration */
	return worker->configuration == view->configuration && view->phase != SCOREBOARD_STOPPING
		       ? SCOREBOARD_WORKER_SERVING
		       : SCOREBOARD_WORKER_RETIRING;
}

static void add_worker(struct scoreboard_view *view, const struct scoreboard_place *place,
		       const struct scoreboard_block *block, uint64_t now_ms)
{
	uint64_t alive_ms = scoreboard_word_read(&place->alive_ms);
	struct scoreboard_worker_view worker = {
		.pid = (int)scoreboard_word_read(&place->pid),
		.configuration = (unsigned)scoreboard_word_read(&place->configuration),
		.silent_ms = alive_ms != 0 && now_ms > alive_ms ? now_ms - alive_ms : 0,
		.connections = scoreboard_word_read(&block->sums[0]),
		.asks = scoreboard_word_read(&block->sums[1]),
		.full = scoreboard_word_read(&block->sums[offsetof(struct scoreboard_sums, full) / sizeof(uint64_t)]) !=
			0,
	};

	_Static_assert(offsetof(struct scoreboard_sums, connections_open) == 0 &&
			       offsetof(struct scoreboard_sums, asks_open) == sizeof(uint64_t),
		       "the first two words");
	worker.state = state_of(view, &worker, alive_ms);
	view->workers_ready += worker.state == SCOREBOARD_WORKER_SERVING;
	view->workers_full += worker.state == SCOREBOARD_WORKER_SERVING && worker.full;
	view->workers[view->worker_count++] = worker;
	for (size_t i = 0; i < SCOREBOARD_ASKS; i++)
		if (atomic_load_explicit(&block->asks[i].used, memory_order_acquire) != 0)
			add_ask(view, &block->asks[i], worker.pid);
}

/* ---- the whole view ---- */

static size_t at_most(const scoreboard_word *word, size_t most)
{
	uint64_t value = atomic_load_explicit(word, memory_order_acquire);

	return value < most ? (size_t)value : most;
}

static void add_servers(struct scoreboard_view *view, const struct scoreboard *scoreboard, size_t servers,
			size_t places)
{
	struct scoreboard_server_text text;

	for (size_t i = 0; i < servers; i++) {
		const struct scoreboard_server *server = &scoreboard->notice->servers[i];
		struct scoreboard_server_view *to = &view->servers[view->server_count];
		if (scoreboard_word_read(&server->users) == 0 ||
		    !load_text(&server->seq, server->text, &text, SCOREBOARD_WORDS(text)))
			continue;
		take_text(to->upstream, text.upstream, sizeof(to->upstream));
		take_text(to->server, text.server, sizeof(to->server));
		for (size_t place = 0; place < places; place++)
			add_server_sums(&to->sums, &scoreboard->blocks[place], i);
		view->server_count++;
	}
}

static bool take_refusal(struct scoreboard_refusal *to, const struct scoreboard_refusal_slot *slot)
{
	struct scoreboard_refusal refusal;

	if (scoreboard_word_read(&slot->used) == 0 ||
	    !load_text(&slot->seq, slot->words, &refusal, SCOREBOARD_WORDS(refusal)))
		return false;
	to->since_ms = refusal.since_ms;
	take_text(to->why, refusal.why, sizeof(refusal.why));
	return true;
}

struct scoreboard_view *scoreboard_view_new(const struct scoreboard *scoreboard, uint64_t now_ms, int64_t wall_ms)
{
	const struct scoreboard_notice *notice = scoreboard->notice;
	size_t places = at_most(&notice->places_used, scoreboard->places);
	size_t servers = at_most(&notice->servers_used, SCOREBOARD_SERVERS);
	uint64_t last = (uint64_t)(wall_ms > 0 ? wall_ms : 0) / SCOREBOARD_STEP_MS + 1;
	struct scoreboard_view *view = calloc(1, sizeof(*view));

	if (view == NULL)
		return NULL;
	view->workers = calloc(places + 1, sizeof(*view->workers));
	view->asks = calloc(SCOREBOARD_LISTED, sizeof(*view->asks));
	view->servers = calloc(servers + 1, sizeof(*view->servers));
	if (view->workers == NULL || view->asks == NULL || view->servers == NULL) {
		scoreboard_view_free(&view);
		return NULL;
	}
	view->phase = (enum scoreboard_phase)at_most(&notice->phase, SCOREBOARD_PHASES - 1);
	view->configuration = (unsigned)scoreboard_word_read(&notice->configuration);
	view->workers_wanted = (unsigned)scoreboard_word_read(&notice->workers);
	view->reloads_refused = scoreboard_word_read(&notice->refusals);
	view->refused = take_refusal(&view->refusal, &notice->refused);
	view->held = take_refusal(&view->hold, &notice->held);
	view->steps_end_ms = (int64_t)last * SCOREBOARD_STEP_MS;
	for (size_t i = 0; i < places; i++) {
		add_sums(&view->sums, &scoreboard->blocks[i]);
		for (size_t step = 0; step < SCOREBOARD_STEPS; step++)
			add_step(view, &scoreboard->blocks[i].steps[step], last);
		if (scoreboard_word_read(&scoreboard->place[i].taken) != 0)
			add_worker(view, &scoreboard->place[i], &scoreboard->blocks[i], now_ms);
	}
	add_servers(view, scoreboard, servers, places);
	view->full = view->workers_ready > 0 && view->workers_full == view->workers_ready;
	view->ready = view->phase == SCOREBOARD_SERVING && view->workers_ready == view->workers_wanted && !view->full;
	return view;
}

void scoreboard_view_free(struct scoreboard_view **view)
{
	if (*view != NULL) {
		free((*view)->workers);
		free((*view)->asks);
		free((*view)->servers);
	}
	free(*view);
	*view = NULL;
}
