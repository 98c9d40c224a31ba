/*
 * Checks, in memory, under a clock of the test's: the report about a server is what that server did. Each scenario of
 * the table is also cut short at each of its turns, and looked at through windows of other sizes.
 */
#include "check_world.h"

#define BIG    400000 /* more than fits into the connection */
#define SMALL  1000
#define STALL  5000
#define SETTLE 300
#define LIMIT  60000

#define WIDE WINDOW_MAX

#define BASE                                                                                               \
	.target = "/late", .authority = "localhost", .fields = "", .stall_ms = STALL, .settle_ms = SETTLE, \
	.limit_ms = LIMIT
#define GET                           \
	{                             \
		BASE, .method = "GET" \
	}
#define PUT(size, ...)                                                                 \
	{                                                                              \
		BASE, .method = "PUT", .has_body = true, .length = (size), __VA_ARGS__ \
	}

struct want {
	enum check_outcome outcome;
	unsigned status;
	enum check_moment asked;
	bool given, declined, continued, unread, gave_up, late;
	uint32_t held_ms, ms;
	unsigned alert12, alert13;
};

enum { ON_12 = 1, ON_13 = 2, ON_BOTH = 3 };

struct kind {
	const char *name;
	unsigned versions;
	struct context_wish wish;
	struct host host;
	struct check_script script;
	struct want want;
};

