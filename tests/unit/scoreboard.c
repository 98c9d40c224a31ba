/* The scoreboard: what is counted stays, what is open goes with its worker, and readers never see a text half written.
 */
#include "scoreboard_world.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/scoreboard_block.h"
#include "hostile.h"

/* ---- nobody looks */

static void test_without_a_scoreboard_nothing_happens(void **state)
{
	struct scoreboard_worker *worker = NULL;
	struct scoreboard_ask_facts facts = {.path = {"/", 1}};
	struct thaw_report report = a_verdict(THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE, 5);
	struct scoreboard_map *map = NULL;
	struct scoreboard *scoreboard = NULL;
	scoreboard_ask ask = 7;

	(void)state;
	assert_null(scoreboard_new(0));
	assert_null(scoreboard_new(SCOREBOARD_PLACES_MAX + 1));
	assert_int_equal(scoreboard_take(NULL, 1), -1);
	scoreboard_enter(NULL, SCOREBOARD_SERVING, 1, 1);
	scoreboard_reclaim(NULL, 0);
	assert_null(scoreboard_map_new(NULL, NULL));
	scoreboard_map_free(&map);
	scoreboard_free(&scoreboard);
	assert_null(scoreboard_open(NULL, 0, NULL));
	scoreboard_alive(NULL, 1);
	scoreboard_connection_opened(NULL);
	scoreboard_connection_closed(NULL);
	scoreboard_handshake(NULL, "TLSv1.3", true);
	scoreboard_handshake_failed(NULL);
	scoreboard_on_demand(NULL, 1);
	scoreboard_note(NULL);
	scoreboard_request(NULL, 200, 1, 1, 1);
	scoreboard_refusal(NULL, GW_PROBLEM_NO_ROUTE);
	assert_int_equal(scoreboard_ask_begin(NULL, &facts, 1), 0);
	scoreboard_ask_progress(NULL, 1, 1, 1);
	scoreboard_ask_end(NULL, &ask);
	assert_int_equal(ask, 0);
	scoreboard_verdict(NULL, &report, 1, 1);
	scoreboard_upstream(NULL, NULL, "", SCOREBOARD_FAILED, 1);
	scoreboard_pool(NULL, 0, 0, &(struct scoreboard_use){.in_use = 1});
	scoreboard_close(&worker);
}

/* ---- places */

static void test_places_are_given_and_taken_back(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(2);

	(void)state;
	assert_int_equal(scoreboard_take(scoreboard, 1), 0);
	assert_int_equal(scoreboard_take(scoreboard, 1), 1);
	assert_int_equal(scoreboard_take(scoreboard, 1), -1);
	assert_null(scoreboard_open(scoreboard, -1, NULL));
	scoreboard_reclaim(scoreboard, -1);
	scoreboard_reclaim(scoreboard, 0);
	assert_int_equal(scoreboard_take(scoreboard, 2), 0);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->worker_count, 2);
	assert_int_equal(view->workers[0].configuration, 2);
	assert_int_equal(view->workers[1].configuration, 1);
	assert_int_equal(view->workers[0].pid, 0);
	scoreboard_view_free(&view);
	assert_null(view);
	scoreboard_free(&scoreboard);
	assert_null(scoreboard);
}

static void test_what_is_counted_outlives_the_worker(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(2);
	int place, other_place;
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, &place);
	struct scoreboard_worker *other = new_worker(scoreboard, 1, NULL, &other_place);

	(void)state;
	for (int i = 0; i < 5; i++)
		scoreboard_connection_opened(i < 3 ? worker : other);
	scoreboard_connection_closed(worker);
	scoreboard_request(worker, 200, 10, 100, 1000);
	scoreboard_request(other, 204, 10, 11, 0);
	(void)ask_at(worker, "/late", NOW_MS);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->sums.connections, 5);
	assert_int_equal(view->sums.connections_open, 4);
	assert_int_equal(view->workers[0].connections, 2);
	assert_int_equal(view->workers[1].connections, 2);
	assert_int_equal(view->workers[0].pid, getpid());
	assert_int_equal(view->sums.asks_open, 1);
	assert_int_equal(view->ask_count, 1);
	scoreboard_view_free(&view);

	scoreboard_close(&worker);
	assert_null(worker);
	scoreboard_reclaim(scoreboard, place);
	view = look(scoreboard);
	assert_int_equal(view->sums.connections, 5);
	assert_int_equal(view->sums.connections_open, 2);
	assert_int_equal(view->sums.asks_open, 0);
	assert_int_equal(view->ask_count, 0);
	assert_int_equal(view->worker_count, 1);
	assert_int_equal(view->sums.requests[2], 2);
	assert_int_equal(view->sums.bytes_in, 111);
	assert_int_equal(view->sums.bytes_out, 1000);
	scoreboard_view_free(&view);

	/* Its successor counts on. */
	worker = new_worker(scoreboard, 2, NULL, &place);
	scoreboard_request(worker, 200, 10, 1, 1);
	view = look(scoreboard);
	assert_int_equal(view->sums.requests[2], 3);
	assert_int_equal(view->sums.bytes_in, 112);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_close(&other);
	scoreboard_free(&scoreboard);
}

/* ---- counters */

