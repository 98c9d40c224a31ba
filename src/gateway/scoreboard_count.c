#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "gateway/record.h"
#include "gateway/scoreboard_block.h"

#define UNLISTED (SCOREBOARD_ASKS + 1) /* pending, but the list is full */

#define AT(member)        SCOREBOARD_AT(member)
#define AT_SERVER(member) (offsetof(struct scoreboard_server_sums, member) / sizeof(uint64_t))

struct scoreboard_worker *scoreboard_open(struct scoreboard *scoreboard, int place, const struct scoreboard_map *map)
{
	if (scoreboard == NULL || place < 0)
		return NULL;
	size_t servers = map != NULL ? map->count : 0;
	struct scoreboard_worker *worker = calloc(1, sizeof(*worker) + servers * sizeof(worker->last[0]));

	if (worker == NULL)
		return NULL;
	worker->place = &scoreboard->place[place];
	worker->block = &scoreboard->blocks[place];
	worker->map = map;
	scoreboard_word_write(&worker->place->pid, (uint64_t)getpid());
	return worker;
}

void scoreboard_close(struct scoreboard_worker **worker)
{
	free(*worker);
	*worker = NULL;
}

void scoreboard_alive(struct scoreboard_worker *worker, uint64_t now_ms)
{
	if (worker != NULL)
		scoreboard_word_write(&worker->place->alive_ms, now_ms > 0 ? now_ms : 1);
}

static void count(const struct scoreboard_worker *worker, size_t at, uint64_t more)
{
	scoreboard_word_add(&worker->block->sums[at], more);
}

static void measure(scoreboard_word *histogram, const uint64_t *limits_ms, uint64_t ms)
{
	size_t bucket = 0;

	while (bucket < SCOREBOARD_BUCKETS && ms > limits_ms[bucket])
		bucket++;
	scoreboard_word_add(&histogram[bucket], 1);
	scoreboard_word_add(&histogram[offsetof(struct scoreboard_histogram, sum_ms) / sizeof(uint64_t)], ms);
}

/* ---- connections and requests ---- */

void scoreboard_connection_opened(struct scoreboard_worker *worker)
{
	if (worker == NULL)
		return;
	count(worker, AT(connections), 1);
	count(worker, AT(connections_open), 1);
}

void scoreboard_connection_closed(struct scoreboard_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(connections_open), UINT64_MAX);
}

void scoreboard_connection_evicted(struct scoreboard_worker *worker, unsigned kind)
{
	if (worker != NULL && kind < SCOREBOARD_KINDS)
		count(worker, AT(evicted) + kind, 1);
}

void scoreboard_connection_refused(struct scoreboard_worker *worker, bool per_client)
{
	if (worker != NULL)
		count(worker, AT(refused) + per_client, 1);
}

void scoreboard_full(struct scoreboard_worker *worker, bool full)
{
	if (worker != NULL)
		scoreboard_word_write(&worker->block->sums[AT(full)], full);
}

void scoreboard_handshake(struct scoreboard_worker *worker, const char *version, bool resumed)
{
	unsigned which = strcmp(version, "TLSv1.2") == 0 ? 0 : strcmp(version, "TLSv1.3") == 0 ? 1 : 2;

	if (worker != NULL)
		count(worker, AT(handshakes) + 2 * which + resumed, 1);
}

void scoreboard_on_demand(struct scoreboard_worker *worker, unsigned why)
{
	if (worker != NULL && why != 0 && why < SCOREBOARD_DEMANDS)
		count(worker, AT(on_demand) + why, 1);
}

void scoreboard_plain(struct scoreboard_worker *worker, enum scoreboard_plain answer)
{
	if (worker != NULL)
		count(worker, AT(plain) + answer, 1);
}

void scoreboard_note(struct scoreboard_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(notes), 1);
}

void scoreboard_handshake_failed(struct scoreboard_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(handshakes_failed), 1);
}

void scoreboard_connection_unused(struct scoreboard_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(connections_unused), 1);
}

void scoreboard_internal_error(struct scoreboard_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(internal_errors), 1);
}

