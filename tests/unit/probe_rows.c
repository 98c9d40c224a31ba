/* The rows of the probe's table: what each says for each way in which a check can end. */
#include "findings_world.h"

#include <unistd.h>

#include "probe/rows.h"

static struct row rows[ROWS_MAX];
static size_t row_count;

/* ---- looking at them ---- */

static void make(void)
{
	row_count = rows_make(&found, rows);
	assert_true(row_count <= ROWS_MAX);
	for (size_t k = 0; k < row_count; k++) {
		assert_non_null(rows[k].label);
		assert_true(rows[k].values[FIND_12][0] != '\0' || rows[k].values[FIND_13][0] != '\0');
	}
}

/* "": it has no such row, or nothing in it. */
static const char *value(const char *label, size_t version)
{
	make();
	for (size_t k = 0; k < row_count; k++)
		if (strcmp(rows[k].label, label) == 0)
			return rows[k].values[version];
	return "";
}

static const char *general(const char *label)
{
	static struct row more[ROWS_GENERAL_MAX];
	size_t count = rows_general(&found, more);

	assert_true(count <= ROWS_GENERAL_MAX);
	for (size_t k = 0; k < count; k++)
		if (strcmp(more[k].label, label) == 0)
			return more[k].values[0];
	return "";
}

/* A failure tells which row it was. */
static void expect(const char *label, size_t version, const char *text)
{
	const char *is = value(label, version);

	if (strcmp(is, text) != 0)
		fail_msg("%s: '%s' in place of '%s'", label, is, text);
}

static void expect_general(const char *label, const char *text)
{
	const char *is = general(label);

	if (strcmp(is, text) != 0)
		fail_msg("%s: '%s' in place of '%s'", label, is, text);
}

static void begin_empty(void)
{
	used = 0;
	found = (struct findings){.wanted = {true, true}, .max_body = MAX_BODY};
}

/* ---- each outcome ---- */

static const struct {
	enum check_outcome outcome;
	unsigned status, alert;
	uint32_t h2_error;
	const char *words;
} outcomes[] = {
	{.outcome = CHECK_PENDING, .words = "a timeout"},
	{.outcome = CHECK_ANSWERED, .status = 200, .words = "200"},
	{.outcome = CHECK_ANSWERED, .status = 413, .words = "413"},
	{.outcome = CHECK_FREEZE, .words = "a freeze"},
	{.outcome = CHECK_SILENCE, .words = "no response"},
	{.outcome = CHECK_ALERTED, .alert = 116, .words = "an alert (certificate_required)"},
	{.outcome = CHECK_ALERTED, .alert = 200, .words = "an alert (unnamed)"},
	{.outcome = CHECK_CLOSED, .words = "a closed connection"},
	{.outcome = CHECK_RESET, .words = "a reset connection"},
	{.outcome = CHECK_GARBLED, .words = "an invalid HTTP response"},
	{.outcome = CHECK_WITHHELD, .words = "a certificate that was not sent"},
	{.outcome = CHECK_UNPRIMED, .words = "a connection that is closed after priming"},
	{.outcome = CHECK_NO_HTTP2, .words = "HTTP/1.1 only"},
	{.outcome = CHECK_H2_RESET, .h2_error = 13, .words = "a reset stream (HTTP_1_1_REQUIRED)"},
	{.outcome = CHECK_H2_RESET, .h2_error = 1, .words = "a reset stream (another error)"},
	{.outcome = CHECK_UNREACHABLE, .words = "no connection"},
	{.outcome = CHECK_NOT_TLS, .words = "an invalid TLS record"},
	{.outcome = CHECK_SHAKE_STALL, .words = "a stalled handshake"},
	{.outcome = CHECK_SHAKE_FAILED, .alert = 40, .words = "a failed handshake (handshake_failure)"},
	{.outcome = CHECK_SHAKE_FAILED, .words = "a failed handshake (no alert)"},
	{.outcome = CHECK_UNTRUSTED, .words = "a server certificate that is not trusted"},
	{.outcome = CHECK_NO_MEMORY, .words = "nothing (out of memory)"},
	{.outcome = CHECK_KEY_FAILED, .words = "no signature (the private key failed)"},
};
#define OUTCOMES (sizeof(outcomes) / sizeof(outcomes[0]))

static struct check *ended(size_t k)
{
	struct check *check = made(outcomes[k].outcome, outcomes[k].status);

	check->result.version = 13;
	check->result.alert = outcomes[k].alert;
	check->result.h2_error = outcomes[k].h2_error;
	return check;
}

