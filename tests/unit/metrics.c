/* /metrics, read by a strict reader of Prometheus' text format 0.0.4. */
#include "scoreboard_world.h"

#include <ctype.h>
#include <math.h>

#include "../made.h"
#include "admin/respond.h"

#define MIB UINT64_C(1048576)

/* ---- the reader: every line is a comment of its family, or a sample of it; families do not mix */

#define LABELS_MAX  8
#define SAMPLES_MAX 20000

struct label {
	char name[64], value[256];
};
struct sample {
	char name[96];
	struct label labels[LABELS_MAX];
	size_t label_count;
	double value;
	size_t family;
};
struct family {
	char name[96], type[16];
	size_t samples;
};
struct exposition {
	struct family families[64];
	size_t family_count;
	struct sample *samples;
	size_t count;
};

static const char *read_name(const char *at, char *name, size_t room, bool colons)
{
	size_t len = 0;

	assert_true(isalpha((unsigned char)*at) || *at == '_');
	while (isalnum((unsigned char)*at) || *at == '_' || (colons && *at == ':')) {
		assert_true(len + 1 < room);
		name[len++] = *at++;
	}
	name[len] = '\0';
	return at;
}

static const char *expect(const char *at, const char *text)
{
	if (strncmp(at, text, strlen(text)) != 0)
		fail_msg("'%s' expected at '%.60s'", text, at);
	return at + strlen(text);
}

static const char *read_value(const char *at, char *value, size_t room)
{
	size_t len = 0;

	for (at = expect(at, "\""); *at != '"'; at++) {
		char c = *at;
		assert_true(c != '\0' && c != '\n');
		if (c == '\\') {
			c = *++at;
			assert_true(c == '\\' || c == '"' || c == 'n');
			c = c == 'n' ? '\n' : c;
		}
		assert_true(len + 1 < room);
		value[len++] = c;
	}
	value[len] = '\0';
	return at + 1;
}

static const char *read_labels(const char *at, struct sample *sample)
{
	for (at = expect(at, "{"); *at != '}';) {
		assert_true(sample->label_count < LABELS_MAX);
		struct label *label = &sample->labels[sample->label_count++];
		at = read_name(at, label->name, sizeof(label->name), false);
		at = read_value(expect(at, "="), label->value, sizeof(label->value));
		for (size_t i = 0; i + 1 < sample->label_count; i++)
			assert_string_not_equal(sample->labels[i].name, label->name);
		if (*at == '}')
			break;
		at = expect(at, ",");
		assert_true(*at != '}'); /* allowed, but we have none such */
	}
	return at + 1;
}

static bool is_of(const struct sample *sample, const struct family *family)
{
	static const char *const parts[] = {"_bucket", "_sum", "_count"};
	size_t len = strlen(family->name);

	if (strcmp(family->type, "histogram") != 0)
		return strcmp(sample->name, family->name) == 0;
	for (size_t i = 0; i < 3; i++)
		if (strncmp(sample->name, family->name, len) == 0 && strcmp(sample->name + len, parts[i]) == 0)
			return true;
	return false;
}

static const char *read_sample(struct exposition *e, const char *at)
{
	char *end;

	assert_true(e->count < SAMPLES_MAX && e->family_count > 0);
	struct sample *sample = &e->samples[e->count++];
	at = read_name(at, sample->name, sizeof(sample->name), true);
	if (*at == '{')
		at = read_labels(at, sample);
	at = expect(at, " ");
	assert_true(*at == '-' || isdigit((unsigned char)*at));
	sample->value = strtod(at, &end);
	sample->family = e->family_count - 1;
	if (!is_of(sample, &e->families[sample->family]))
		fail_msg("%s stands below %s", sample->name, e->families[sample->family].name);
	e->families[sample->family].samples++;
	return expect(end, "\n");
}