static const char preface[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
static const char banner[] = "SSH-2.0-Test\r\n";
static const char nonsense[] = "\x17\x03\x03\x00\x20this is no record of the server's";
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"
#define TOO_BIG  "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static const struct kind kinds[] = {
	/* ---- answered ---- */
	{"get", ON_BOTH, .script = GET, .want = {CHECK_ANSWERED, 200}},
	{"put", ON_BOTH, .script = PUT(BIG), .want = {CHECK_ANSWERED, 200}},
	{"put that writes first", ON_BOTH, .script = PUT(BIG, .style = CHECK_WRITES_FIRST),
	 .want = {CHECK_ANSWERED, 200}},
	{"empty put", ON_BOTH, .script = PUT(0), .want = {CHECK_ANSWERED, 200}},
	{"404", ON_BOTH, .host = {.answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}, .script = GET,
	 .want = {CHECK_ANSWERED, 404}},
	{"until close", ON_BOTH, .host = {.answer = "HTTP/1.1 200 OK\r\n\r\nall of it", .behind_answer = CLOSES},
	 .script = GET, .want = {CHECK_ANSWERED, 200}},
	{"cut in the body", ON_BOTH,
	 .host = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", .behind_answer = CUTS}, .script = GET,
	 .want = {CHECK_ANSWERED, 200}},
	{"an answer that stops midway", ON_BOTH,
	 .host = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"}, .script = GET,
	 .want = {CHECK_ANSWERED, 200, .ms = STALL}},
	{"refused early", ON_BOTH, .host = {.deaf = true, .at_head = TOO_BIG}, .script = PUT(BIG),
	 .want = {CHECK_ANSWERED, 413}},
	{"refused early, and unread", ON_BOTH, .host = {.deaf = true, .at_head = TOO_BIG},
	 .script = PUT(BIG, .style = CHECK_WRITES_FIRST), .want = {CHECK_ANSWERED, 413, .ms = STALL}},
	{"refused early, and hung up", ON_BOTH, .host = {.at_head = TOO_BIG, .behind_head = READS_NO_MORE},
	 .script = PUT(BIG), .want = {CHECK_ANSWERED, 413}},
	{"refused early, and hung up on who writes first", ON_BOTH,
	 .host = {.at_head = TOO_BIG, .behind_head = READS_NO_MORE}, .script = PUT(BIG, .style = CHECK_WRITES_FIRST),
	 .want = {CHECK_ANSWERED, 413}},
	/* ---- asked ---- */
	{"asked at the handshake", ON_BOTH, .host = {.asks = ASKS_HANDSHAKING}, .script = PUT(BIG),
	 .want = {CHECK_ANSWERED, 200, CHECK_AT_HANDSHAKE, .given = true}},
	{"asked without a body", ON_BOTH, .host = {.asks = ASKS_HEAD}, .script = GET,
	 .want = {CHECK_ANSWERED, 200, CHECK_AT_HEADERS, .given = true}},
	{"asked at the headers", ON_BOTH, .host = {.asks = ASKS_HEAD}, .script = PUT(SMALL, .pauses = true),
	 .want = {CHECK_ANSWERED, 200, CHECK_AT_HEADERS, .given = true}},
	{"asked in the body", ON_BOTH, .host = {.asks = ASKS_MIDWAY}, .script = PUT(BIG),
	 .want = {CHECK_ANSWERED, 200, CHECK_DURING_BODY, .given = true}},
	{"asked behind the body", ON_BOTH, .host = {.asks = ASKS_END}, .script = PUT(BIG),
	 .want = {CHECK_ANSWERED, 200, CHECK_AFTER_BODY, .given = true}},
	{"asked behind the body, paused", ON_BOTH, .host = {.asks = ASKS_END}, .script = PUT(SMALL, .pauses = true),
	 .want = {CHECK_ANSWERED, 200, CHECK_AFTER_BODY, .given = true, .ms = SETTLE}},
	{"never asked, paused and lingering", ON_BOTH, .script = PUT(SMALL, .pauses = true, .lingers = true),
	 .want = {CHECK_ANSWERED, 200, .ms = 2 * SETTLE}},
	{"asked behind the response", ON_BOTH, .host = {.asks = ASKS_AFTER}, .script = PUT(SMALL, .lingers = true),
	 .want = {CHECK_ANSWERED, 200, CHECK_AFTER_RESPONSE, .given = true}},
	{"asked behind the response, and left", ON_13, .host = {.asks = ASKS_AFTER, .behind_answer = CLOSES},
	 .script = PUT(SMALL, .lingers = true), .want = {CHECK_ANSWERED, 200, CHECK_AFTER_RESPONSE, .given = true}},
	{"asked behind the response, and left before the answer", ON_12,
	 .host = {.asks = ASKS_AFTER, .behind_answer = CLOSES}, .script = PUT(SMALL, .lingers = true),
	 .want = {CHECK_ANSWERED, 200, CHECK_AFTER_RESPONSE}},
	{"declined", ON_BOTH, .wish = {.anonymous = true}, .host = {.asks = ASKS_HEAD}, .script = GET,
	 .want = {CHECK_ANSWERED, 200, CHECK_AT_HEADERS, .declined = true}},
	{"cannot be asked", ON_13, .wish = {.no_offer = true}, .host = {.asks = ASKS_HEAD}, .script = GET,
	 .want = {CHECK_ANSWERED, 200}},
	{"drained", ON_BOTH, .host = {.asks = ASKS_HEAD}, .script = PUT(BIG, .style = CHECK_WRITES_FIRST),
	 .want = {CHECK_ANSWERED, 200, CHECK_AFTER_BODY, .given = true}},
	/* ---- frozen ---- */
	{"freeze", ON_BOTH, .host = {.asks = ASKS_HEAD, .frozen = true}, .script = PUT(BIG),
	 .want = {CHECK_FREEZE, .asked = CHECK_DURING_BODY, .ms = STALL}},
	{"freeze of who writes first", ON_BOTH, .host = {.asks = ASKS_HEAD, .frozen = true},
	 .script = PUT(BIG, .style = CHECK_WRITES_FIRST),
	 .want = {CHECK_FREEZE, .asked = CHECK_DURING_BODY, .unread = true, .ms = STALL}},
	{"freeze with all of it sent", ON_BOTH, .host = {.asks = ASKS_HEAD, .frozen = true},
	 .script = PUT(SMALL, .style = CHECK_WRITES_FIRST),
	 .want = {CHECK_FREEZE, .asked = CHECK_AFTER_BODY, .ms = STALL}},
	{"freeze, held and given up", ON_BOTH,
	 .host = {.asks = ASKS_HEAD, .frozen = true, .act_ms = 20000, .acts = RESETS},
	 .script = PUT(BIG, .hold_ms = 30000),
	 .want = {CHECK_FREEZE, .asked = CHECK_DURING_BODY, .gave_up = true, .held_ms = 20000, .ms = 20000}},
	{"freeze, held to the end", ON_BOTH, .host = {.asks = ASKS_HEAD, .frozen = true},
	 .script = PUT(BIG, .hold_ms = 90000),
	 .want = {CHECK_FREEZE, .asked = CHECK_DURING_BODY, .held_ms = 90000, .ms = 90000}},
	{"only slow", ON_BOTH, .host = {.asks = ASKS_HEAD, .frozen = true, .act_ms = 20000},
	 .script = PUT(SMALL, .hold_ms = 30000),
	 .want = {CHECK_ANSWERED, 200, .late = true, .held_ms = 20000, .ms = 20000}},
	{"reads on after a while", ON_BOTH, .host = {.asks = ASKS_HEAD, .frozen = true, .act_ms = 20000},
	 .script = PUT(BIG, .style = CHECK_WRITES_FIRST, .hold_ms = 30000),
	 .want = {CHECK_ANSWERED, 200, .late = true, .held_ms = 20000, .ms = 20000}},
	{"a pause outlives it", ON_BOTH, .host = {.asks = ASKS_HEAD, .frozen = true},
	 .script = PUT(BIG, .pauses = true), .want = {CHECK_ANSWERED, 200, CHECK_AT_HEADERS, .given = true}},
	/* ---- silent ---- */
	{"silence", ON_BOTH, .host = {.deaf = true}, .script = PUT(BIG), .want = {CHECK_SILENCE, .ms = STALL}},
	{"silence of who writes first", ON_BOTH, .host = {.deaf = true},
	 .script = PUT(BIG, .style = CHECK_WRITES_FIRST), .want = {CHECK_SILENCE, .ms = STALL}},
	{"silence where it is known to ask", ON_BOTH, .host = {.deaf = true}, .script = PUT(BIG, .asks_late = true),
	 .want = {CHECK_FREEZE, .ms = STALL}},
	{"no response", ON_BOTH, .host = {.mute = true}, .script = GET, .want = {CHECK_SILENCE, .ms = STALL}},
	{"no answer once the certificate is there", ON_BOTH, .host = {.asks = ASKS_HEAD, .mute = true}, .script = GET,
	 .want = {CHECK_SILENCE, .asked = CHECK_AT_HEADERS, .given = true, .ms = STALL}},
	{"no answer to a body that was taken whole", ON_BOTH, .host = {.asks = ASKS_HEAD, .mute = true},
	 .script = PUT(SMALL, .pauses = true, .asks_late = true),
	 .want = {CHECK_SILENCE, .asked = CHECK_AT_HEADERS, .given = true, .ms = STALL}},
	{"no answer, and awaited longer", ON_BOTH, .host = {.asks = ASKS_HEAD, .mute = true},
	 .script = PUT(SMALL, .pauses = true, .slow_ms = 30000),
	 .want = {CHECK_SILENCE, .asked = CHECK_AT_HEADERS, .given = true, .held_ms = STALL + 30000,
		  .ms = STALL + 30000}},
	{"no answer though asked at the handshake", ON_BOTH, .host = {.asks = ASKS_HANDSHAKING, .mute = true},
	 .script = GET, .want = {CHECK_SILENCE, .asked = CHECK_AT_HANDSHAKE, .given = true, .ms = STALL}},
	{"not done in time", ON_BOTH, .host = {.drip = DRIP_MAX}, .script = PUT(10 * BIG),
	 .want = {CHECK_PENDING, .ms = LIMIT}},
	/* ---- Expect ---- */
	{"waits for its 100", ON_BOTH, .host = {.at_head = CONTINUE}, .script = PUT(BIG, .expect = CHECK_WAITS),
	 .want = {CHECK_ANSWERED, 200, .continued = true}},
	{"asked beside its 100", ON_13, .host = {.asks = ASKS_HEAD, .at_head = CONTINUE},
	 .script = PUT(SMALL, .expect = CHECK_WAITS),
	 .want = {CHECK_ANSWERED, 200, CHECK_AT_HEADERS, .given = true, .continued = true}},
	{"waits for ever", ON_BOTH, .script = PUT(BIG, .expect = CHECK_WAITS), .want = {CHECK_SILENCE, .ms = STALL}},
	{"asked and left waiting", ON_BOTH, .host = {.asks = ASKS_HEAD}, .script = PUT(BIG, .expect = CHECK_WAITS),
	 .want = {CHECK_FREEZE, .asked = CHECK_AT_HEADERS, .given = true, .ms = STALL}},
	{"refused in place of a 100", ON_BOTH, .host = {.at_head = TOO_BIG, .deaf = true},
	 .script = PUT(BIG, .expect = CHECK_WAITS), .want = {CHECK_ANSWERED, 413}},
	{"eager", ON_BOTH, .script = PUT(SMALL, .expect = CHECK_EAGER), .want = {CHECK_ANSWERED, 200}},
	{"eager with a large one", ON_BOTH, .host = {.at_head = CONTINUE}, .script = PUT(BIG, .expect = CHECK_EAGER),
	 .want = {CHECK_ANSWERED, 200, .continued = true}},
	/* ---- primed ---- */
	{"primed", ON_BOTH, .host = {.asks = ASKS_HEAD, .frozen = true}, .script = PUT(BIG, .prime = "/prime"),
	 .want = {CHECK_ANSWERED, 200, CHECK_AT_PRIMING, .given = true}},
	{"closed once it is primed", ON_BOTH, .host = {.asks = ASKS_HEAD, .behind_answer = CLOSES},
	 .script = PUT(BIG, .prime = "/prime"),
	 .want = {CHECK_UNPRIMED, 200, .asked = CHECK_AT_PRIMING, .given = true}},
	{"told that it will be closed", ON_BOTH,
	 .host = {.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
	 .script = PUT(BIG, .prime = "/prime"), .want = {CHECK_UNPRIMED, 200}},
	{"reset while it is primed", ON_BOTH, .host = {.behind_head = RESETS}, .script = PUT(BIG, .prime = "/prime"),
	 .want = {CHECK_RESET}},
	{"no answer to the priming", ON_BOTH, .host = {.mute = true}, .script = PUT(BIG, .prime = "/prime"),
	 .want = {CHECK_SILENCE, .ms = STALL}},
	/* ---- withheld ---- */
	{"withheld", ON_BOTH, .wish = {.withholds = true}, .host = {.asks = ASKS_HEAD},
	 .script = {BASE, .method = "GET", .withholds = true, .hold_ms = 30000},
	 .want = {CHECK_WITHHELD, .asked = CHECK_AT_HEADERS, .held_ms = 30000, .ms = 30000}},
	{"withheld, and given up", ON_BOTH, .wish = {.withholds = true},
	 .host = {.asks = ASKS_HEAD, .act_ms = 10000, .acts = CLOSES},
	 .script = {BASE, .method = "GET", .withholds = true, .hold_ms = 30000},
	 .want = {CHECK_WITHHELD, .asked = CHECK_AT_HEADERS, .gave_up = true, .held_ms = 10000, .ms = 10000}},
	{"withheld, and reset", ON_BOTH, .wish = {.withholds = true},
	 .host = {.asks = ASKS_HEAD, .act_ms = 10000, .acts = RESETS},
	 .script = {BASE, .method = "GET", .withholds = true, .hold_ms = 30000},
	 .want = {CHECK_WITHHELD, .asked = CHECK_AT_HEADERS, .gave_up = true, .held_ms = 10000, .ms = 10000}},
	{"withheld at the handshake", ON_BOTH, .wish = {.withholds = true}, .host = {.asks = ASKS_HANDSHAKING},
	 .script = {BASE, .method = "GET", .withholds = true, .hold_ms = 30000},
	 .want = {CHECK_WITHHELD, .asked = CHECK_AT_HANDSHAKE, .ms = STALL}},
	{"nothing to withhold", ON_BOTH, .wish = {.withholds = true},
	 .script = {BASE, .method = "GET", .withholds = true, .hold_ms = 30000}, .want = {CHECK_ANSWERED, 200}},
	/* ---- other ends ---- */
	{"alert", ON_BOTH, .wish = {.anonymous = true}, .host = {.asks = ASKS_HEAD, .requires = true}, .script = GET,
	 .want = {CHECK_ALERTED, .asked = CHECK_AT_HEADERS, .declined = true, .alert12 = 40, .alert13 = 116}},
	{"closed", ON_BOTH, .host = {.behind_head = CLOSES}, .script = GET, .want = {CHECK_CLOSED}},
	{"cut", ON_BOTH, .host = {.behind_head = CUTS}, .script = GET, .want = {CHECK_CLOSED}},
	{"reset", ON_BOTH, .host = {.behind_head = RESETS}, .script = GET, .want = {CHECK_RESET}},
	{"reset in the body", ON_BOTH, .host = {.behind_head = RESETS}, .script = PUT(BIG), .want = {CHECK_RESET}},
	{"reset in the body of who writes first", ON_BOTH, .host = {.behind_head = RESETS},
	 .script = PUT(BIG, .style = CHECK_WRITES_FIRST), .want = {CHECK_RESET}},
	{"closed in the body", ON_BOTH, .host = {.deaf = true, .behind_head = CLOSES}, .script = PUT(BIG),
	 .want = {CHECK_CLOSED}},
	{"garbage for HTTP", ON_BOTH, .host = {.answer = banner, .behind_answer = CLOSES}, .script = GET,
	 .want = {CHECK_GARBLED}},
	{"garbage in place of a 100", ON_BOTH, .host = {.at_head = "\r\n\r\n\r\n"},
	 .script = PUT(BIG, .expect = CHECK_WAITS), .want = {CHECK_GARBLED}},
	{"garbage for TLS", ON_BOTH, .host = {.raw = nonsense, .raw_len = sizeof(nonsense) - 1, .raw_late = true},
	 .script = PUT(BIG), .want = {CHECK_GARBLED}},
	/* ---- no connection ---- */
	{"plain HTTP", ON_BOTH, .host = {.raw = preface, .raw_len = sizeof(preface) - 1}, .script = GET,
	 .want = {CHECK_NOT_TLS}},
	{"another protocol", ON_BOTH, .host = {.raw = banner, .raw_len = sizeof(banner) - 1}, .script = GET,
	 .want = {CHECK_NOT_TLS}},
	{"silent handshake", ON_BOTH, .host = {.silent = true}, .script = GET,
	 .want = {CHECK_SHAKE_STALL, .ms = STALL}},
	/* what had no time says nothing of the server */
	{"handshake not done in time", ON_BOTH, .host = {.silent = true},
	 .script = {.target = "/late",
		    .authority = "localhost",
		    .fields = "",
		    .method = "GET",
		    .stall_ms = 2 * LIMIT,
		    .limit_ms = LIMIT},
	 .want = {CHECK_PENDING, .ms = LIMIT}},
	{"reset at once", ON_BOTH, .host = {.at_once = RESETS}, .script = GET, .want = {CHECK_UNREACHABLE}},
	{"closed at once", ON_BOTH, .host = {.at_once = CUTS}, .script = GET, .want = {CHECK_UNREACHABLE}},
	/* ---- renegotiation of the client's, and HTTP/2 that is not chosen ---- */
	{"not renegotiated", ON_BOTH, .script = {BASE, .method = "GET", .renegotiates = true},
	 .want = {CHECK_NOT_RENEGOTIATED, .alert12 = 100}},
	{"no HTTP/2", ON_BOTH, .wish = {.http2 = true}, .script = {BASE, .method = "GET", .http2 = true},
	 .want = {CHECK_NO_HTTP2}},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct contexts *contexts;
static struct tls_client_options client_options;

static struct tls_client_context *context_of(struct context_wish wish, int version)
{
	struct thaw_error err = {0};

	wish.version = version == 12 ? TLS_CLIENT_12 : TLS_CLIENT_13;
	struct tls_client_context *context = contexts_get(contexts, &wish, &err);
	assert_string_equal(err.text, "");
	return context;
}

static bool is_on(const struct kind *kind, int version)
{
	return (kind->versions & (version == 12 ? ON_12 : ON_13)) != 0;
}

static struct scenario scenario;

static void open_kind(const struct kind *kind, int version, size_t window)
{
	scene_open(&scenario, &kind->host, &kind->script, context_of(kind->wish, version), window);
}

/* ---- each scenario ---- */

/* What is true of any check that is over. */
static void expect_sound(const struct check *check)
{
	const struct check_result *result = check_result(check);
	const struct timeline *line = check_timeline(check);

	assert_int_equal(check->state, TS_OVER);
	assert_true(result->body_out <= check->script.length);
	assert_true(result->body_taken <= result->body_out);
	assert_true(result->given + result->declined == 0 || result->asked != CHECK_NEVER);
	assert_true(result->status == 0 || result->outcome != CHECK_FREEZE);
	for (size_t i = 1; i < line->moment_count; i++) {
		assert_true(line->moments[i].ms >= line->moments[i - 1].ms);
		assert_true(line->moments[i].up >= line->moments[i - 1].up);
		/* With all that is in front of it, and TLS's own. */
		if (line->moments[i].what == LINE_BODY_ENDED && check->script.style == CHECK_WRITES_FIRST)
			assert_true(line->moments[i].up > line->moments[i].value);
		assert_true(line->moments[i].down >= line->moments[i - 1].down);
	}
	for (size_t i = 1; i < line->point_count; i++) {
		assert_true(line->points[i].ms >= line->points[i - 1].ms);
		assert_true(line->points[i].up >= line->points[i - 1].up);
		assert_true(line->points[i].down >= line->points[i - 1].down);
	}
	assert_true(line->moment_count > 0);
	enum timeline_what last = line->moments[line->moment_count - 1].what;
	assert_true(last == LINE_CLOSED || last == LINE_RESET || last == LINE_LEFT);
}

static void expect_kind(const struct kind *kind, int version)
{
	const struct check_result *result = check_result(scenario.check);
	const struct want *want = &kind->want;
	bool late = want->asked != CHECK_NEVER && want->asked != CHECK_AT_HANDSHAKE;

	if (result->outcome != want->outcome || result->status != want->status || result->asked != want->asked)
		print_message("%s, TLS 1.%d: %s, %u, asked at %s; %s\n", kind->name, version - 10,
			      check_outcome_name(result->outcome), result->status, check_moment_name(result->asked),
			      result->detail);
	assert_int_equal(result->outcome, want->outcome);
	assert_int_equal(result->status, want->status);
	assert_int_equal(result->gave_up, want->gave_up);
	if (want->late)
		return;
	assert_int_equal(result->asked, want->asked);
	if (want->outcome != CHECK_FREEZE)
		assert_int_equal(result->given, want->given);
	assert_int_equal(result->declined, want->declined);
	assert_int_equal(result->continued, want->continued);
	assert_int_equal(result->unread_ask, want->unread);
	assert_int_equal(result->alert, version == 12 ? want->alert12 : want->alert13);
	if (late)
		assert_int_equal(result->means, version == 12 ? THAW_MEANS_RENEGOTIATION : THAW_MEANS_POST_HANDSHAKE);
	if (result->given) {
		assert_int_equal(result->issuer_count, 1);
		assert_string_equal(result->issuers[0], "CN=Thaw Throwaway CA");
		assert_string_equal(result->subject, "CN=Thaw Demo Client");
	}
}

static void each_scenario_is_reported_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++)
		for (int version = 12; version <= 13; version++) {
			if (!is_on(&kinds[i], version))
				continue;
			open_kind(&kinds[i], version, WIDE);
			const struct check_result *result = scene_play(&scenario);
			expect_kind(&kinds[i], version);
			assert_int_equal(result->answered_late, kinds[i].want.late);
			assert_int_equal(result->held_ms, kinds[i].want.held_ms);
			assert_int_equal(result->ms, kinds[i].want.ms);
			if (result->outcome == CHECK_ANSWERED && result->status == 200)
				assert_true(result->body_out == kinds[i].script.length);
			expect_sound(scenario.check);
			scene_close(&scenario);
		}
}