static void test_handshakes_requests_and_refusals(void **state)
{
	static const unsigned statuses[] = {0, 99, 100, 199, 200, 304, 404, 500, 599, 600, 999};
	static const uint64_t expected[SCOREBOARD_CLASSES] = {2, 2, 1, 1, 1, 4};
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, NULL);

	(void)state;
	scoreboard_handshake(worker, "TLSv1.2", false);
	scoreboard_handshake(worker, "TLSv1.2", true);
	scoreboard_handshake(worker, "TLSv1.3", true);
	scoreboard_handshake(worker, "TLSv1.3", true);
	scoreboard_handshake(worker, "SSLv3", false);
	scoreboard_handshake_failed(worker);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		scoreboard_request(worker, statuses[i], 0, 0, 0);
	for (int problem = 0; problem < SCOREBOARD_PROBLEMS; problem++)
		for (int i = 0; i <= problem; i++)
			scoreboard_refusal(worker, (enum gw_problem)problem);
	scoreboard_refusal(worker, (enum gw_problem)SCOREBOARD_PROBLEMS);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->sums.handshakes[0][0], 1);
	assert_int_equal(view->sums.handshakes[0][1], 1);
	assert_int_equal(view->sums.handshakes[1][0], 0);
	assert_int_equal(view->sums.handshakes[1][1], 2);
	assert_int_equal(view->sums.handshakes[2][0], 1);
	assert_int_equal(view->sums.handshakes_failed, 1);
	for (size_t i = 0; i < SCOREBOARD_CLASSES; i++)
		assert_int_equal(view->sums.requests[i], expected[i]);
	for (int problem = 0; problem < SCOREBOARD_PROBLEMS; problem++)
		assert_int_equal(view->sums.refusals[problem], problem + 1);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
}

/* A time that is a bucket's upper end is in that bucket: Prometheus' le. */
static void test_times_fall_into_buckets(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, NULL);
	uint64_t sum_ms = 0;

	(void)state;
	for (size_t i = 0; i < SCOREBOARD_BUCKETS; i++) {
		assert_true(i == 0 || scoreboard_machine_ms[i] > scoreboard_machine_ms[i - 1]);
		assert_true(i == 0 || scoreboard_human_ms[i] > scoreboard_human_ms[i - 1]);
		scoreboard_request(worker, 200, scoreboard_machine_ms[i], 0, 0);
		scoreboard_request(worker, 200, scoreboard_machine_ms[i] + 1, 0, 0);
		sum_ms += 2 * scoreboard_machine_ms[i] + 1;
		struct thaw_report report = a_verdict(THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_ACCEPTED,
						      THAW_REASON_NONE, scoreboard_human_ms[i]);
		scoreboard_verdict(worker, &report, 0, WALL_MS);
	}
	scoreboard_request(worker, 200, 0, 0, 0);
	struct scoreboard_view *view = look(scoreboard);
	for (size_t i = 0; i <= SCOREBOARD_BUCKETS; i++)
		assert_int_equal(view->sums.request_ms.counts[i], i == SCOREBOARD_BUCKETS ? 1 : 2);
	assert_int_equal(view->sums.request_ms.sum_ms, sum_ms);
	for (size_t i = 0; i <= SCOREBOARD_BUCKETS; i++)
		assert_int_equal(view->sums.ask_ms[1].counts[i], i < SCOREBOARD_BUCKETS);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
}

static void test_every_story_has_its_own_count(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, NULL);
	const struct scoreboard_sums *sums;
	uint64_t total = 0;

	(void)state;
	for (int means = 0; means < SCOREBOARD_MEANS; means++)
		for (int moment = 0; moment < SCOREBOARD_MOMENTS; moment++)
			for (int verdict = 0; verdict < SCOREBOARD_VERDICTS; verdict++)
				for (int reason = 0; reason < SCOREBOARD_REASONS; reason++) {
					struct thaw_report report = {.means = (enum thaw_means)means,
								     .moment = (enum thaw_moment)moment,
								     .verdict = (enum thaw_verdict)verdict,
								     .reason = (enum thaw_reason)reason};
					scoreboard_verdict(worker, &report, 3, WALL_MS);
				}
	struct thaw_report unknown =
		a_verdict((enum thaw_means)SCOREBOARD_MEANS, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE, 0);
	scoreboard_verdict(worker, &unknown, 3, WALL_MS);
	unknown = a_verdict(THAW_MEANS_NONE, (enum thaw_verdict)SCOREBOARD_VERDICTS, THAW_REASON_NONE, 0);
	scoreboard_verdict(worker, &unknown, 3, WALL_MS);
	unknown = a_verdict(THAW_MEANS_NONE, THAW_VERDICT_ACCEPTED, (enum thaw_reason)SCOREBOARD_REASONS, 0);
	scoreboard_verdict(worker, &unknown, 3, WALL_MS);
	struct scoreboard_view *view = look(scoreboard);
	sums = &view->sums;
	for (int means = 0; means < SCOREBOARD_MEANS; means++)
		for (int moment = 0; moment < SCOREBOARD_MOMENTS; moment++)
			for (int verdict = 0; verdict < SCOREBOARD_VERDICTS; verdict++)
				for (int reason = 0; reason < SCOREBOARD_REASONS; reason++) {
					assert_int_equal(sums->asks[means][moment][verdict][reason], 1);
					total++;
				}
	assert_int_equal(sums->drained, 3 * total);
	/* None of them was really asked: they have no time. */
	for (size_t i = 0; i <= SCOREBOARD_BUCKETS; i++)
		assert_int_equal(sums->ask_ms[0].counts[i] + sums->ask_ms[1].counts[i], 0);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
}