static const char *read_family(struct exposition *e, const char *at)
{
	char again[96];

	assert_true(e->family_count < sizeof(e->families) / sizeof(e->families[0]));
	struct family *family = &e->families[e->family_count++];
	at = read_name(expect(at, "# HELP "), family->name, sizeof(family->name), true);
	for (size_t i = 0; i + 1 < e->family_count; i++)
		assert_string_not_equal(e->families[i].name, family->name);
	at = expect(at, " ");
	size_t help = strcspn(at, "\n");
	assert_true(help > 10 && at[help - 1] == '.');
	assert_null(memchr(at, '\\', help));
	at = read_name(expect(at + help, "\n# TYPE "), again, sizeof(again), true);
	assert_string_equal(again, family->name);
	at = read_name(expect(at, " "), family->type, sizeof(family->type), false);
	assert_true(strcmp(family->type, "counter") == 0 || strcmp(family->type, "gauge") == 0 ||
		    strcmp(family->type, "histogram") == 0);
	/* Prometheus' own advice: counters end in _total, and only they. */
	assert_int_equal(strcmp(family->type, "counter") == 0,
			 strlen(family->name) > 6 && strcmp(family->name + strlen(family->name) - 6, "_total") == 0);
	return expect(at, "\n");
}

static const char *label_of(const struct sample *sample, const char *name)
{
	for (size_t i = 0; i < sample->label_count; i++)
		if (strcmp(sample->labels[i].name, name) == 0)
			return sample->labels[i].value;
	return NULL;
}

/* All labels but le. */
static bool same_series(const struct sample *a, const struct sample *b, bool with_le)
{
	if (strcmp(a->name, b->name) != 0 || a->label_count != b->label_count)
		return false;
	for (size_t i = 0; i < a->label_count; i++) {
		if (!with_le && strcmp(a->labels[i].name, "le") == 0)
			continue;
		const char *other = label_of(b, a->labels[i].name);
		if (other == NULL || strcmp(other, a->labels[i].value) != 0)
			return false;
	}
	return true;
}

/* Buckets of one series follow each other, grow, and end with +Inf, which is the count. */
static void check_buckets(const struct exposition *e)
{
	double last_le = -1, last = 0;

	for (size_t i = 0; i < e->count; i++) {
		const struct sample *sample = &e->samples[i];
		const char *le = label_of(sample, "le");
		if (le == NULL)
			continue;
		bool first = i == 0 || !same_series(sample, sample - 1, false);
		double limit = strtod(le, NULL); /* "+Inf" is infinity */
		assert_true(limit > (first ? 0 : last_le));
		assert_true(first || sample->value >= last);
		last_le = limit;
		last = sample->value;
		if (isinf(limit)) {
			assert_non_null(strstr(sample[1].name, "_sum"));
			assert_non_null(strstr(sample[2].name, "_count"));
			assert_true(sample[2].value == sample->value);
		} else {
			assert_true(i + 1 < e->count && same_series(sample, sample + 1, false));
		}
	}
}

static struct exposition *read_exposition(const struct buffer *text)
{
	struct exposition *e = calloc(1, sizeof(*e));
	char *copy = strndup(text->bytes, text->len);
	const char *at = copy;

	assert_non_null(e);
	assert_non_null(copy);
	assert_int_equal(strlen(copy), text->len);
	e->samples = calloc(SAMPLES_MAX, sizeof(*e->samples));
	assert_non_null(e->samples);
	while (*at != '\0')
		at = *at == '#' ? read_family(e, at) : read_sample(e, at);
	free(copy);
	for (size_t i = 0; i < e->count; i++)
		for (size_t j = i + 1; j < e->count && e->samples[j].family == e->samples[i].family; j++)
			if (same_series(&e->samples[i], &e->samples[j], true))
				fail_msg("%s is there twice", e->samples[i].name);
	check_buckets(e);
	return e;
}

static void free_exposition(struct exposition **e)
{
	free((*e)->samples);
	free(*e);
	*e = NULL;
}