/* Through a small window, in which no record fits whole, the same comes of each. */
static void windows_make_no_difference(void **state)
{
	static const size_t windows[] = {3000, 17000};

	(void)state;
	for (size_t i = 0; i < KINDS; i++)
		for (int version = 12; version <= 13; version++)
			for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
				if (!is_on(&kinds[i], version))
					continue;
				open_kind(&kinds[i], version, windows[w]);
				(void)scene_play(&scenario);
				expect_kind(&kinds[i], version);
				expect_sound(scenario.check);
				scene_close(&scenario);
			}
}

static void each_can_be_stopped_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++)
		for (int version = 12; version <= 13; version++) {
			bool over = !is_on(&kinds[i], version);
			for (size_t turns = 0; !over; turns += turns < 40 ? 1 : 37) {
				open_kind(&kinds[i], version, WIDE);
				while (!over && scenario.turns < turns)
					over = scene_turn(&scenario);
				enum check_outcome before = check_result(scenario.check)->outcome;
				check_stop(scenario.check, scenario.now_ms + 7);
				expect_sound(scenario.check);
				assert_int_equal(check_result(scenario.check)->outcome, before);
				assert_true(check_step(scenario.check, scenario.now_ms + 8, 0));
				check_stop(scenario.check, scenario.now_ms + 9); /* again does nothing */
				scene_close(&scenario);
			}
		}
}