static void test_times_of_the_accepted_and_of_others(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, NULL);
	struct thaw_report accepted =
		a_verdict(THAW_MEANS_RENEGOTIATION, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE, 3000);
	struct thaw_report declined =
		a_verdict(THAW_MEANS_RENEGOTIATION, THAW_VERDICT_DECLINED, THAW_REASON_NO_CERTIFICATE, 400);

	(void)state;
	scoreboard_verdict(worker, &accepted, 0, WALL_MS);
	scoreboard_verdict(worker, &declined, 0, WALL_MS);
	scoreboard_verdict(worker, &declined, 0, WALL_MS);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->sums.ask_ms[1].sum_ms, 3000);
	assert_int_equal(view->sums.ask_ms[1].counts[6], 1);
	assert_int_equal(view->sums.ask_ms[0].sum_ms, 800);
	assert_int_equal(view->sums.ask_ms[0].counts[3], 2);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
}

/* ---- the verdicts of the last quarter of an hour */

static uint64_t step_sum(const struct scoreboard_view *view, enum thaw_verdict verdict)
{
	uint64_t total = 0;

	for (size_t i = 0; i < SCOREBOARD_STEPS; i++)
		total += view->steps[i][verdict];
	return total;
}

static void test_steps_follow_the_clock(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(2);
	struct scoreboard_worker *workers[] = {new_worker(scoreboard, 1, NULL, NULL),
					       new_worker(scoreboard, 1, NULL, NULL)};
	struct thaw_report report =
		a_verdict(THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_REJECTED, THAW_REASON_UNTRUSTED, 1);

	(void)state;
	for (int i = 0; i < 2 * SCOREBOARD_STEPS; i++)
		for (int j = 0; j <= i; j++)
			scoreboard_verdict(workers[j % 2], &report, 0,
					   WALL_MS + i * SCOREBOARD_STEP_MS + j % SCOREBOARD_STEP_MS);
	struct scoreboard_view *view =
		scoreboard_view_new(scoreboard, NOW_MS, WALL_MS + 2 * SCOREBOARD_STEPS * SCOREBOARD_STEP_MS - 1);
	assert_int_equal(view->steps_end_ms, WALL_MS + 2 * SCOREBOARD_STEPS * SCOREBOARD_STEP_MS);
	for (int i = 0; i < SCOREBOARD_STEPS; i++)
		assert_int_equal(view->steps[i][THAW_VERDICT_REJECTED], SCOREBOARD_STEPS + i + 1);
	scoreboard_view_free(&view);

	/* A minute without any: they move towards the old end. */
	view = scoreboard_view_new(scoreboard, NOW_MS, WALL_MS + (2 * SCOREBOARD_STEPS + 6) * SCOREBOARD_STEP_MS - 1);
	assert_int_equal(view->steps[0][THAW_VERDICT_REJECTED], SCOREBOARD_STEPS + 7);
	assert_int_equal(view->steps[SCOREBOARD_STEPS - 7][THAW_VERDICT_REJECTED], 2 * SCOREBOARD_STEPS);
	for (int i = SCOREBOARD_STEPS - 6; i < SCOREBOARD_STEPS; i++)
		assert_int_equal(view->steps[i][THAW_VERDICT_REJECTED], 0);
	scoreboard_view_free(&view);

	/* An hour later nothing is left, although every slot of the ring still has something in it. */
	view = scoreboard_view_new(scoreboard, NOW_MS, WALL_MS + 3600000);
	assert_int_equal(step_sum(view, THAW_VERDICT_REJECTED), 0);
	scoreboard_view_free(&view);
	scoreboard_close(&workers[0]);
	scoreboard_close(&workers[1]);
	scoreboard_free(&scoreboard);
}

static void test_a_clock_that_is_set_back(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, NULL);
	struct thaw_report report = a_verdict(THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE, 1);

	(void)state;
	scoreboard_verdict(worker, &report, 0, WALL_MS + 3600000);
	scoreboard_verdict(worker, &report, 0, WALL_MS + 10);
	scoreboard_verdict(worker, &report, 0, -5); /* before 1970 there is nothing */
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(step_sum(view, THAW_VERDICT_ACCEPTED), 1);
	assert_int_equal(view->steps[SCOREBOARD_STEPS - 1][THAW_VERDICT_ACCEPTED], 1);
	assert_int_equal(view->sums.asks[THAW_MEANS_POST_HANDSHAKE][THAW_MOMENT_HEADERS][THAW_VERDICT_ACCEPTED][0], 3);
	scoreboard_view_free(&view);
	view = scoreboard_view_new(scoreboard, NOW_MS, -1);
	assert_int_equal(step_sum(view, THAW_VERDICT_ACCEPTED), 1);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
}

/* ---- asks under way */