/* labels: "name=value,name=value", all that the sample has. NAN: there is no such sample. */
static double value_of(const struct exposition *e, const char *name, const char *labels)
{
	for (size_t i = 0; i < e->count; i++) {
		char have[1024] = "";
		const struct sample *sample = &e->samples[i];
		for (size_t j = 0; j < sample->label_count; j++) {
			size_t len = strlen(have);
			(void)snprintf(have + len, sizeof(have) - len, "%s%s=%s", j > 0 ? "," : "",
				       sample->labels[j].name, sample->labels[j].value);
		}
		if (strcmp(sample->name, name) == 0 && strcmp(have, labels) == 0)
			return sample->value;
	}
	return (double)NAN;
}

#define ASSERT_METRIC(e, name, labels, expected)                                                 \
	do {                                                                                     \
		double is_ = value_of(e, name, labels);                                          \
		if (!(fabs(is_ - (double)(expected)) < 1e-9))                                    \
			fail_msg("%s{%s} is %g, not %g", name, labels, is_, (double)(expected)); \
	} while (0)

/* ---- a world */

struct world {
	struct config *config;
	struct scoreboard *scoreboard;
	struct scoreboard_map *map;
	struct scoreboard_worker *worker;
	thaw_quota *quota;
	struct admin admin;
};

static void open_world(struct world *world, const char *upstreams)
{
	struct thaw_quota_limits limits = {.size = sizeof(limits), .memory = 16 * MIB, .disk = 64 * MIB, .workers = 1};

	world->config = config_with(upstreams);
	world->scoreboard = new_scoreboard(4);
	world->map = scoreboard_map_new(world->scoreboard, world->config);
	world->worker = new_worker(world->scoreboard, 3, world->map, NULL);
	world->quota = made_quota_new(&limits);
	assert_non_null(world->quota);
	scoreboard_alive(world->worker, NOW_MS);
	scoreboard_enter(world->scoreboard, SCOREBOARD_SERVING, 3, 1);
	world->admin = (struct admin){.scoreboard = world->scoreboard,
				      .quota = world->quota,
				      .memory_limit = 16 * MIB,
				      .disk_limit = 64 * MIB};
}

static void close_world(struct world *world)
{
	scoreboard_close(&world->worker);
	scoreboard_map_free(&world->map);
	scoreboard_free(&world->scoreboard);
	thaw_quota_free(&world->quota);
	config_free(&world->config);
}

static bool write_metrics(struct world *world, struct buffer *text)
{
	struct admin_sight sight = {
		.admin = &world->admin, .spool = {.size = sizeof(sight.spool)}, .now_ms = NOW_MS, .wall_ms = WALL_MS};

	sight.scoreboard = scoreboard_view_new(world->scoreboard, NOW_MS, WALL_MS);
	if (sight.scoreboard == NULL)
		return false;
	assert_int_equal(thaw_quota_read_use(world->quota, &sight.spool), THAW_OK);
	admin_metrics(&sight, text);
	scoreboard_view_free(&sight.scoreboard);
	return !text->failed;
}

static struct exposition *scrape(struct world *world)
{
	struct buffer text = {.bytes = NULL};

	assert_true(write_metrics(world, &text));
	struct exposition *e = read_exposition(&text);
	buffer_free(&text);
	return e;
}

/* ---- */