static void an_outcome_has_its_words(void **state)
{
	(void)state;
	for (size_t k = 0; k < OUTCOMES; k++) {
		begin_empty();
		struct find_version *version = &found.versions[FIND_13];
		version->plain = version->paused = version->anonymous = version->no_offer = version->eager = ended(k);
		found.http2 = found.browser = version->plain;
		expect("the version", FIND_13, "spoken");
		expect("a request without a body", FIND_13, outcomes[k].words);
		expect("a small body", FIND_13, outcomes[k].words);
		expect("without a certificate", FIND_13, outcomes[k].words);
		expect("without post-handshake auth", FIND_13, outcomes[k].words);
		expect("Expect, not waiting", FIND_13, outcomes[k].words);
		expect("Expect, waiting for 100", FIND_13, "");
		expect_general("HTTP/2 offered", outcomes[k].words);
		assert_ptr_equal(strstr(general("as browsers do"), outcomes[k].words), general("as browsers do"));
	}
}

/* Nobody shall have to guess what is meant by a name that is for programs. */
static void every_outcome_was_looked_at(void **state)
{
	(void)state;
	for (int outcome = CHECK_PENDING; outcome <= CHECK_KEY_FAILED; outcome++) {
		bool any = outcome == CHECK_RENEGOTIATED || outcome == CHECK_NOT_RENEGOTIATED; /* they have a row */
		for (size_t k = 0; k < OUTCOMES; k++)
			any |= (int)outcomes[k].outcome == outcome;
		assert_true(any);
	}
}

static void what_was_not_tried_has_no_row(void **state)
{
	(void)state;
	memset(&found, 0, sizeof(found));
	make();
	assert_int_equal(row_count, 0);
	begin_empty();
	make();
	assert_int_equal(row_count, 0);
	assert_string_equal(general("HTTP/2 offered"), "");
	assert_string_equal(general("as browsers do"), "");
	begin(CHECK_AT_HEADERS);
	found.wanted[FIND_12] = false; /* --tls 1.3 */
	make();
	assert_true(row_count > 0);
	for (size_t k = 0; k < row_count; k++)
		assert_string_equal(rows[k].values[FIND_12], "");
}

/* ---- when, how, for whom ---- */

static void a_version_that_is_not_spoken(void **state)
{
	(void)state;
	begin(CHECK_NEVER);
	struct check *plain = made(CHECK_SHAKE_FAILED, 0);
	plain->result.alert = 70;
	found.versions[FIND_12] = (struct find_version){.plain = plain};
	expect("the version", FIND_12, "a failed handshake (protocol_version)");
	expect("the version", FIND_13, "spoken");
	expect("a request without a body", FIND_12, "");
	expect("asks for a certificate", FIND_12, "");
	expect("asks for a certificate", FIND_13, "never");
}

static void when_it_asks(void **state)
{
	static const struct {
		enum check_moment moment;
		const char *words;
	} moments[] = {{CHECK_NEVER, "never"},
		       {CHECK_AT_HANDSHAKE, "at the handshake"},
		       {CHECK_AT_PRIMING, "when primed"},
		       {CHECK_AT_HEADERS, "after the headers"},
		       {CHECK_DURING_BODY, "during the body"},
		       {CHECK_AFTER_BODY, "after the body"},
		       {CHECK_AFTER_RESPONSE, "after the response"}};

	(void)state;
	for (size_t k = 0; k < sizeof(moments) / sizeof(moments[0]); k++) {
		bool late = moments[k].moment > CHECK_AT_HANDSHAKE;
		begin(moments[k].moment);
		expect("asks for a certificate", FIND_12, moments[k].words);
		expect("by", FIND_12, late ? "renegotiation" : "");
		expect("by", FIND_13, late ? "post-handshake authentication" : "");
	}
	/* a request with a body was not tried, or not to its end */
	begin(CHECK_NEVER);
	found.versions[FIND_12].paused = NULL;
	found.versions[FIND_13].paused = made(CHECK_PENDING, 0);
	expect("asks for a certificate", FIND_12, "not for a request without a body");
	expect("asks for a certificate", FIND_13, "not for a request without a body");
	found.versions[FIND_12].plain = asked(CHECK_AT_HEADERS, FIND_12); /* it was, by a request without one */
	expect("asks for a certificate", FIND_12, "after the headers");
}

/* A request for the certificate that came: its names, and the answer. */
static struct check_result *asking(size_t version, size_t issuers, const char *first)
{
	struct check *check = asked(CHECK_AT_HEADERS, version);
	const struct timeline_point now = {.ms = 1};