static void test_an_ask_is_shown_while_it_lasts(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, NULL);
	scoreboard_ask ask = ask_at(worker, "/late", NOW_MS - 500);

	(void)state;
	assert_int_not_equal(ask, 0);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->ask_count, 1);
	assert_string_equal(view->asks[0].client, "192.0.2.1:49152");
	assert_string_equal(view->asks[0].host, "a.example");
	assert_string_equal(view->asks[0].path, "/late");
	assert_int_equal(view->asks[0].means, THAW_MEANS_POST_HANDSHAKE);
	assert_int_equal(view->asks[0].moment, THAW_MOMENT_HEADERS);
	assert_int_equal(view->asks[0].length, 1000);
	assert_int_equal(view->asks[0].began_ms, NOW_MS - 500);
	assert_int_equal(view->asks[0].asked_ms, 0);
	assert_int_equal(view->asks[0].drained, 0);
	assert_int_equal(view->asks[0].worker, getpid());
	scoreboard_view_free(&view);

	scoreboard_ask_progress(worker, ask, 600, NOW_MS - 100);
	view = look(scoreboard);
	assert_int_equal(view->asks[0].drained, 600);
	assert_int_equal(view->asks[0].asked_ms, NOW_MS - 100);
	scoreboard_view_free(&view);

	scoreboard_ask_end(worker, &ask);
	assert_int_equal(ask, 0);
	scoreboard_ask_end(worker, &ask); /* twice is once */
	scoreboard_ask_progress(worker, ask, 700, 0);
	view = look(scoreboard);
	assert_int_equal(view->ask_count, 0);
	assert_int_equal(view->sums.asks_open, 0);
	scoreboard_view_free(&view);

	/* The next one in the same slot begins anew. */
	ask = ask_at(worker, "/again", NOW_MS);
	view = look(scoreboard);
	assert_string_equal(view->asks[0].path, "/again");
	assert_int_equal(view->asks[0].drained, 0);
	assert_int_equal(view->asks[0].asked_ms, 0);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
}

static void test_text_is_cut_and_made_harmless(void **state)
{
	static const char odd[] = "/a\x01\n\xc3\xa4\x7f\"\\~ b";
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, NULL);
	char long_path[300], long_host[200];
	struct scoreboard_ask_facts facts = {
		.host = long_host, .path = {long_path, sizeof(long_path)}, .length = UINT64_MAX};

	(void)state;
	memset(long_path, 'p', sizeof(long_path));
	memset(long_host, 'h', sizeof(long_host));
	long_host[sizeof(long_host) - 1] = '\0';
	(void)scoreboard_ask_begin(worker, &facts, 1);
	facts = (struct scoreboard_ask_facts){.path = {odd, sizeof(odd) - 1}};
	(void)scoreboard_ask_begin(worker, &facts, 2);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(strlen(view->asks[0].path), 80);
	assert_int_equal(strlen(view->asks[0].host), SCOREBOARD_HOST_MAX - 1);
	assert_string_equal(view->asks[0].client, "unix");
	assert_true(view->asks[0].length == UINT64_MAX);
	assert_string_equal(view->asks[1].path, "/a?????\"\\~ b");
	assert_string_equal(view->asks[1].host, "");
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
}

static void test_more_asks_than_are_listed(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(6);
	struct scoreboard_worker *workers[6];
	scoreboard_ask asks[SCOREBOARD_ASKS + 3];

	(void)state;
	for (int i = 0; i < 6; i++)
		workers[i] = new_worker(scoreboard, 1, NULL, NULL);
	for (unsigned i = 0; i < SCOREBOARD_ASKS + 3; i++)
		asks[i] = ask_at(workers[0], "/x", 1000 + i);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->ask_count, SCOREBOARD_ASKS);
	assert_int_equal(view->sums.asks_open, SCOREBOARD_ASKS + 3);
	assert_int_equal(view->workers[0].asks, SCOREBOARD_ASKS + 3);
	scoreboard_view_free(&view);
	scoreboard_ask_progress(workers[0], asks[SCOREBOARD_ASKS + 1], 5, 5);
	scoreboard_ask_end(workers[0], &asks[SCOREBOARD_ASKS + 1]); /* one that is not listed */
	scoreboard_ask_end(workers[0], &asks[7]);
	view = look(scoreboard);
	assert_int_equal(view->ask_count, SCOREBOARD_ASKS - 1);
	assert_int_equal(view->sums.asks_open, SCOREBOARD_ASKS + 1);
	scoreboard_view_free(&view);

	/* Of all workers the oldest ones are shown, in their order, wherever they are. */
	for (unsigned i = 0; i < SCOREBOARD_ASKS; i++)
		for (int w = 1; w < 6; w++)
			(void)ask_at(workers[w], "/y", 1 + (i * 37 + (unsigned)w * 101) % 997);
	view = look(scoreboard);
	assert_int_equal(view->ask_count, SCOREBOARD_LISTED);
	for (size_t i = 1; i < view->ask_count; i++)
		assert_true(view->asks[i - 1].began_ms <= view->asks[i].began_ms);
	assert_true(view->asks[SCOREBOARD_LISTED - 1].began_ms < 997);
	scoreboard_view_free(&view);
	for (int i = 0; i < 6; i++)
		scoreboard_close(&workers[i]);
	scoreboard_free(&scoreboard);
}

/* A worker that was killed while it wrote leaves a word that is odd: its successor's text is read all the same. */
static void test_a_death_in_the_middle_of_writing(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(1);
	int place;
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, &place);
	struct scoreboard_ask_slot *slot = &worker->block->asks[0];

	(void)state;
	(void)ask_at(worker, "/one", 5);
	scoreboard_word_write(&slot->seq, scoreboard_word_read(&slot->seq) + 1);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->ask_count, 0); /* it is being written */
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_reclaim(scoreboard, place);
	worker = new_worker(scoreboard, 1, NULL, &place);
	(void)ask_at(worker, "/two", 6);
	view = look(scoreboard);
	assert_int_equal(view->ask_count, 1);
	assert_string_equal(view->asks[0].path, "/two");
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
}