/* ---- more of some ---- */

static const struct kind *kind_named(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	fail_msg("no such scenario");
	return NULL;
}

static void expect_moments(size_t count, const enum timeline_what moments[])
{
	const struct timeline *line = check_timeline(scenario.check);

	for (size_t i = 0; i < count && i < line->moment_count; i++)
		assert_string_equal(timeline_name(line->moments[i].what), timeline_name(moments[i]));
	assert_int_equal(line->moment_count, count);
}

#define MOMENTS(...)                                                                                   \
	expect_moments(sizeof((const enum timeline_what[]){__VA_ARGS__}) / sizeof(enum timeline_what), \
		       (const enum timeline_what[]){__VA_ARGS__})

static void timelines_have_it_all_in_order(void **state)
{
	(void)state;
	open_kind(kind_named("asked at the headers"), 12, WIDE);
	(void)scene_play(&scenario);
	MOMENTS(LINE_CONNECTED, LINE_SECURED, LINE_HEAD, LINE_HELLO_REQUEST, LINE_ASKED, LINE_GIVEN, LINE_FINISHED,
		LINE_BODY_BEGAN, LINE_BODY_ENDED, LINE_STATUS, LINE_RESPONSE, LINE_LEFT);
	assert_int_equal(timeline_find(check_timeline(scenario.check), LINE_BODY_ENDED)->value, SMALL);
	scene_close(&scenario);
	open_kind(kind_named("primed"), 13, WIDE);
	(void)scene_play(&scenario);
	MOMENTS(LINE_CONNECTED, LINE_SECURED, LINE_PRIME, LINE_ASKED, LINE_GIVEN, LINE_FINISHED, LINE_PRIMED, LINE_HEAD,
		LINE_BODY_BEGAN, LINE_BODY_ENDED, LINE_STATUS, LINE_RESPONSE, LINE_LEFT);
	scene_close(&scenario);
	open_kind(kind_named("freeze of who writes first"), 13, WIDE);
	(void)scene_play(&scenario);
	MOMENTS(LINE_CONNECTED, LINE_SECURED, LINE_HEAD, LINE_BODY_BEGAN, LINE_STALL, LINE_ASKED, LINE_GIVEN,
		LINE_FINISHED, LINE_LEFT);
	scene_close(&scenario);
	open_kind(kind_named("reset"), 13, WIDE);
	(void)scene_play(&scenario);
	MOMENTS(LINE_CONNECTED, LINE_SECURED, LINE_HEAD, LINE_RESET);
	scene_close(&scenario);
}