static void test_an_idle_gateway(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, "{ }");
	struct exposition *e = scrape(&world);
	ASSERT_METRIC(e, "thaw_build_info", "version=" THAW_VERSION_TEXT, 1);
	ASSERT_METRIC(e, "thaw_ready", "", 1);
	ASSERT_METRIC(e, "thaw_configuration", "", 3);
	ASSERT_METRIC(e, "thaw_workers_wanted", "", 1);
	ASSERT_METRIC(e, "thaw_workers_ready", "", 1);
	ASSERT_METRIC(e, "thaw_workers", "", 1);
	ASSERT_METRIC(e, "thaw_connections_open", "", 0);
	ASSERT_METRIC(e, "thaw_requests_total", "status=2xx", 0);
	ASSERT_METRIC(e, "thaw_spool_limit_bytes", "tier=memory", 16. * MIB);
	ASSERT_METRIC(e, "thaw_spool_limit_bytes", "tier=disk", 64. * MIB);
	ASSERT_METRIC(e, "thaw_request_duration_seconds_bucket", "le=0.005", 0);
	ASSERT_METRIC(e, "thaw_request_duration_seconds_bucket", "le=+Inf", 0);
	ASSERT_METRIC(e, "thaw_request_duration_seconds_sum", "", 0);
	/* What has no series yet has its family all the same. */
	for (size_t i = 0; i < e->family_count; i++)
		assert_int_equal(e->families[i].samples == 0,
				 strcmp(e->families[i].name, "thaw_asks_total") == 0 ||
					 strcmp(e->families[i].name, "thaw_certificate_expiry_seconds") == 0 ||
					 strncmp(e->families[i].name, "thaw_upstream_", 14) == 0);
	free_exposition(&e);
	scoreboard_enter(world.scoreboard, SCOREBOARD_STOPPING, 3, 1);
	e = scrape(&world);
	ASSERT_METRIC(e, "thaw_ready", "", 0);
	free_exposition(&e);
	close_world(&world);
}

static void test_what_was_counted(void **state)
{
	struct world world;
	struct thaw_report accepted =
		a_verdict(THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE, 1500);
	struct thaw_report over =
		a_verdict(THAW_MEANS_RENEGOTIATION, THAW_VERDICT_OVER_LIMIT, THAW_REASON_BUDGET_CLIENT, 250);

	(void)state;
	open_world(&world, "{ }");
	scoreboard_connection_opened(world.worker);
	scoreboard_connection_opened(world.worker);
	scoreboard_connection_closed(world.worker);
	scoreboard_handshake(world.worker, "TLSv1.3", true);
	scoreboard_handshake_failed(world.worker);
	for (unsigned why = 0; why <= SCOREBOARD_DEMANDS; why++)
		for (unsigned i = 0; i < why; i++)
			scoreboard_on_demand(world.worker, why);
	scoreboard_note(world.worker);
	scoreboard_connection_unused(world.worker);
	scoreboard_internal_error(world.worker);
	for (int i = 0; i < 3; i++)
		scoreboard_record_taken(world.worker);
	scoreboard_records_settled(world.worker, 2, 1);
	scoreboard_request(world.worker, 503, 40, 700, 30);
	scoreboard_request(world.worker, 0, 70000, 1, 0);
	scoreboard_refusal(world.worker, GW_PROBLEM_UPSTREAM_AWAY);
	scoreboard_verdict(world.worker, &accepted, 4096, WALL_MS);
	scoreboard_verdict(world.worker, &accepted, 0, WALL_MS);
	scoreboard_verdict(world.worker, &over, 100, WALL_MS);
	(void)ask_at(world.worker, "/x", 1);
	struct exposition *e = scrape(&world);
	ASSERT_METRIC(e, "thaw_connections_open", "", 1);
	ASSERT_METRIC(e, "thaw_connections_total", "", 2);
	ASSERT_METRIC(e, "thaw_tls_handshakes_total", "version=TLSv1.3,resumed=yes", 1);
	ASSERT_METRIC(e, "thaw_tls_handshakes_total", "version=TLSv1.3,resumed=no", 0);
	ASSERT_METRIC(e, "thaw_tls_handshake_failures_total", "", 1);
	ASSERT_METRIC(e, "thaw_handshakes_on_demand_total", "by=note", 1);
	ASSERT_METRIC(e, "thaw_handshakes_on_demand_total", "by=ticket", 2);
	ASSERT_METRIC(e, "thaw_handshakes_on_demand_total", "by=certificate", 3);
	ASSERT_METRIC(e, "thaw_away_notes_total", "", 1);
	ASSERT_METRIC(e, "thaw_connections_unused_total", "", 1);
	ASSERT_METRIC(e, "thaw_internal_errors_total", "", 1);
	ASSERT_METRIC(e, "thaw_access_records_total", "", 3);
	ASSERT_METRIC(e, "thaw_access_records_lost_total", "", 1);
	ASSERT_METRIC(e, "thaw_requests_total", "status=5xx", 1);
	ASSERT_METRIC(e, "thaw_requests_total", "status=none", 1);
	ASSERT_METRIC(e, "thaw_request_body_bytes_total", "", 701);
	ASSERT_METRIC(e, "thaw_response_body_bytes_total", "", 30);
	ASSERT_METRIC(e, "thaw_request_duration_seconds_bucket", "le=0.025", 0);
	ASSERT_METRIC(e, "thaw_request_duration_seconds_bucket", "le=0.05", 1);
	ASSERT_METRIC(e, "thaw_request_duration_seconds_bucket", "le=30", 1);
	ASSERT_METRIC(e, "thaw_request_duration_seconds_bucket", "le=+Inf", 2);
	ASSERT_METRIC(e, "thaw_request_duration_seconds_sum", "", 70.04);
	ASSERT_METRIC(e, "thaw_refusals_total", "problem=upstream-unreachable", 1);
	ASSERT_METRIC(e, "thaw_refusals_total", "problem=no-route", 0);
	ASSERT_METRIC(e, "thaw_asks_open", "", 1);
	ASSERT_METRIC(e, "thaw_asks_total", "means=post-handshake,moment=headers,verdict=accepted,reason=none", 2);
	ASSERT_METRIC(e, "thaw_asks_total",
		      "means=renegotiation,moment=headers,verdict=over-limit,reason=budget-client", 1);
	ASSERT_METRIC(e, "thaw_ask_duration_seconds_bucket", "outcome=accepted,le=1", 0);
	ASSERT_METRIC(e, "thaw_ask_duration_seconds_bucket", "outcome=accepted,le=2", 2);
	ASSERT_METRIC(e, "thaw_ask_duration_seconds_sum", "outcome=accepted", 3);
	ASSERT_METRIC(e, "thaw_ask_duration_seconds_count", "outcome=other", 1);
	ASSERT_METRIC(e, "thaw_ask_duration_seconds_bucket", "outcome=other,le=0.25", 1);
	ASSERT_METRIC(e, "thaw_drained_bytes_total", "", 4196);
	ASSERT_METRIC(e, "thaw_budget_refusals_total", "reason=budget-client", 1);
	ASSERT_METRIC(e, "thaw_budget_refusals_total", "reason=disk-full", 0);
	free_exposition(&e);
	close_world(&world);
}