/* Of one letter each, so that a mixture shows. */
static void write_for_ever(struct scoreboard *scoreboard)
{
	struct scoreboard_worker *worker = scoreboard_open(scoreboard, 0, NULL);
	char text[64];

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || worker == NULL)
		_exit(1);
	for (unsigned i = 0;; i++) {
		memset(text, 'a' + (int)(i % 26), sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		scoreboard_ask ask = ask_at(worker, text, i % 26 + 1);
		scoreboard_alive(worker, i + 1);
		scoreboard_ask_end(worker, &ask);
	}
}

static void test_readers_see_whole_texts(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(1);
	unsigned seen = 0;

	(void)state;
	assert_int_equal(scoreboard_take(scoreboard, 1), 0);
	pid_t writer = fork();
	assert_true(writer >= 0);
	if (writer == 0)
		write_for_ever(scoreboard);
	while (seen < 2000) {
		struct scoreboard_view *view = look(scoreboard);
		if (view->ask_count == 1) {
			const struct scoreboard_ask_view *ask = &view->asks[0];
			assert_int_equal(strlen(ask->path), 63);
			for (size_t i = 1; i < 63; i++)
				assert_int_equal(ask->path[i], ask->path[0]);
			assert_int_equal('a' + (int)ask->began_ms - 1, ask->path[0]);
			seen++;
		}
		scoreboard_view_free(&view);
		assert_int_equal(waitpid(writer, NULL, WNOHANG), 0);
	}
	assert_int_equal(kill(writer, SIGKILL), 0);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	scoreboard_reclaim(scoreboard, 0);
	scoreboard_free(&scoreboard);
}

/* ---- upstreams */

static void test_servers_count_on_over_configurations(void **state)
{
	struct config *one = config_with("{ a: { servers: [ 'http://10.0.0.1', 'http://10.0.0.2' ] }, "
					 "b: { servers: [ 'http://10.0.0.1' ] } }");
	struct config *two = config_with("{ b: { servers: [ 'http://10.0.0.9', 'http://10.0.0.1' ] } }");
	struct scoreboard *scoreboard = new_scoreboard(2);
	struct scoreboard_map *first = scoreboard_map_new(scoreboard, one), *second;
	struct scoreboard_worker *old = new_worker(scoreboard, 1, first, NULL), *young;

	(void)state;
	scoreboard_upstream(old, &one->upstreams[0], "http://10.0.0.2", SCOREBOARD_ANSWERED, 20);
	scoreboard_upstream(old, &one->upstreams[1], "http://10.0.0.1", SCOREBOARD_ANSWERED, 7);
	scoreboard_upstream(old, &one->upstreams[1], "http://10.0.0.1", SCOREBOARD_FAILED, 9999);
	scoreboard_upstream(old, &one->upstreams[1], "-", SCOREBOARD_FAILED, 0); /* none was chosen */
	second = scoreboard_map_new(scoreboard, two);
	young = new_worker(scoreboard, 2, second, NULL);
	scoreboard_upstream(young, &two->upstreams[0], "http://10.0.0.1", SCOREBOARD_TIMED_OUT, 0);
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->server_count, 4);
	assert_string_equal(view->servers[0].upstream, "a");
	assert_string_equal(view->servers[0].server, "http://10.0.0.1");
	assert_int_equal(view->servers[0].sums.outcomes[SCOREBOARD_ANSWERED], 0);
	assert_int_equal(view->servers[1].sums.outcomes[SCOREBOARD_ANSWERED], 1);
	assert_int_equal(view->servers[1].sums.answer_ms.sum_ms, 20);
	assert_int_equal(view->servers[1].sums.answer_ms.counts[2], 1);
	assert_string_equal(view->servers[2].upstream, "b");
	assert_int_equal(view->servers[2].sums.outcomes[SCOREBOARD_ANSWERED], 1);
	assert_int_equal(view->servers[2].sums.outcomes[SCOREBOARD_FAILED], 1);
	assert_int_equal(view->servers[2].sums.outcomes[SCOREBOARD_TIMED_OUT], 1);
	assert_int_equal(view->servers[2].sums.answer_ms.sum_ms, 7);
	assert_string_equal(view->servers[3].server, "http://10.0.0.9");
	scoreboard_view_free(&view);

	/* What no configuration has any more is not shown; what came back has its counts. */
	scoreboard_close(&old);
	scoreboard_map_free(&first);
	view = look(scoreboard);
	assert_int_equal(view->server_count, 2);
	assert_int_equal(view->servers[0].sums.outcomes[SCOREBOARD_FAILED], 1);
	scoreboard_view_free(&view);
	first = scoreboard_map_new(scoreboard, one);
	view = look(scoreboard);
	assert_int_equal(view->server_count, 4);
	assert_int_equal(view->servers[1].sums.outcomes[SCOREBOARD_ANSWERED], 1);
	scoreboard_view_free(&view);
	scoreboard_close(&young);
	scoreboard_map_free(&first);
	scoreboard_map_free(&second);
	scoreboard_free(&scoreboard);
	config_free(&one);
	config_free(&two);
}

/* The names of so many servers, which nobody else has. */
static struct config *config_with_many(unsigned from, unsigned count)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	(void)fprintf(file, "{ many: { servers: [ ");
	for (unsigned i = from; i < from + count; i++)
		(void)fprintf(file, "%s'http://10.1.%u.%u'", i > from ? ", " : "", i / 250, i % 250);
	(void)fprintf(file, " ] } }");
	assert_int_equal(fclose(file), 0);
	struct config *config = config_with(text);
	free(text);
	return config;
}