/* What a server read is computed from what is in flight: the window is full when it stops reading. */
static void the_bytes_that_a_server_read_are_reported(void **state)
{
	(void)state;
	for (int version = 12; version <= 13; version++) {
		open_kind(kind_named("silence"), version, WIDE);
		const struct check_result *result = scene_play(&scenario);
		assert_true(scenario.duplex.up.len == WIDE && result->body_out > WIDE && result->body_out < BIG);
		assert_true(result->body_taken <= result->body_out - WIDE);
		scene_close(&scenario);
		open_kind(kind_named("put"), version, WIDE);
		result = scene_play(&scenario);
		assert_int_equal(result->body_taken, BIG);
		assert_int_equal(scenario.total > BIG, true);
		scene_close(&scenario);
	}
}

static void heads_are_as_the_script_has_them(void **state)
{
	static const struct check_script script = {.method = "POST",
						   .target = "/a?b",
						   .authority = "name:8443",
						   .fields = "X-One: 1\r\nX-Two: 2\r\n",
						   .has_body = true,
						   .length = 5,
						   .expect = CHECK_EAGER,
						   .stall_ms = STALL,
						   .limit_ms = LIMIT};
	static const struct host host = {0};

	(void)state;
	scene_open(&scenario, &host, &script, context_of((struct context_wish){0}, 13), WIDE);
	(void)scene_play(&scenario);
	assert_ptr_equal(strstr(scenario.head, "POST /a?b HTTP/1.1\r\n"), scenario.head);
	assert_non_null(strstr(scenario.head, "\r\nHost: name:8443\r\n"));
	assert_non_null(strstr(scenario.head, "\r\nUser-Agent: thaw-probe\r\n"));
	assert_non_null(strstr(scenario.head, "\r\nX-One: 1\r\nX-Two: 2\r\n"));
	assert_non_null(strstr(scenario.head, "\r\nContent-Length: 5\r\n"));
	assert_non_null(strstr(scenario.head, "\r\nExpect: 100-continue\r\n"));
	size_t writes = scenario.duplex.up.writes;
	assert_true(scenario.head_with_body);
	scene_close(&scenario);
	/* without Expect they are two writes; an eager one's are one, so that they arrive together */
	struct check_script plain = script;
	plain.expect = CHECK_NO_EXPECT;
	scene_open(&scenario, &host, &plain, context_of((struct context_wish){0}, 13), WIDE);
	(void)scene_play(&scenario);
	assert_int_equal(scenario.duplex.up.writes, writes + 1);
	scene_close(&scenario);
	/* who waits sends nothing behind its head */
	open_kind(kind_named("waits for its 100"), 13, WIDE);
	(void)scene_play(&scenario);
	assert_false(scenario.head_with_body);
	scene_close(&scenario);
}