void scoreboard_record_taken(struct scoreboard_worker *worker)
{
	if (worker == NULL)
		return;
	count(worker, AT(records_waiting), 1);
	count(worker, AT(records), 1);
}

void scoreboard_records_settled(struct scoreboard_worker *worker, uint64_t settled, uint64_t lost)
{
	if (worker == NULL)
		return;
	count(worker, AT(records_waiting), -settled);
	count(worker, AT(records_lost), lost);
}

void scoreboard_request(struct scoreboard_worker *worker, unsigned status, uint64_t took_ms, uint64_t bytes_in,
			uint64_t bytes_out)
{
	if (worker == NULL)
		return;
	count(worker, AT(requests) + (status / 100 < SCOREBOARD_CLASSES ? status / 100 : SCOREBOARD_CLASSES - 1), 1);
	count(worker, AT(bytes_in), bytes_in);
	count(worker, AT(bytes_out), bytes_out);
	measure(&worker->block->sums[AT(request_ms)], scoreboard_machine_ms, took_ms);
}

void scoreboard_refusal(struct scoreboard_worker *worker, enum gw_problem problem)
{
	if (worker != NULL && (unsigned)problem < SCOREBOARD_PROBLEMS)
		count(worker, AT(refusals) + problem, 1);
}

/* ---- asks ---- */

scoreboard_ask scoreboard_ask_begin(struct scoreboard_worker *worker, const struct scoreboard_ask_facts *facts,
				    uint64_t now_ms)
{
	struct scoreboard_ask_text text = {
		.began_ms = now_ms, .length = facts->length, .means = facts->means, .moment = facts->moment};
	const char *host = facts->host != NULL ? facts->host : "";
	unsigned i = 0;

	if (worker == NULL)
		return 0;
	count(worker, AT(asks_open), 1);
	while (i < SCOREBOARD_ASKS && scoreboard_word_read(&worker->block->asks[i].used) != 0)
		i++;
	if (i == SCOREBOARD_ASKS)
		return UNLISTED;
	struct scoreboard_ask_slot *slot = &worker->block->asks[i];
	char client[SCOREBOARD_CLIENT_MAX];
	gw_record_address(facts->client, client, sizeof(client));
	scoreboard_text(text.client, sizeof(text.client), client, strlen(client));
	scoreboard_text(text.host, sizeof(text.host), host, strlen(host));
	scoreboard_text(text.path, sizeof(text.path), facts->path.at, facts->path.len < 80 ? facts->path.len : 80);
	scoreboard_word_write(&slot->drained, 0);
	scoreboard_word_write(&slot->asked_ms, 0);
	scoreboard_words_store(&slot->seq, slot->text, &text, SCOREBOARD_WORDS(text));
	atomic_store_explicit(&slot->used, 1, memory_order_release);
	return i + 1;
}

void scoreboard_ask_progress(struct scoreboard_worker *worker, scoreboard_ask ask, uint64_t drained, uint64_t asked_ms)
{
	if (worker == NULL || ask == 0 || ask == UNLISTED)
		return;
	struct scoreboard_ask_slot *slot = &worker->block->asks[ask - 1];
	scoreboard_word_write(&slot->drained, drained);
	scoreboard_word_write(&slot->asked_ms, asked_ms);
}

static void tell_step(struct scoreboard_block *block, enum thaw_verdict verdict, int64_t wall_ms)
{
	uint64_t stamp = (uint64_t)(wall_ms > 0 ? wall_ms : 0) / SCOREBOARD_STEP_MS + 1;
	struct scoreboard_step *step = &block->steps[stamp % SCOREBOARD_STEPS];

	if (scoreboard_word_read(&step->stamp) != stamp) {
		scoreboard_word_write(&step->stamp, 0);
		atomic_thread_fence(memory_order_release);
		for (size_t i = 0; i < SCOREBOARD_VERDICTS; i++)
			scoreboard_word_write(&step->verdicts[i], 0);
		atomic_store_explicit(&step->stamp, stamp, memory_order_release);
	}
	scoreboard_word_add(&step->verdicts[verdict], 1);
}