static void test_more_servers_than_places(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct config *few = config_with_many(0, 10), *many = config_with_many(10, SCOREBOARD_SERVERS);
	struct scoreboard_map *map = scoreboard_map_new(scoreboard, few), *more = scoreboard_map_new(scoreboard, many);
	int place;
	struct scoreboard_worker *worker = new_worker(scoreboard, 2, more, &place);

	(void)state;
	for (size_t i = 0; i < many->upstreams[0].server_count; i++) {
		scoreboard_upstream(worker, &many->upstreams[0], many->upstreams[0].servers[i].text,
				    SCOREBOARD_ANSWERED, 1);
		scoreboard_pool(worker, 0, i, &(struct scoreboard_use){.in_use = 1});
	}
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->server_count, SCOREBOARD_SERVERS);
	for (size_t i = 0; i < SCOREBOARD_SERVERS; i++)
		assert_int_equal(view->servers[i].sums.outcomes[SCOREBOARD_ANSWERED], i >= 10);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_reclaim(scoreboard, place);
	scoreboard_map_free(&more);

	/* Places of servers that are gone are given to others, which begin at nothing. */
	struct config *others = config_with_many(1000, 20);
	struct scoreboard_map *late = scoreboard_map_new(scoreboard, others);
	view = look(scoreboard);
	assert_int_equal(view->server_count, 30);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(view->servers[i].sums.outcomes[SCOREBOARD_ANSWERED], 0);
	assert_string_equal(view->servers[10].server, "http://10.1.4.0");
	scoreboard_view_free(&view);
	scoreboard_map_free(&map);
	scoreboard_map_free(&late);
	scoreboard_free(&scoreboard);
	config_free(&few);
	config_free(&many);
	config_free(&others);
}

static void test_the_pool_tells_differences(void **state)
{
	/* Two servers whose names are the same once only ASCII is left of them. */
	struct config *config = config_with("{ a: { servers: [ 'unix:/\xc3\xa4', 'unix:/\xc3\xb6' ] } }");
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_map *map = scoreboard_map_new(scoreboard, config);
	int place;
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, map, &place);

	(void)state;
	scoreboard_pool(worker, 0, 0, &(struct scoreboard_use){.in_use = 3, .idle = 1, .resting = 1, .connects = 4});
	scoreboard_pool(worker, 0, 1, &(struct scoreboard_use){.in_use = 2, .connects = 2, .connect_failures = 1});
	scoreboard_pool(worker, 0, 0,
			&(struct scoreboard_use){.in_use = 1, .idle = 2, .connects = 5, .reused = 9, .failures = 1});
	scoreboard_pool(worker, 0, 2, &(struct scoreboard_use){.in_use = 100}); /* there is none */
	scoreboard_pool(worker, 1, 0, &(struct scoreboard_use){.in_use = 100});
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->server_count, 1);
	assert_string_equal(view->servers[0].server, "unix:/??");
	assert_int_equal(view->servers[0].sums.use.in_use, 3);
	assert_int_equal(view->servers[0].sums.use.idle, 2);
	assert_int_equal(view->servers[0].sums.use.resting, 0);
	assert_int_equal(view->servers[0].sums.use.connects, 7);
	assert_int_equal(view->servers[0].sums.use.reused, 9);
	assert_int_equal(view->servers[0].sums.use.connect_failures, 1);
	assert_int_equal(view->servers[0].sums.use.failures, 1);
	scoreboard_view_free(&view);

	/* Its successor's pool begins at nothing. */
	scoreboard_close(&worker);
	scoreboard_reclaim(scoreboard, place);
	worker = new_worker(scoreboard, 1, map, &place);
	scoreboard_pool(worker, 0, 1, &(struct scoreboard_use){.in_use = 1, .connects = 1});
	view = look(scoreboard);
	assert_int_equal(view->servers[0].sums.use.in_use, 1);
	assert_int_equal(view->servers[0].sums.use.idle, 0);
	assert_int_equal(view->servers[0].sums.use.connects, 8);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_map_free(&map);
	scoreboard_free(&scoreboard);
	config_free(&config);
}

static void test_a_worker_without_a_map(void **state)
{
	struct config *config = config_with("{ a: { servers: [ 'http://10.0.0.1' ] } }");
	struct scoreboard *scoreboard = new_scoreboard(1);
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, NULL, NULL);

	(void)state;
	scoreboard_upstream(worker, &config->upstreams[0], "http://10.0.0.1", SCOREBOARD_ANSWERED, 1);
	scoreboard_pool(worker, 0, 0, &(struct scoreboard_use){.in_use = 1});
	struct scoreboard_view *view = look(scoreboard);
	assert_int_equal(view->server_count, 0);
	scoreboard_view_free(&view);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
	config_free(&config);
}

/* ---- who serves */

static bool is_ready(const struct scoreboard *scoreboard, uint64_t now_ms)
{
	struct scoreboard_view *view = scoreboard_view_new(scoreboard, now_ms, WALL_MS);

	assert_non_null(view);
	bool ready = view->ready;
	scoreboard_view_free(&view);
	return ready;
}