/* A head that does not fit is not sent in part. */
static void a_head_that_is_too_long_is_reported(void **state)
{
	static char fields[CHECK_HEAD_MAX + 1];
	static const struct host host = {0};
	struct check_script script = GET;

	(void)state;
	memset(fields, 'a', sizeof(fields) - 1);
	script.fields = fields;
	scene_open(&scenario, &host, &script, context_of((struct context_wish){0}, 13), WIDE);
	const struct check_result *result = scene_play(&scenario);
	assert_int_equal(result->outcome, CHECK_PENDING);
	assert_non_null(strstr(result->detail, "too long"));
	assert_int_equal(scenario.total, 0);
	scene_close(&scenario);
}

static void a_second_connection_resumes(void **state)
{
	(void)state;
	for (int version = 12; version <= 13; version++) {
		scenario.memory = tls_client_memory_new();
		assert_non_null(scenario.memory);
		for (int again = 0; again < 2; again++) {
			open_kind(kind_named("get"), version, WIDE);
			const struct check_result *result = scene_play(&scenario);
			assert_int_equal(result->resumed, again);
			assert_int_equal(result->version, version);
			assert_string_equal(result->server, "A Test");
			assert_string_equal(result->body, "ok");
			assert_string_equal(result->alpn, "http/1.1");
			assert_null(result->distrust);
			scene_close(&scenario);
		}
		tls_client_memory_free(&scenario.memory);
	}
}

