#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "gateway/board_block.h"
#include "gateway/record.h"

#define UNLISTED (BOARD_ASKS + 1) /* pending, but the list is full */

#define AT(member)        BOARD_AT(member)
#define AT_SERVER(member) (offsetof(struct board_server_sums, member) / sizeof(uint64_t))

struct board_worker *board_open(struct board *board, int place, const struct board_map *map)
{
	if (board == NULL || place < 0)
		return NULL;
	size_t servers = map != NULL ? map->count : 0;
	struct board_worker *worker = calloc(1, sizeof(*worker) + servers * sizeof(worker->last[0]));

	if (worker == NULL)
		return NULL;
	worker->place = &board->place[place];
	worker->block = &board->blocks[place];
	worker->map = map;
	board_word_write(&worker->place->pid, (uint64_t)getpid());
	return worker;
}

void board_close(struct board_worker **worker)
{
	free(*worker);
	*worker = NULL;
}

void board_alive(struct board_worker *worker, uint64_t now_ms)
{
	if (worker != NULL)
		board_word_write(&worker->place->alive_ms, now_ms > 0 ? now_ms : 1);
}

static void count(const struct board_worker *worker, size_t at, uint64_t more)
{
	board_word_add(&worker->block->sums[at], more);
}

static void measure(board_word *histogram, const uint64_t *limits_ms, uint64_t ms)
{
	size_t bucket = 0;

	while (bucket < BOARD_BUCKETS && ms > limits_ms[bucket])
		bucket++;
	board_word_add(&histogram[bucket], 1);
	board_word_add(&histogram[offsetof(struct board_histogram, sum_ms) / sizeof(uint64_t)], ms);
}

/* ---- connections and requests ---- */

void board_connection_opened(struct board_worker *worker)
{
	if (worker == NULL)
		return;
	count(worker, AT(connections), 1);
	count(worker, AT(connections_open), 1);
}

void board_connection_closed(struct board_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(connections_open), UINT64_MAX);
}

void board_connection_evicted(struct board_worker *worker, unsigned kind)
{
	if (worker != NULL && kind < BOARD_KINDS)
		count(worker, AT(evicted) + kind, 1);
}

void board_connection_refused(struct board_worker *worker, bool per_client)
{
	if (worker != NULL)
		count(worker, AT(refused) + per_client, 1);
}

void board_full(struct board_worker *worker, bool full)
{
	if (worker != NULL)
		board_word_write(&worker->block->sums[AT(full)], full);
}

void board_handshake(struct board_worker *worker, const char *version, bool resumed)
{
	unsigned which = strcmp(version, "TLSv1.2") == 0 ? 0 : strcmp(version, "TLSv1.3") == 0 ? 1 : 2;

	if (worker != NULL)
		count(worker, AT(handshakes) + 2 * which + resumed, 1);
}

void board_on_demand(struct board_worker *worker, unsigned why)
{
	if (worker != NULL && why != 0 && why < BOARD_DEMANDS)
		count(worker, AT(on_demand) + why, 1);
}

void board_plain(struct board_worker *worker, enum board_plain answer)
{
	if (worker != NULL)
		count(worker, AT(plain) + answer, 1);
}

void board_note(struct board_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(notes), 1);
}

void board_handshake_failed(struct board_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(handshakes_failed), 1);
}

void board_connection_unused(struct board_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(connections_unused), 1);
}

void board_internal_error(struct board_worker *worker)
{
	if (worker != NULL)
		count(worker, AT(internal_errors), 1);
}

void board_record_taken(struct board_worker *worker)
{
	if (worker == NULL)
		return;
	count(worker, AT(records_waiting), 1);
	count(worker, AT(records), 1);
}

void board_records_settled(struct board_worker *worker, uint64_t settled, uint64_t lost)
{
	if (worker == NULL)
		return;
	count(worker, AT(records_waiting), -settled);
	count(worker, AT(records_lost), lost);
}

void board_request(struct board_worker *worker, unsigned status, uint64_t took_ms, uint64_t bytes_in,
		   uint64_t bytes_out)
{
	if (worker == NULL)
		return;
	count(worker, AT(requests) + (status / 100 < BOARD_CLASSES ? status / 100 : BOARD_CLASSES - 1), 1);
	count(worker, AT(bytes_in), bytes_in);
	count(worker, AT(bytes_out), bytes_out);
	measure(&worker->block->sums[AT(request_ms)], board_machine_ms, took_ms);
}

void board_refusal(struct board_worker *worker, enum gw_problem problem)
{
	if (worker != NULL && (unsigned)problem < BOARD_PROBLEMS)
		count(worker, AT(refusals) + problem, 1);
}

/* ---- asks ---- */