static void test_ready_once_all_workers_serve_and_move(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(4);
	int places[2];
	struct scoreboard_worker *workers[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		workers[i] = new_worker(scoreboard, 1, NULL, &places[i]);
		scoreboard_alive(workers[i], NOW_MS);
	}
	assert_false(is_ready(scoreboard, NOW_MS)); /* the master has not said so */
	scoreboard_enter(scoreboard, SCOREBOARD_SERVING, 1, 2);
	assert_true(is_ready(scoreboard, NOW_MS));
	assert_true(is_ready(scoreboard, NOW_MS + SCOREBOARD_SILENT_MS));
	assert_false(is_ready(scoreboard, NOW_MS + SCOREBOARD_SILENT_MS + 1));
	scoreboard_alive(workers[0], NOW_MS + SCOREBOARD_SILENT_MS);
	assert_false(is_ready(scoreboard, NOW_MS + SCOREBOARD_SILENT_MS + 1));
	scoreboard_alive(workers[1], NOW_MS + SCOREBOARD_SILENT_MS);
	assert_true(is_ready(scoreboard, NOW_MS + SCOREBOARD_SILENT_MS + 1));

	/* One dies, and its successor begins. */
	scoreboard_close(&workers[1]);
	scoreboard_reclaim(scoreboard, places[1]);
	assert_false(is_ready(scoreboard, NOW_MS));
	workers[1] = new_worker(scoreboard, 1, NULL, &places[1]);
	assert_false(is_ready(scoreboard, NOW_MS));
	scoreboard_alive(workers[1], 0); /* a clock that begins now */
	assert_true(is_ready(scoreboard, 1));
	scoreboard_alive(workers[1], NOW_MS);
	assert_true(is_ready(scoreboard, NOW_MS));
	scoreboard_enter(scoreboard, SCOREBOARD_STOPPING, 1, 2);
	assert_false(is_ready(scoreboard, NOW_MS));
	scoreboard_close(&workers[0]);
	scoreboard_close(&workers[1]);
	scoreboard_free(&scoreboard);
}

static void test_states_of_workers_over_a_reload(void **state)
{
	struct scoreboard *scoreboard = new_scoreboard(4);
	struct scoreboard_worker *old = new_worker(scoreboard, 1, NULL, NULL),
				 *young = new_worker(scoreboard, 2, NULL, NULL);
	struct scoreboard_view *view;

	(void)state;
	scoreboard_enter(scoreboard, SCOREBOARD_SERVING, 1, 1);
	scoreboard_alive(old, NOW_MS);
	view = look(scoreboard);
	assert_int_equal(view->workers[0].state, SCOREBOARD_WORKER_SERVING);
	assert_int_equal(view->workers[1].state, SCOREBOARD_WORKER_STARTING);
	assert_true(view->ready);
	scoreboard_view_free(&view);
	scoreboard_alive(young, NOW_MS);
	view = look(scoreboard);
	assert_int_equal(view->workers[1].state, SCOREBOARD_WORKER_STARTING);
	assert_int_equal(view->workers_ready, 1);
	scoreboard_view_free(&view);
	scoreboard_enter(scoreboard, SCOREBOARD_SERVING, 2, 1);
	view = look(scoreboard);
	assert_int_equal(view->configuration, 2);
	assert_int_equal(view->workers[0].state, SCOREBOARD_WORKER_RETIRING);
	assert_int_equal(view->workers[1].state, SCOREBOARD_WORKER_SERVING);
	assert_true(view->ready);
	scoreboard_view_free(&view);
	view = scoreboard_view_new(scoreboard, NOW_MS + 2 * SCOREBOARD_SILENT_MS, WALL_MS);
	assert_int_equal(view->workers[0].state, SCOREBOARD_WORKER_SILENT);
	assert_int_equal(view->workers[0].silent_ms, 2 * SCOREBOARD_SILENT_MS);
	scoreboard_view_free(&view);
	scoreboard_enter(scoreboard, SCOREBOARD_STOPPING, 2, 1);
	view = look(scoreboard);
	assert_int_equal(view->workers[1].state, SCOREBOARD_WORKER_RETIRING);
	assert_false(view->ready);
	scoreboard_view_free(&view);
	scoreboard_close(&old);
	scoreboard_close(&young);
	scoreboard_free(&scoreboard);
}

/* ---- no memory */

static void test_every_allocation_may_fail(void **state)
{
	struct config *config = config_with("{ a: { servers: [ 'http://10.0.0.1' ] } }");
	struct scoreboard *scoreboard = new_scoreboard(1);
	int place = scoreboard_take(scoreboard, 1);
	long failed = 0;

	(void)state;
	for (bool done = false; !done; failed++) {
		calls_left = failed + 1;
		struct scoreboard_map *map = scoreboard_map_new(scoreboard, config);
		struct scoreboard_worker *worker = scoreboard_open(scoreboard, place, map);
		struct scoreboard_view *view = scoreboard_view_new(scoreboard, NOW_MS, WALL_MS);
		calls_left = -1;
		done = map != NULL && worker != NULL && view != NULL;
		scoreboard_connection_opened(worker);
		scoreboard_connection_closed(worker);
		scoreboard_view_free(&view);
		scoreboard_close(&worker);
		scoreboard_map_free(&map);
	}
	assert_true(failed > 6);
	scoreboard_free(&scoreboard);
	config_free(&config);
}

/* ---- a worker that was taken over */

static void assert_ends(const char *text, size_t room)
{
	size_t len = strnlen(text, room);

	assert_true(len < room);
	for (size_t i = 0; i < len; i++)
		assert_true(text[i] >= ' ' && text[i] <= '~');
}