static void a_server_that_lets_clients_renegotiate(void **state)
{
	(void)state;
	open_kind(kind_named("not renegotiated"), 12, WIDE);
	(void)SSL_set_options(tls_conn_ssl(scenario.link), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	/* choosing the host sets the context's options, which leave that one alone */
	assert_int_equal(scene_play(&scenario)->outcome, CHECK_RENEGOTIATED);
	expect_sound(scenario.check);
	scene_close(&scenario);
}

static void a_server_that_is_not_trusted(void **state)
{
	struct thaw_error err = {0};
	struct context_wish wish = {.version = TLS_CLIENT_13};

	(void)state;
	for (int anyone = 0; anyone < 2; anyone++) {
		struct tls_client_options options = client_options;
		options.ca = certificate; /* no CA's */
		options.skip_verification = anyone;
		struct contexts *others = contexts_new(&options);
		assert_non_null(others);
		struct tls_client_context *context = contexts_get(others, &wish, &err);
		assert_non_null(context);
		assert_ptr_equal(contexts_get(others, &wish, &err), context); /* made once */
		scene_open(&scenario, &kind_named("get")->host, &kind_named("get")->script, context, WIDE);
		const struct check_result *result = scene_play(&scenario);
		assert_int_equal(result->outcome, anyone ? CHECK_ANSWERED : CHECK_UNTRUSTED);
		if (anyone)
			assert_non_null(result->distrust);
		else
			assert_non_null(strstr(result->detail, "issuer certificate"));
		scene_close(&scenario);
		contexts_free(&others);
	}
}

/* ---- HTTP/2 ---- */

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned in_len,
		     void *arg)
{
	static const unsigned char h2[] = "\x02h2";

	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)out, len, h2, 3, in, in_len) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_ALERT_FATAL;
}

#define SETTINGS_FRAME "\0\0\0\x04\0\0\0\0\0"
#define RESET_FRAME    "\0\0\x04\x03\0\0\0\0\x01\0\0\0\x0d"       /* HTTP_1_1_REQUIRED */
#define OK_FRAME       "\0\0\x01\x01\x05\0\0\0\x01\x88"           /* :status 200, and its end */
#define BEGIN_FRAME    "\0\0\x01\x01\x04\0\0\0\x01\x88"           /* without it */
#define GOAWAY_FRAME   "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0d" /* no stream was looked at */