static void test_the_spool(void **state)
{
	struct world world;
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	(void)state;
	open_world(&world, "{ }");
	thaw_store *store = made_store_new(world.quota, 0, NULL, &err);
	assert_non_null(store);
	thaw_spool *spool = made_spool_new(store, NULL, 64 * MIB);
	assert_non_null(spool);
	assert_int_equal(why_spool_write(spool, "12345", 5), THAW_REASON_NONE);
	struct exposition *e = scrape(&world);
	ASSERT_METRIC(e, "thaw_spool_bytes", "tier=memory", 512);
	ASSERT_METRIC(e, "thaw_spool_bytes", "tier=disk", 0);
	ASSERT_METRIC(e, "thaw_spool_clients", "", 1);
	ASSERT_METRIC(e, "thaw_spool_refusals_total", "", 0);
	free_exposition(&e);
	thaw_spool_free(&spool);
	thaw_store_free(&store);
	close_world(&world);
}

static void test_upstreams_with_awkward_names(void **state)
{
	struct world world;

	(void)state;
	open_world(&world,
		   "{ a: { servers: [ 'unix:/a\"b\\c', 'http://10.0.0.1:81' ] }, b: { servers: [ 'http://[::1]' ] } }");
	const struct config_upstream *a = &world.config->upstreams[0];
	scoreboard_upstream(world.worker, a, a->servers[0].text, SCOREBOARD_ANSWERED, 1200);
	scoreboard_upstream(world.worker, a, a->servers[0].text, SCOREBOARD_FAILED, 0);
	scoreboard_upstream(world.worker, a, a->servers[1].text, SCOREBOARD_TIMED_OUT, 0);
	scoreboard_pool(world.worker, 0, 0,
			&(struct scoreboard_use){.in_use = 2, .idle = 3, .connects = 5, .reused = 7, .failures = 1});
	scoreboard_pool(world.worker, 0, 1, &(struct scoreboard_use){.resting = 1, .connect_failures = 4});
	struct exposition *e = scrape(&world);
	ASSERT_METRIC(e, "thaw_upstream_requests_total", "upstream=a,server=unix:/a\"b\\c,outcome=answered", 1);
	ASSERT_METRIC(e, "thaw_upstream_requests_total", "upstream=a,server=unix:/a\"b\\c,outcome=failed", 1);
	ASSERT_METRIC(e, "thaw_upstream_requests_total", "upstream=a,server=http://10.0.0.1:81,outcome=timed-out", 1);
	ASSERT_METRIC(e, "thaw_upstream_requests_total", "upstream=b,server=http://[::1],outcome=answered", 0);
	ASSERT_METRIC(e, "thaw_upstream_connections", "upstream=a,server=unix:/a\"b\\c,state=in-use", 2);
	ASSERT_METRIC(e, "thaw_upstream_connections", "upstream=a,server=unix:/a\"b\\c,state=idle", 3);
	ASSERT_METRIC(e, "thaw_upstream_connects_total", "upstream=a,server=unix:/a\"b\\c", 5);
	ASSERT_METRIC(e, "thaw_upstream_reuses_total", "upstream=a,server=unix:/a\"b\\c", 7);
	ASSERT_METRIC(e, "thaw_upstream_failures_total", "upstream=a,server=unix:/a\"b\\c", 1);
	ASSERT_METRIC(e, "thaw_upstream_resting", "upstream=a,server=http://10.0.0.1:81", 1);
	ASSERT_METRIC(e, "thaw_upstream_connect_failures_total", "upstream=a,server=http://10.0.0.1:81", 4);
	ASSERT_METRIC(e, "thaw_upstream_response_seconds_bucket", "upstream=a,server=unix:/a\"b\\c,le=1", 0);
	ASSERT_METRIC(e, "thaw_upstream_response_seconds_bucket", "upstream=a,server=unix:/a\"b\\c,le=2.5", 1);
	ASSERT_METRIC(e, "thaw_upstream_response_seconds_sum", "upstream=a,server=unix:/a\"b\\c", 1.2);
	ASSERT_METRIC(e, "thaw_upstream_response_seconds_count", "upstream=b,server=http://[::1]", 0);
	free_exposition(&e);
	close_world(&world);
}