	check->result.issuer_count = issuers;
	(void)snprintf(check->result.issuers[0], CHECK_NAME_MAX, "%s", first);
	timeline_add(&check->line, LINE_ASKED, 0, &now);
	found.versions[version].paused = check;
	return &check->result;
}

static void accepted_certificates(void **state)
{
	(void)state;
	begin(CHECK_NEVER);
	expect("of", FIND_13, "");
	expect("response", FIND_13, "");
	(void)asking(FIND_13, 0, "");
	expect("of", FIND_13, "any CA (the server names none)");
	(void)asking(FIND_13, 1, "CN=One CA,O=Example");
	expect("of", FIND_13, "CN=One CA,O=Example");
	(void)asking(FIND_13, 2, "CN=One CA");
	expect("of", FIND_13, "CN=One CA, and 1 more");
	(void)asking(FIND_13, 150, "CN=One CA"); /* more than are kept */
	expect("of", FIND_13, "CN=One CA, and 149 more");
	(void)asking(FIND_13, 1, ""); /* an empty name is one, too */
	expect("of", FIND_13, "a CA without a name");
	(void)asking(FIND_13, 3, "");
	expect("of", FIND_13, "a CA without a name, and 2 more");
	/* a HelloRequest is an ask; which CAs would come behind it, nobody has seen */
	struct check *hello = asked(CHECK_AT_HEADERS, FIND_12);
	hello->result.given = false;
	found.versions[FIND_12].paused = hello;
	expect("by", FIND_12, "renegotiation");
	expect("of", FIND_12, "");
	expect("response", FIND_12, "no response yet");
}

static void what_it_is_answered_with(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check_result *result = asking(FIND_12, 0, "");
	(void)snprintf(result->subject, CHECK_NAME_MAX, "CN=Somebody");
	expect("response", FIND_12, "CN=Somebody");
	result->subject[0] = '\0'; /* its names may all be alternative ones (RFC 5280 4.1.2.6) */
	expect("response", FIND_12, "a certificate without a subject");
	result->given = false;
	expect("response", FIND_12, "no response yet");
	result->declined = true;
	found.has_certificate = false;
	expect("response", FIND_12, "no certificate: none was configured");
	found.has_certificate = true; /* RFC 8446 4.4.2.2 */
	expect("response", FIND_12, "no certificate: the server accepts no signature algorithm of its key");
}

/* ---- kinds of clients ---- */

static void expectations(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *waits = made(CHECK_ANSWERED, 200);
	found.versions[FIND_12].waits = waits;
	expect("Expect, waiting for 100", FIND_12, "200 (no 100 received)");
	waits->result.continued = true;
	expect("Expect, waiting for 100", FIND_12, "200 (100 received)");
	waits->result.outcome = CHECK_FREEZE;
	expect("Expect, waiting for 100", FIND_12, "a freeze");
	waits->result.outcome = CHECK_PENDING;
	expect("Expect, waiting for 100", FIND_12, "a timeout");
}

static void priming(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *primed = made(CHECK_ANSWERED, 200);
	primed->script.length = MAX_BODY;
	primed->result.asked = CHECK_AT_PRIMING;
	found.versions[FIND_13].primed = primed;
	expect("primed by HEAD", FIND_13, "200, with 16,777,216 bytes");
	primed->result.asked = CHECK_AT_HEADERS;
	expect("primed by HEAD", FIND_13, "200, with 16,777,216 bytes (asked anyway)");
	primed->result.outcome = CHECK_FREEZE;
	primed->result.body_out = 70000;
	expect("primed by HEAD", FIND_13, "a freeze, with 16,777,216 bytes (asked anyway)");
	primed->result.asked = CHECK_AT_PRIMING;
	primed->result.body_out = 0; /* the HEAD itself froze */
	expect("primed by HEAD", FIND_13, "a freeze");
	primed->result.outcome = CHECK_UNPRIMED;
	expect("primed by HEAD", FIND_13, "a connection that is closed after priming");
	primed->script.length = 1;
	primed->result.outcome = CHECK_ANSWERED;
	expect("primed by HEAD", FIND_13, "200, with 1 byte");
}

static void resuming(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *second = asked(CHECK_NEVER, FIND_13);
	found.versions[FIND_13].resumed = second;
	expect("session resumed", FIND_13, "not resumed");
	second->result.resumed = true;
	expect("session resumed", FIND_13, "200, without an ask");
	second->result.asked = CHECK_AT_HEADERS;
	expect("session resumed", FIND_13, "200, asked again");
	/* there was no handshake in which it could have been resumed */
	*second = (struct check){.result = {.outcome = CHECK_PENDING}};
	expect("session resumed", FIND_13, "a timeout");
}