static void http2_is_reported_as_it_was(void **state)
{
	static const struct {
		const char *frames;
		size_t len;
		enum ends ends;
		enum check_outcome outcome;
		unsigned status;
		uint32_t error;
	} answers[] = {
		{SETTINGS_FRAME OK_FRAME, 9 + 10, ENDS_NOT, CHECK_ANSWERED, 200, 0},
		{SETTINGS_FRAME BEGIN_FRAME, 9 + 10, ENDS_NOT, CHECK_ANSWERED, 200, 0},
		{SETTINGS_FRAME RESET_FRAME, 9 + 13, ENDS_NOT, CHECK_H2_RESET, 0, 13},
		{SETTINGS_FRAME GOAWAY_FRAME, 9 + 17, ENDS_NOT, CHECK_H2_RESET, 0, 13},
		{SETTINGS_FRAME, 9, CLOSES, CHECK_CLOSED, 0, 0},
		{SETTINGS_FRAME, 9, RESETS, CHECK_RESET, 0, 0},
		{SETTINGS_FRAME, 9, ENDS_NOT, CHECK_SILENCE, 0, 0},
		{preface, sizeof(preface) - 1, ENDS_NOT, CHECK_GARBLED, 0, 0},
	};
	static const struct check_script script = {BASE, .method = "GET", .http2 = true};
	const struct context_wish wish = {.http2 = true};
	struct tls_host tls = {.names = (const char *const[]){"*", NULL}, .certificate = server_pem, .key = server_key};
	struct tls_server *usual = server;

	(void)state;
	server = tls_server_new(&tls, 1, NULL);
	assert_non_null(server);
	/* a first connection shows the host's context */
	scene_open(&scenario, &kind_named("get")->host, &kind_named("get")->script,
		   context_of((struct context_wish){0}, 13), WIDE);
	(void)scene_play(&scenario);
	SSL_CTX_set_alpn_select_cb(SSL_get_SSL_CTX(tls_conn_ssl(scenario.link)), choose_h2, NULL);
	scene_close(&scenario);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct host host = {
			.h2 = answers[i].frames, .h2_len = answers[i].len, .behind_answer = answers[i].ends};
		scene_open(&scenario, &host, &script, context_of(wish, i % 2 == 0 ? 12 : 13), WIDE);
		const struct check_result *result = scene_play(&scenario);
		assert_int_equal(result->outcome, answers[i].outcome);
		assert_int_equal(result->status, answers[i].status);
		assert_int_equal(result->h2_error, answers[i].error);
		assert_string_equal(result->alpn, "h2");
		expect_sound(scenario.check);
		scene_close(&scenario);
	}
	tls_server_free(&server);
	server = usual;
}

/* ---- the table of states ---- */

static void every_state_reaches_the_end(void **state)
{
	bool reaches[TS_COUNT] = {[TS_OVER] = true}, begun[TS_COUNT] = {[TS_SHAKE] = true};

	(void)state;
	for (int round = 0; round < TS_COUNT; round++)
		for (int from = 0; from < TS_COUNT; from++)
			for (int to = 0; to < TS_COUNT; to++)
				if (check_state_may_follow((enum check_state)from, (enum check_state)to)) {
					reaches[from] = reaches[from] || reaches[to];
					begun[to] = begun[to] || begun[from];
				}
	for (int each = 0; each < TS_COUNT; each++) {
		assert_true(reaches[each]);
		assert_true(begun[each]);
		assert_false(check_state_may_follow(TS_OVER, (enum check_state)each));
		assert_false(check_state_may_follow((enum check_state)each, (enum check_state)each));
		/* whatever waits can be given up */
		assert_true(each == TS_OVER || check_state_may_follow((enum check_state)each, TS_OVER));
	}
}

static void every_state_that_waits_has_a_deadline(void **state)
{
	(void)state;
	open_kind(kind_named("get"), 13, WIDE);
	for (int each = 0; each < TS_COUNT; each++) {
		struct check_wants wants;
		scenario.check->state = (enum check_state)each;
		check_wants(scenario.check, &wants);
		if (each != TS_OVER)
			assert_true(wants.deadline_ms <= BEGAN_MS + LIMIT);
	}
	scenario.check->state = TS_SHAKE;
	scene_close(&scenario);
}

static void names_are_all_there(void **state)
{
	(void)state;
	for (int i = CHECK_PENDING; i <= CHECK_KEY_FAILED; i++)
		for (int k = CHECK_PENDING; k < i; k++)
			assert_string_not_equal(check_outcome_name((enum check_outcome)i),
						check_outcome_name((enum check_outcome)k));
	for (int i = CHECK_NEVER; i <= CHECK_AFTER_RESPONSE; i++)
		for (int k = CHECK_NEVER; k < i; k++)
			assert_string_not_equal(check_moment_name((enum check_moment)i),
						check_moment_name((enum check_moment)k));
}

static int set_up(void **state)
{
	if (set_up_peers(state) != 0)
		return -1;
	client_options = (struct tls_client_options){.ca = ca, .credentials = credentials};
	contexts = contexts_new(&client_options);
	return contexts != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	contexts_free(&contexts);
	return tear_down_peers(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_scenario_is_reported_as_it_was),
		cmocka_unit_test(windows_make_no_difference),
		cmocka_unit_test(each_can_be_stopped_anywhere),
		cmocka_unit_test(timelines_have_it_all_in_order),
		cmocka_unit_test(the_bytes_that_a_server_read_are_reported),
		cmocka_unit_test(heads_are_as_the_script_has_them),
		cmocka_unit_test(a_head_that_is_too_long_is_reported),
		cmocka_unit_test(a_second_connection_resumes),
		cmocka_unit_test(a_server_that_lets_clients_renegotiate),
		cmocka_unit_test(a_server_that_is_not_trusted),
		cmocka_unit_test(http2_is_reported_as_it_was),
		cmocka_unit_test(every_state_reaches_the_end),
		cmocka_unit_test(every_state_that_waits_has_a_deadline),
		cmocka_unit_test(names_are_all_there),
	};
	(void)alarm(600); /* a watchdog */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