/* The most there can be: every story, and every server with the longest name. */
static void test_all_of_it_fits(void **state)
{
	struct world world;
	char *upstreams = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&upstreams, &len);

	(void)state;
	assert_non_null(file);
	(void)fprintf(file, "{ many: { servers: [ ");
	for (int i = 0; i < SCOREBOARD_SERVERS; i++)
		(void)fprintf(file, "%s'http://%03d.%060d.example:8080'", i > 0 ? ", " : "", i, i);
	(void)fprintf(file, " ] } }");
	assert_int_equal(fclose(file), 0);
	open_world(&world, upstreams);
	free(upstreams);
	for (int i = 0; i < SCOREBOARD_MEANS * SCOREBOARD_MOMENTS * SCOREBOARD_VERDICTS * SCOREBOARD_REASONS; i++) {
		struct thaw_report report = {
			.reason = (enum thaw_reason)(i % SCOREBOARD_REASONS),
			.verdict = (enum thaw_verdict)(i / SCOREBOARD_REASONS % SCOREBOARD_VERDICTS),
			.moment = (enum thaw_moment)(i / SCOREBOARD_REASONS / SCOREBOARD_VERDICTS % SCOREBOARD_MOMENTS),
			.means = (enum thaw_means)(i / SCOREBOARD_REASONS / SCOREBOARD_VERDICTS / SCOREBOARD_MOMENTS)};
		scoreboard_verdict(world.worker, &report, 0, WALL_MS);
	}
	struct exposition *e = scrape(&world);
	size_t asks = 0;
	for (size_t i = 0; i < e->count; i++)
		asks += strcmp(e->samples[i].name, "thaw_asks_total") == 0;
	assert_int_equal(asks, SCOREBOARD_MEANS * SCOREBOARD_MOMENTS * SCOREBOARD_VERDICTS * SCOREBOARD_REASONS);
	free_exposition(&e);
	close_world(&world);
}