static void renegotiating(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	found.versions[FIND_12].renegotiated = made(CHECK_RENEGOTIATED, 0);
	expect("renegotiation by client", FIND_12, "allowed (can be used to overload it: RFC 5746 4.5)");
	found.versions[FIND_12].renegotiated = made(CHECK_NOT_RENEGOTIATED, 0);
	expect("renegotiation by client", FIND_12, "refused");
	/* which is no refusal */
	found.versions[FIND_12].renegotiated = made(CHECK_PENDING, 0);
	expect("renegotiation by client", FIND_12, "a timeout");
	found.versions[FIND_12].renegotiated = made(CHECK_UNREACHABLE, 0);
	expect("renegotiation by client", FIND_12, "no connection");
}

static void withholding(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *withheld = made(CHECK_WITHHELD, 0);
	found.versions[FIND_12].withheld = withheld;
	withheld->script.stall_ms = 5000;
	withheld->result.held_ms = 10123;
	expect("certificate not sent", FIND_12, "kept for 10 s or longer");
	withheld->result.gave_up = true;
	expect("certificate not sent", FIND_12, "closed after 10.1 s");
	/* --hold 0s: as long as it takes to call it a stall */
	withheld->result.gave_up = false;
	withheld->result.held_ms = 0;
	expect("certificate not sent", FIND_12, "kept for 5 s or longer");
	withheld->script.stall_ms = 400;
	expect("certificate not sent", FIND_12, "kept for 0.4 s or longer");
	withheld->result.outcome = CHECK_ANSWERED;
	withheld->result.status = 403;
	expect("certificate not sent", FIND_12, "403");
}

static void browsers(void **state)
{
	static const char with[] = "200, over TLS 1.3 (TLS 1.2 and 1.3, without post-handshake authentication)";

	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *browser = asked(CHECK_NEVER, FIND_13);
	found.browser = browser;
	expect_general("as browsers do", with);
	browser->result.version = 12;
	expect_general("as browsers do", "200, over TLS 1.2 (TLS 1.2 and 1.3, without post-handshake authentication)");
	browser->result = (struct check_result){.outcome = CHECK_SHAKE_FAILED}; /* over neither */
	expect_general("as browsers do",
		       "a failed handshake (no alert) (TLS 1.2 and 1.3, without post-handshake authentication)");
}

/* ---- bodies ---- */

static void bodies_that_all_pass(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	expect("reading while writing", FIND_12, "200 up to 16,777,216 bytes");
	expect("writing before reading", FIND_13, "200 up to 16,777,216 bytes");
	expect("read before it stopped", FIND_13, "");
	expect("closes a stalled upload", FIND_13, "");
	struct find_bodies *bodies = &found.versions[FIND_12].bodies[CHECK_READS];
	bodies->boundary.good = 65536; /* interrupted */
	expect("reading while writing", FIND_12, "up to 65,536 bytes pass; larger ones unknown");
	bodies->boundary.good = 0;
	expect("reading while writing", FIND_12, "up to 0 bytes pass; larger ones unknown");
	bodies->began = false;
	expect("reading while writing", FIND_12, "");
}

static void bodies_that_do_not_pass(void **state)
{
	struct sizes_boundary *at;

	(void)state;
	begin(CHECK_AT_HEADERS);
	at = change(FIND_12, CHECK_READS, 131073, made(CHECK_ANSWERED, 413));
	expect("reading while writing", FIND_12, "413 from 131,073 bytes up (131,072 pass)");
	at->exact = false;
	expect("reading while writing", FIND_12, "413 from about 131,073 bytes up (131,072 pass)");
	at->mixed = true;
	expect("reading while writing", FIND_12, "413 for some, from 131,073 bytes up (131,072 pass)");
	(void)change(FIND_12, CHECK_READS, 2, made(CHECK_ANSWERED, 413));
	expect("reading while writing", FIND_12, "413 from 2 bytes up (1 pass)");
	at = change(FIND_13, CHECK_WRITES_FIRST, 1, made(CHECK_FREEZE, 0));
	expect("writing before reading", FIND_13, "a freeze from the first byte on");
	at->mixed = true;
	at->exact = false;
	expect("writing before reading", FIND_13, "a freeze for some, from 1 byte up");
	/* interrupted before a smaller one had its answer */
	*at = (struct sizes_boundary){.found = true, .bad = 131073};
	expect("writing before reading", FIND_13, "a freeze from 131,073 bytes up; smaller ones unknown");
	at->bad = UINT64_MAX - 1;
	at->good = UINT64_MAX - 2;
	expect("writing before reading", FIND_13,
	       "a freeze from about 18,446,744,073,709,551,614 bytes up (18,446,744,073,709,551,613 pass)");
}