void scoreboard_ask_end(struct scoreboard_worker *worker, scoreboard_ask *ask)
{
	if (worker != NULL && *ask != 0)
		count(worker, AT(asks_open), UINT64_MAX);
	if (worker != NULL && *ask != 0 && *ask != UNLISTED)
		scoreboard_word_write(&worker->block->asks[*ask - 1].used, 0);
	*ask = 0;
}

void scoreboard_verdict(struct scoreboard_worker *worker, const struct thaw_report *report, uint64_t drained,
			int64_t wall_ms)
{
	size_t means = report->means, moment = report->moment, verdict = report->verdict, reason = report->reason;
	size_t at =
		((means * SCOREBOARD_MOMENTS + moment) * SCOREBOARD_VERDICTS + verdict) * SCOREBOARD_REASONS + reason;
	bool accepted = report->verdict == THAW_VERDICT_ACCEPTED;

	if (worker == NULL || means >= SCOREBOARD_MEANS || moment >= SCOREBOARD_MOMENTS ||
	    verdict >= SCOREBOARD_VERDICTS || reason >= SCOREBOARD_REASONS)
		return;
	count(worker, AT(asks) + at, 1);
	count(worker, AT(drained), drained);
	tell_step(worker->block, report->verdict, wall_ms);
	if (report->asked_ms != 0 && report->ended_ms >= report->asked_ms)
		measure(&worker->block->sums[AT(ask_ms) + accepted * SCOREBOARD_WORDS(struct scoreboard_histogram)],
			scoreboard_human_ms, report->ended_ms - report->asked_ms);
}

/* ---- upstreams ---- */

static unsigned server_at(const struct scoreboard_worker *worker, size_t upstream, size_t server, size_t *nth)
{
	const struct scoreboard_map *map = worker->map;

	if (map == NULL || upstream >= map->config->upstream_count ||
	    server >= map->config->upstreams[upstream].server_count)
		return SCOREBOARD_SERVERS;
	*nth = map->first[upstream] + server;
	return map->at[*nth];
}

void scoreboard_upstream(struct scoreboard_worker *worker, const struct config_upstream *upstream, const char *server,
			 enum scoreboard_outcome outcome, uint64_t took_ms)
{
	size_t nth = 0, i = 0;

	if (worker == NULL || worker->map == NULL)
		return;
	while (i < upstream->server_count && strcmp(upstream->servers[i].text, server) != 0)
		i++;
	unsigned at = server_at(worker, (size_t)(upstream - worker->map->config->upstreams), i, &nth);
	if (at == SCOREBOARD_SERVERS || outcome >= SCOREBOARD_OUTCOMES)
		return;
	scoreboard_word *sums = worker->block->servers[at];
	scoreboard_word_add(&sums[AT_SERVER(outcomes) + outcome], 1);
	if (outcome == SCOREBOARD_ANSWERED)
		measure(&sums[AT_SERVER(answer_ms)], scoreboard_machine_ms, took_ms);
}

void scoreboard_pool(struct scoreboard_worker *worker, size_t upstream, size_t server, const struct scoreboard_use *use)
{
	size_t nth = 0;

	if (worker == NULL)
		return;
	unsigned at = server_at(worker, upstream, server, &nth);
	if (at == SCOREBOARD_SERVERS || memcmp(&worker->last[nth], use, sizeof(*use)) == 0)
		return;
	uint64_t now[SCOREBOARD_WORDS(struct scoreboard_use)], before[SCOREBOARD_WORDS(struct scoreboard_use)];
	memcpy(now, use, sizeof(now));
	memcpy(before, &worker->last[nth], sizeof(before));
	/* Adds the difference, because another server with the same name may be counted here too. */
	for (size_t i = 0; i < SCOREBOARD_WORDS(struct scoreboard_use); i++)
		scoreboard_word_add(&worker->block->servers[at][AT_SERVER(use) + i], now[i] - before[i]);
	worker->last[nth] = *use;
}