static void test_no_memory(void **state)
{
	struct world world;
	long calls = 0;

	(void)state;
	open_world(&world, "{ a: { servers: [ 'http://10.0.0.1' ] } }");
	for (bool done = false; !done; calls++) {
		struct buffer text = {.bytes = NULL};
		calls_left = calls + 1;
		done = write_metrics(&world, &text);
		calls_left = -1;
		assert_true(done || calls < 20);
		buffer_free(&text);
	}
	assert_true(calls > 5);
	close_world(&world);
}

/* ---- the text beneath */

static void test_text_has_a_ceiling(void **state)
{
	struct buffer text = {.bytes = NULL};
	static char block[1 << 20];

	(void)state;
	memset(block, 'x', sizeof(block));
	for (size_t i = 0; i < ADMIN_TEXT_MAX / sizeof(block); i++)
		admin_put(&text, block, sizeof(block));
	assert_false(text.failed);
	assert_int_equal(text.len, ADMIN_TEXT_MAX);
	admin_put(&text, "", 0);
	assert_false(text.failed);
	admin_put(&text, "x", 1);
	assert_true(text.failed);
	assert_int_equal(text.len, ADMIN_TEXT_MAX);
	buffer_free(&text);
	admin_putf(&text, "%2000d", 5); /* a longer line than there can be */
	assert_true(text.failed);
	admin_put(&text, "after", 5);
	assert_int_equal(text.len, 0);
	buffer_free(&text);
}

static void certificates_have_the_seconds_to_their_expiry(void **state)
{
	static struct expiry items[] = {
		{"certificate", (char *)"/a\"b\\c.pem", (char *)"CN=a\\,b", 1, WALL_MS / 1000 + 86400},
		{"certificate", (char *)"/a\"b\\c.pem", (char *)"CN=a\\,b", 2, WALL_MS / 1000},
		{"crl", (char *)"/a", (char *)"", 1, WALL_MS / 1000 - 60},
	};
	const struct expiries list = {items, 3};
	struct world world;

	(void)state;
	open_world(&world, "{ }");
	world.admin.expiries = &list;
	struct exposition *e = scrape(&world);
	ASSERT_METRIC(e, "thaw_certificate_expiry_seconds",
		      "kind=certificate,file=/a\"b\\c.pem,name=CN=a\\,b,position=1", 86400);
	ASSERT_METRIC(e, "thaw_certificate_expiry_seconds",
		      "kind=certificate,file=/a\"b\\c.pem,name=CN=a\\,b,position=2", 0);
	ASSERT_METRIC(e, "thaw_certificate_expiry_seconds", "kind=crl,file=/a,name=,position=1", -60);
	free_exposition(&e);
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_idle_gateway),
		cmocka_unit_test(test_what_was_counted),
		cmocka_unit_test(test_the_spool),
		cmocka_unit_test(test_upstreams_with_awkward_names),
		cmocka_unit_test(test_all_of_it_fits),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_text_has_a_ceiling),
		cmocka_unit_test(certificates_have_the_seconds_to_their_expiry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