/* What is shown may be wrong; it is within its bounds. */
static void assert_view_is_sound(const struct scoreboard_view *view, size_t places)
{
	assert_true(view->phase < SCOREBOARD_PHASES);
	assert_true(view->worker_count <= places);
	assert_true(view->ask_count <= SCOREBOARD_LISTED);
	assert_true(view->server_count <= SCOREBOARD_SERVERS);
	for (size_t i = 0; i < view->worker_count; i++)
		assert_true(view->workers[i].state < SCOREBOARD_WORKER_STATES);
	for (size_t i = 0; i < view->ask_count; i++) {
		assert_true((size_t)view->asks[i].means < SCOREBOARD_MEANS);
		assert_true((size_t)view->asks[i].moment < SCOREBOARD_MOMENTS);
		assert_ends(view->asks[i].client, sizeof(view->asks[i].client));
		assert_ends(view->asks[i].host, sizeof(view->asks[i].host));
		assert_ends(view->asks[i].path, sizeof(view->asks[i].path));
	}
	for (size_t i = 0; i < view->server_count; i++) {
		assert_ends(view->servers[i].upstream, sizeof(view->servers[i].upstream));
		assert_ends(view->servers[i].server, sizeof(view->servers[i].server));
	}
}

/* The master goes on with what is its own, and readers see nothing that is out of bounds. */
static void go_on_after(uint64_t word, struct config *config, struct config *next)
{
	struct scoreboard *scoreboard = new_scoreboard(3);
	struct scoreboard_map *map = scoreboard_map_new(scoreboard, config), *next_map;
	int place = -1, other = -1;
	struct scoreboard_worker *worker = new_worker(scoreboard, 1, map, &place),
				 *beside = new_worker(scoreboard, 1, map, &other);

	scoreboard_enter(scoreboard, SCOREBOARD_SERVING, 1, 2);
	(void)ask_at(worker, "/late", NOW_MS);
	hostile_worker(word, SIZE_MAX);
	/* Another worker counts on. */
	scoreboard_connection_opened(beside);
	(void)ask_at(beside, "/late", NOW_MS);
	scoreboard_upstream(beside, &config->upstreams[0], config->upstreams[0].servers[0].text, SCOREBOARD_ANSWERED,
			    1);
	struct scoreboard_view *view = look(scoreboard);
	assert_view_is_sound(view, 3);
	scoreboard_view_free(&view);

	scoreboard_reclaim(scoreboard, place);
	next_map = scoreboard_map_new(scoreboard, next);
	assert_non_null(next_map);
	scoreboard_map_free(&map);
	assert_int_equal(scoreboard_take(scoreboard, 2), place);
	assert_int_equal(scoreboard_take(scoreboard, 2), 2);
	assert_int_equal(scoreboard_take(scoreboard, 2), -1);
	scoreboard_enter(scoreboard, SCOREBOARD_SERVING, 2, 3);
	view = look(scoreboard);
	assert_view_is_sound(view, 3);
	assert_int_equal(view->phase, SCOREBOARD_SERVING);
	assert_int_equal(view->configuration, 2);
	scoreboard_view_free(&view);
	scoreboard_map_free(&next_map);
	scoreboard_close(&worker);
	scoreboard_close(&beside);
	scoreboard_free(&scoreboard);
}

static void test_a_forged_scoreboard_is_a_wrong_scoreboard_and_no_more(void **state)
{
	struct config *config = config_with("{ a: { servers: [ http://10.0.0.1, http://10.0.0.2 ] } }");
	struct config *next = config_with("{ a: { servers: [ http://10.0.0.2, http://10.0.0.3, http://10.0.0.4 ] } }");

	(void)state;
	for (size_t i = 0; i < HOSTILE_WORDS; i++)
		go_on_after(hostile_words[i], config, next);
	config_free(&config);
	config_free(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_scoreboard_nothing_happens),
		cmocka_unit_test(test_places_are_given_and_taken_back),
		cmocka_unit_test(test_what_is_counted_outlives_the_worker),
		cmocka_unit_test(test_handshakes_requests_and_refusals),
		cmocka_unit_test(test_times_fall_into_buckets),
		cmocka_unit_test(test_every_story_has_its_own_count),
		cmocka_unit_test(test_times_of_the_accepted_and_of_others),
		cmocka_unit_test(test_steps_follow_the_clock),
		cmocka_unit_test(test_a_clock_that_is_set_back),
		cmocka_unit_test(test_an_ask_is_shown_while_it_lasts),
		cmocka_unit_test(test_text_is_cut_and_made_harmless),
		cmocka_unit_test(test_more_asks_than_are_listed),
		cmocka_unit_test(test_a_death_in_the_middle_of_writing),
		cmocka_unit_test(test_readers_see_whole_texts),
		cmocka_unit_test(test_servers_count_on_over_configurations),
		cmocka_unit_test(test_more_servers_than_places),
		cmocka_unit_test(test_the_pool_tells_differences),
		cmocka_unit_test(test_a_worker_without_a_map),
		cmocka_unit_test(test_ready_once_all_workers_serve_and_move),
		cmocka_unit_test(test_states_of_workers_over_a_reload),
		cmocka_unit_test(test_every_allocation_may_fail),
		cmocka_unit_test(test_a_forged_scoreboard_is_a_wrong_scoreboard_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