static void bodies_that_stall(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *largest = made(CHECK_FREEZE, 0);
	largest->result.body_taken = 4194304;
	largest->script.stall_ms = 5000;
	largest->result.held_ms = 20400;
	found.versions[FIND_13].bodies[CHECK_WRITES_FIRST].largest = largest;
	expect("read before it stopped", FIND_13, "4,194,304 of 16,777,216 bytes");
	expect("closes a stalled upload", FIND_13, "not within 20 s");
	largest->result.gave_up = true;
	expect("closes a stalled upload", FIND_13, "after 20.4 s");
	largest->result.gave_up = false;
	largest->result.held_ms = 0; /* --hold 0s */
	expect("closes a stalled upload", FIND_13, "not within 5 s");
	largest->result.outcome = CHECK_SILENCE;
	expect("read before it stopped", FIND_13, "4,194,304 of 16,777,216 bytes");
	largest->result.outcome = CHECK_RESET;
	expect("read before it stopped", FIND_13, "");
	expect("closes a stalled upload", FIND_13, "");
}

/* ---- names that are too long, or none at all ---- */

static void repeat(char *to, const char *head, const char *each, size_t room)
{
	size_t at = strlen(head);

	memcpy(to, head, at + 1);
	for (size_t len = strlen(each); at + len < room; at += len)
		memcpy(to + at, each, len + 1);
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Whatever the place at which it is cut: never within a character. */
static void long_names_are_cut_between_characters(void **state)
{
	static const char *const heads[] = {"CN=", "CN=a", "CN=ab", "CN=abc"};
	static const char *const letters[] = {"x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9d\x84\x9e"};

	(void)state;
	for (size_t h = 0; h < 4; h++)
		for (size_t k = 0; k < 4; k++) {
			char name[CHECK_NAME_MAX];
			size_t len = strlen(letters[k]);
			begin(CHECK_AT_HEADERS);
			repeat(name, heads[h], letters[k], sizeof(name));
			struct check_result *result = asking(FIND_12, 1, name);
			memcpy(result->subject, name, sizeof(name));
			(void)asking(FIND_13, 1234567, name);
			const char *one = value("of", FIND_12), *subject = value("response", FIND_12);
			const char *many = value("of", FIND_13), *dots = strstr(many, "...");
			assert_true(ends_in(many, "..., and 1234566 more"));
			assert_int_equal(((size_t)(dots - many) - strlen(heads[h])) % len, 0);
			assert_memory_equal(many, name, (size_t)(dots - many));
			if (strlen(letters[k]) == 1) {
				assert_true(ends_in(one, "x...") && ends_in(subject, "x..."));
				assert_int_equal(strlen(one), 120);
			}
		}
}

static void a_short_name_is_as_it_is(void **state)
{
	static const char name[] = "CN=J\xc3\xbcrgen \xe2\x82\xac \xe6\x97\xa5\xe6\x9c\xac,O=a\\, \\\"b\\\" <&>|`";

	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check_result *result = asking(FIND_12, 1, name);
	memcpy(result->subject, name, sizeof(name));
	expect("of", FIND_12, name);
	expect("response", FIND_12, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_outcome_has_its_words),
		cmocka_unit_test(every_outcome_was_looked_at),
		cmocka_unit_test(what_was_not_tried_has_no_row),
		cmocka_unit_test(a_version_that_is_not_spoken),
		cmocka_unit_test(when_it_asks),
		cmocka_unit_test(accepted_certificates),
		cmocka_unit_test(what_it_is_answered_with),
		cmocka_unit_test(expectations),
		cmocka_unit_test(priming),
		cmocka_unit_test(resuming),
		cmocka_unit_test(renegotiating),
		cmocka_unit_test(withholding),
		cmocka_unit_test(browsers),
		cmocka_unit_test(bodies_that_all_pass),
		cmocka_unit_test(bodies_that_do_not_pass),
		cmocka_unit_test(bodies_that_stall),
		cmocka_unit_test(long_names_are_cut_between_characters),
		cmocka_unit_test(a_short_name_is_as_it_is),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