board_ask board_ask_begin(struct board_worker *worker, const struct board_ask_facts *facts, uint64_t now_ms)
{
	struct board_ask_text text = {
		.began_ms = now_ms, .length = facts->length, .means = facts->means, .moment = facts->moment};
	const char *host = facts->host != NULL ? facts->host : "";
	unsigned i = 0;

	if (worker == NULL)
		return 0;
	count(worker, AT(asks_open), 1);
	while (i < BOARD_ASKS && board_word_read(&worker->block->asks[i].used) != 0)
		i++;
	if (i == BOARD_ASKS)
		return UNLISTED;
	struct board_ask_slot *slot = &worker->block->asks[i];
	char client[BOARD_CLIENT_MAX];
	gw_record_address(facts->client, client, sizeof(client));
	board_text(text.client, sizeof(text.client), client, strlen(client));
	board_text(text.host, sizeof(text.host), host, strlen(host));
	board_text(text.path, sizeof(text.path), facts->path.at, facts->path.len < 80 ? facts->path.len : 80);
	board_word_write(&slot->drained, 0);
	board_word_write(&slot->asked_ms, 0);
	board_words_store(&slot->seq, slot->text, &text, BOARD_WORDS(text));
	atomic_store_explicit(&slot->used, 1, memory_order_release);
	return i + 1;
}

void board_ask_progress(struct board_worker *worker, board_ask ask, uint64_t drained, uint64_t asked_ms)
{
	if (worker == NULL || ask == 0 || ask == UNLISTED)
		return;
	struct board_ask_slot *slot = &worker->block->asks[ask - 1];
	board_word_write(&slot->drained, drained);
	board_word_write(&slot->asked_ms, asked_ms);
}

static void tell_step(struct board_block *block, enum thaw_verdict verdict, int64_t wall_ms)
{
	uint64_t stamp = (uint64_t)(wall_ms > 0 ? wall_ms : 0) / BOARD_STEP_MS + 1;
	struct board_step *step = &block->steps[stamp % BOARD_STEPS];

	if (board_word_read(&step->stamp) != stamp) {
		board_word_write(&step->stamp, 0);
		atomic_thread_fence(memory_order_release);
		for (size_t i = 0; i < BOARD_VERDICTS; i++)
			board_word_write(&step->verdicts[i], 0);
		atomic_store_explicit(&step->stamp, stamp, memory_order_release);
	}
	board_word_add(&step->verdicts[verdict], 1);
}

void board_ask_end(struct board_worker *worker, board_ask *ask)
{
	if (worker != NULL && *ask != 0)
		count(worker, AT(asks_open), UINT64_MAX);
	if (worker != NULL && *ask != 0 && *ask != UNLISTED)
		board_word_write(&worker->block->asks[*ask - 1].used, 0);
	*ask = 0;
}

void board_verdict(struct board_worker *worker, const struct thaw_report *report, uint64_t drained, int64_t wall_ms)
{
	size_t means = report->means, moment = report->moment, verdict = report->verdict, reason = report->reason;
	size_t at = ((means * BOARD_MOMENTS + moment) * BOARD_VERDICTS + verdict) * BOARD_REASONS + reason;
	bool accepted = report->verdict == THAW_VERDICT_ACCEPTED;

	if (worker == NULL || means >= BOARD_MEANS || moment >= BOARD_MOMENTS || verdict >= BOARD_VERDICTS ||
	    reason >= BOARD_REASONS)
		return;
	count(worker, AT(asks) + at, 1);
	count(worker, AT(drained), drained);
	tell_step(worker->block, report->verdict, wall_ms);
	if (report->asked_ms != 0 && report->ended_ms >= report->asked_ms)
		measure(&worker->block->sums[AT(ask_ms) + accepted * BOARD_WORDS(struct board_histogram)],
			board_human_ms, report->ended_ms - report->asked_ms);
}

/* ---- upstreams ---- */

static unsigned server_at(const struct board_worker *worker, size_t upstream, size_t server, size_t *nth)
{
	const struct board_map *map = worker->map;

	if (map == NULL || upstream >= map->config->upstream_count ||
	    server >= map->config->upstreams[upstream].server_count)
		return BOARD_SERVERS;
	*nth = map->first[upstream] + server;
	return map->at[*nth];
}

void board_upstream(struct board_worker *worker, const struct config_upstream *upstream, const char *server,
		    enum board_outcome outcome, uint64_t took_ms)
{
	size_t nth = 0, i = 0;

	if (worker == NULL || worker->map == NULL)
		return;
	while (i < upstream->server_count && strcmp(upstream->servers[i].text, server) != 0)
		i++;
	unsigned at = server_at(worker, (size_t)(upstream - worker->map->config->upstreams), i, &nth);
	if (at == BOARD_SERVERS || outcome >= BOARD_OUTCOMES)
		return;
	board_word *sums = worker->block->servers[at];
	board_word_add(&sums[AT_SERVER(outcomes) + outcome], 1);
	if (outcome == BOARD_ANSWERED)
		measure(&sums[AT_SERVER(answer_ms)], board_machine_ms, took_ms);
}

void board_pool(struct board_worker *worker, size_t upstream, size_t server, const struct board_use *use)
{
	size_t nth = 0;

	if (worker == NULL)
		return;
	unsigned at = server_at(worker, upstream, server, &nth);
	if (at == BOARD_SERVERS || memcmp(&worker->last[nth], use, sizeof(*use)) == 0)
		return;
	uint64_t now[BOARD_WORDS(struct board_use)], before[BOARD_WORDS(struct board_use)];
	memcpy(now, use, sizeof(now));
	memcpy(before, &worker->last[nth], sizeof(before));
	/* Adds the difference, because another server with the same name may be counted here too. */
	for (size_t i = 0; i < BOARD_WORDS(struct board_use); i++)
		board_word_add(&worker->block->servers[at][AT_SERVER(use) + i], now[i] - before[i]);
	worker->last[nth] = *use;
}
