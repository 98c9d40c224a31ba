/* The probe's reports, as text, Markdown and JSON: whole, and not to be broken by what a server says. */
#include "findings_world.h"

#include <fcntl.h>
#include <unistd.h>

#include <jansson.h>

#include "probe/plain.h"
#include "probe/report.h"

static struct verdict verdict;
static char *output;
static size_t output_len;

/* ---- reports into memory ---- */

typedef bool report_fn(FILE *to, const struct report *report);

static bool report_to(FILE *to, report_fn *form)
{
	repeat_all();
	verdict_make(&found, &guess, &verdict);
	return form(to, &(struct report){&found, &verdict, &guess});
}

static const char *report(report_fn *form)
{
	free(output);
	output = NULL;
	FILE *to = open_memstream(&output, &output_len);
	assert_non_null(to);
	assert_true(report_to(to, form));
	assert_int_equal(fclose(to), 0);
	assert_int_equal(strlen(output), output_len);
	return output;
}

static int forget(void **state)
{
	(void)state;
	free(output);
	output = NULL;
	return 0;
}

/* ---- what a server may say ---- */

/* Each as a name, a Server field, a body, and a path. */
static const char *const hostile[] = {
	"\033[2J\033]0;owned\a",
	"\xc2\x9b"
	"2J\xe2\x80\xae"
	"drow",
	"line\nline\r\n| a | b |\n|---|---|\n# heading",
	"a | b \\| c \\\\| d",
	"`code` ```\n``` <script>alert(1)</script> <!-- -->",
	"![x](http://x.example/y) [x](javascript:alert(1)) *b* ~~s~~ &lt; &#60;",
	"]]> <![CDATA[ </text></svg> <b a=\"b\" c='d'> & &bogus;",
	"{\"a\": \"b\", \\u0000 \\\" }",
	"Gr\xfc\xdf"
	"e aus K\xf6ln",
	"\xff\xfe\xc0\xaf\xed\xa0\x80\xe2\x82",
	"%s%n%d%%",
	"J\xc3\xbcrgen \xe2\x82\xac \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void fill(char *to, size_t room, const char *text)
{
	(void)snprintf(to, room, "%s", text);
}

/* All that a report can take from a server's hands, in each check. */
static void set_all_texts(const char *text)
{
	const struct timeline_point now = {.ms = 1};

	begin(CHECK_AT_HEADERS);
	change_all(65537, CHECK_FREEZE, 0);
	found.http2 = found.browser = asked(CHECK_NEVER, FIND_13);
	found.versions[FIND_12].renegotiated = made(CHECK_NOT_RENEGOTIATED, 0);
	for (size_t i = 0; i < used; i++) {
		struct check_result *result = &pool[i].result;
		fill(result->server, sizeof(result->server), text);
		fill(result->type, sizeof(result->type), text);
		fill(result->keep_alive, sizeof(result->keep_alive), text);
		fill(result->body, sizeof(result->body), text);
		fill(result->detail, sizeof(result->detail), text);
		fill(result->subject, sizeof(result->subject), text);
		result->issuer_count = CHECK_ISSUERS_MAX + 5;
		for (size_t k = 0; k < CHECK_ISSUERS_MAX; k++)
			fill(result->issuers[k], CHECK_NAME_MAX, text);
		timeline_add(&pool[i].line, LINE_ASKED, 0, &now);
	}
	fill(found.url.authority, sizeof(found.url.authority), "host.example:8443");
	fill(found.url.target, sizeof(found.url.target), "/a?b=1&c=<2>`|*[d](e)\"'\\");
	server_recognise(&found, &guess);
}

/* UTF-8 without anything that steers a terminal, but for the ends of lines. */
static void expect_harmless(const char *text)
{
	char *line = strdup(text), *plain = malloc(strlen(text) + 4), *rest = line, *at;

	assert_non_null(line);
	assert_non_null(plain);
	while ((at = strsep(&rest, "\n")) != NULL) {
		(void)plain_copy(plain, strlen(text) + 4, SIZE_MAX, at);
		if (strcmp(plain, at) != 0)
			fail_msg("this steers: %s", plain);
	}
	free(line);
	free(plain);
}

static size_t lines_of(const char *text)
{
	size_t lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

/* ---- text ---- */

static void expect_line(const char *line)
{
	size_t len = strlen(line);
	const char *at = strstr(output, line);

	while (at != NULL && ((at > output && at[-1] != '\n') || (at[len] != '\n' && at[len] != '\0')))
		at = strstr(at + 1, line);
	if (at == NULL)
		fail_msg("there is no line '%s' in:\n%s", line, output);
}

static void the_complete_text_report(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	fill(found.url.authority, sizeof(found.url.authority), "host.example");
	fill(found.url.target, sizeof(found.url.target), "/late?a=1");
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		fill(((struct check *)found.versions[i].paused)->result.subject, CHECK_NAME_MAX, "CN=Somebody");
	found.has_certificate = true;
	found.connections = 72;
	found.uploaded = 10485760;
	found.ms = 4100;
	(void)report(report_text);
	expect_line("thaw probe https://host.example/late?a=1");
	expect_line("  with a client certificate; 72 connections, 10.0 MiB of bodies sent by PUT, 4.1 s");
	expect_line("                                TLS 1.2                     TLS 1.3");
	expect_line("  the version                   spoken                      spoken");
	expect_line("  by                            renegotiation               post-handshake authentication");
	expect_line("  writing before reading        200 up to 16,777,216 bytes  200 up to 16,777,216 bytes");
	expect_line("verdict: no problem: it asks late, and reads on meanwhile; bodies of up to 16,777,216 bytes pass");
	assert_null(strstr(output, "cure"));
	assert_null(strstr(output, "server:"));
	assert_null(strstr(output, " \n"));
}

static void a_text_with_problems(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	found.method = NULL;
	found.out_of_time = true;
	change_all(131073, CHECK_ANSWERED, 413);
	server_recognise(&found, &guess);
	(void)report(report_text);
	assert_non_null(strstr(output, "without a certificate (--cert); 0 connections, 0.0 MiB of bodies sent, 0.0 s; "
				       "stopped at its time limit\n"));
	expect_line("server: Apache httpd, recognised by:");
	expect_line("  - 413 after 131,072 bytes, the default of SSLRenegBufferSize");
	expect_line("verdict: limited: over TLS 1.2 and 1.3 a body of 131,073 bytes or more results in 413, with any "
		    "client "
		    "(131,072 bytes pass)");
	assert_non_null(strstr(output, "\n  also could not tell: the time limit"));
	expect_line("cure, for the operator of the server (docs/cures.md, apache-httpd):");
	expect_line("cure, on the client's side (docs/cures.md, on-the-clients-side):");
	found.interrupted = true;
	assert_non_null(strstr(report(report_text), "0.0 s; interrupted\n"));
}

static void a_text_of_one_version(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	found.wanted[FIND_12] = false;
	found.versions[FIND_12] = (struct find_version){.plain = NULL};
	(void)report(report_text);
	expect_line("                                TLS 1.3");
	expect_line("  by                            post-handshake authentication");
	assert_null(strstr(output, "TLS 1.2"));
	begin(CHECK_AT_HEADERS);
	found.wanted[FIND_13] = false;
	found.versions[FIND_13] = (struct find_version){.plain = NULL};
	(void)report(report_text);
	expect_line("                                TLS 1.2");
	expect_line("  by                            renegotiation");
	assert_null(strstr(output, "TLS 1.3"));
}

/* Of nothing at all, too. */
static void a_report_of_nothing(void **state)
{
	(void)state;
	memset(&found, 0, sizeof(found));
	guess = (struct server_guess){.kind = SERVER_UNKNOWN};
	assert_non_null(strstr(report(report_text), "verdict: could not tell"));
	assert_null(strstr(output, "timeline"));
	assert_non_null(strstr(report(report_markdown), "**could not tell"));
	json_t *json = json_loads(report(report_json), 0, NULL);
	assert_true(json_is_null(json_object_get(json, "timeline")));
	assert_true(json_is_null(json_object_get(json, "tls12")) && json_is_null(json_object_get(json, "http2")));
	json_decref(json);
}

/* The second column begins where it does in the other lines, however many bytes the first one has. */
static void columns_stay_below_each_other(void **state)
{
	static const char *const names[] = {"CN=One CA", "CN=J\xc3\xbcrgen \xe2\x82\xac", "CN=\xe6\x97\xa5\xe6\x9c\xac",
					    "CN=e\xcc\x81", "CN=\xff"};

	(void)state;
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		set_all_texts(names[k]);
		(void)report(report_text);
		char *head = strstr(output, "TLS 1.2"), *second = strstr(head, "TLS 1.3");
		char *row = strstr(output, "\n  of "), *first = row + 1 + 2 + 28 + 2;
		ptrdiff_t want = second - head;
		char name[CHECK_NAME_MAX * 2];
		char *next = strstr(first, "  ");
		assert_non_null(next);
		next += strspn(next, " ");
		*next = '\0';
		fill(name, sizeof(name), first);
		assert_int_equal(plain_columns(name), want);
	}
}

/* ---- hostile text ---- */

static void terminal_control_characters_are_escaped(void **state)
{
	set_all_texts("harmless");
	size_t lines = lines_of(report(report_text));

	(void)state;
	for (size_t k = 0; k < HOSTILE; k++) {
		set_all_texts(hostile[k]);
		expect_harmless(report(report_text));
		assert_int_equal(lines_of(output), lines);
		expect_harmless(report(report_json));
		expect_harmless(report(report_markdown));
	}
}

/* The bars of a line that end a cell (GFM 4.10): a backslash takes the next character's meaning. */
static size_t bars(const char *line, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		if (line[i] == '\\')
			i++;
		else
			count += line[i] == '|';
	return count;
}

/* Neither a tag, a code span, a link nor an entity begins in it (CommonMark 2.4): each of these is escaped. */
static void expect_no_markup(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\\')
			i++;
		else if (strchr("<>&`[]*~", line[i]) != NULL)
			fail_msg("'%c' has a meaning in: %.*s", line[i], (int)len, line);
}

static void a_markdown_table_is_not_broken(void **state)
{
	set_all_texts("harmless");
	size_t lines = lines_of(report(report_markdown));

	(void)state;
	for (size_t k = 0; k < HOSTILE; k++) {
		set_all_texts(hostile[k]);
		(void)report(report_markdown);
		assert_int_equal(lines_of(output), lines);
		char *line = strstr(output, "| | TLS 1.2 |"), *end = strstr(line, "\n\n");
		size_t rows = 0;
		for (char *next; line < end; line = next + 1, rows++) {
			next = strchr(line, '\n');
			assert_int_equal(bars(line, (size_t)(next - line)), 4);
			expect_no_markup(line, (size_t)(next - line));
		}
		assert_true(rows > 10);
	}
}

/* What stands in the table, unescaped, is what was said. */
static void markdown_says_the_same(void **state)
{
	(void)state;
	set_all_texts("a | b \\| c `d` <e>");
	assert_non_null(strstr(report(report_markdown), "| of | a \\| b \\\\\\| c \\`d\\` \\<e\\>, and 12 more |"));
}

static void a_markdown_url_stays_a_link(void **state)
{
	(void)state;
	set_all_texts("x");
	(void)report(report_markdown);
	assert_ptr_equal(strstr(output, "# thaw probe <https://host.example:8443/a?b=1&c=%3C2%3E`|*[d](e)\"'\\>\n"),
			 output);
	for (size_t i = 0; i < used; i++)
		pool[i].script.method = "P*`|~"; /* a token (RFC 9110 5.6.2), by --method */
	assert_non_null(strstr(report(report_markdown), "\n## Timeline: P\\*\\`\\|\\~ over TLS\n"));
}

static void json_is_whole(void **state)
{
	(void)state;
	for (size_t k = 0; k < HOSTILE; k++) {
		json_error_t error;
		char plain[CHECK_NAME_MAX];
		set_all_texts(hostile[k]);
		json_t *json = json_loads(report(report_json), JSON_REJECT_DUPLICATES, &error);
		if (json == NULL)
			fail_msg("%s", error.text);
		const json_t *check = json_object_get(json_object_get(json, "tls13"), "small_body");
		const json_t *issuers = json_object_get(json_object_get(check, "asked"), "issuers");
		(void)plain_copy(plain, sizeof(plain), sizeof(plain), hostile[k]);
		assert_string_equal(json_string_value(json_array_get(issuers, 0)), plain);
		assert_int_equal(json_array_size(issuers), CHECK_ISSUERS_MAX);
		assert_string_equal(json_string_value(json_object_get(check, "detail")), plain);
		assert_string_equal(json_string_value(json_object_get(json, "url")),
				    "https://host.example:8443/a?b=1&c=<2>`|*[d](e)\"'\\");
		json_decref(json);
	}
}

/* ---- JSON, and what docs/PROBE.md says of it ---- */

/* Of the section for programs. */
static char *documented(void)
{
	FILE *file = fopen(THAW_DOCS "/PROBE.md", "r");
	static char text[65536];

	assert_non_null(file);
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	assert_int_equal(fclose(file), 0);
	text[len] = '\0';
	char *section = strstr(text, "\n## For programs\n");
	assert_non_null(section);
	return section;
}

static void expect_documented(const char *word)
{
	char quoted[80];

	(void)snprintf(quoted, sizeof(quoted), "`%s`", word);
	if (strstr(documented(), quoted) == NULL)
		fail_msg("docs/PROBE.md does not tell of %s", quoted);
}

/* Every key there is, also of what is within. The names that were met are kept. */
static char met[256][32];
static size_t met_count;

static void meet(const char *word)
{
	for (size_t i = 0; i < met_count; i++)
		if (strcmp(met[i], word) == 0)
			return;
	assert_true(met_count < sizeof(met) / sizeof(met[0]));
	fill(met[met_count++], sizeof(met[0]), word);
	expect_documented(word);
}

static void meet_keys(json_t *json)
{
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach(json, key, value)
	{
		meet(key);
		meet_keys(value);
	}
	json_array_foreach(json, i, value) meet_keys(value);
}

/* A check for every question, and in every list. */
static void answer_all(void)
{
	const struct timeline_point now = {.ms = 1};

	set_all_texts("x");
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		struct find_version *version = &found.versions[i];
		version->anonymous = version->no_offer = version->resumed = version->plain;
		version->renegotiated = version->withheld = version->plain;
		for (size_t style = 0; style < 2; style++)
			version->bodies[style].checks[version->bodies[style].count++] = version->plain;
	}
	for (size_t i = 0; i < used; i++)
		timeline_add(&pool[i].line, LINE_CLOSED, 0, &now);
	guess = (struct server_guess){.kind = SERVER_APACHE, .evidence = {"a sign"}, .count = 1};
}

static void each_key_is_documented(void **state)
{
	(void)state;
	answer_all();
	json_t *json = json_loads(report(report_json), 0, NULL);
	assert_non_null(json);
	met_count = 0;
	meet_keys(json);
	json_decref(json);
}

static void meet_values(void)
{
	for (int i = CHECK_PENDING; i <= CHECK_KEY_FAILED; i++)
		meet(check_outcome_name((enum check_outcome)i));
	for (int i = CHECK_NEVER; i <= CHECK_AFTER_RESPONSE; i++)
		meet(check_moment_name((enum check_moment)i));
	for (int i = LINE_CONNECTED; i <= LINE_LEFT; i++)
		meet(timeline_name((enum timeline_what)i));
	meet("?");
	meet("...");
	meet("certificate");
	meet("none");
	meet("not-yet");
	meet("renegotiation");
	meet("post-handshake");
	meet("reads-while-writing");
	meet("writes-first");
}

/* And what is documented is there. */
static void each_documented_word_is_there(void **state)
{
	(void)state;
	answer_all();
	json_t *json = json_loads(report(report_json), 0, NULL);
	assert_non_null(json);
	met_count = 0;
	meet_keys(json);
	meet_values();
	json_decref(json);
	for (char *at = documented(); (at = strchr(at, '`')) != NULL;) {
		size_t len = strcspn(++at, "`");
		char word[80];
		bool any = len > 2 && strncmp(at, "--", 2) == 0; /* an option */
		(void)snprintf(word, sizeof(word), "%.*s", (int)len, at);
		for (size_t i = 0; i < met_count; i++)
			any |= strcmp(met[i], word) == 0;
		if (!any)
			fail_msg("docs/PROBE.md tells of `%s`, which there is not", word);
		at += len + 1;
	}
}

static const char *string_at(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static json_int_t number_at(const json_t *json, const char *key)
{
	assert_true(json_is_integer(json_object_get(json, key)));
	return json_integer_value(json_object_get(json, key));
}

static void a_check_as_json(void **state)
{
	(void)state;
	answer_all();
	struct check *waits = made(CHECK_ALERTED, 0);
	waits->script.length = 1048576;
	waits->script.style = CHECK_WRITES_FIRST;
	waits->result.alert = 116;
	waits->result.body_out = 1000;
	waits->result.body_taken = 900;
	waits->result.held_ms = 5000;
	waits->result.gave_up = true;
	found.versions[FIND_12].waits = waits;
	found.versions[FIND_12].eager = NULL;
	json_t *json = json_loads(report(report_json), 0, NULL);
	const json_t *tls12 = json_object_get(json, "tls12"), *check = json_object_get(tls12, "expect_waits");
	assert_string_equal(string_at(check, "outcome"), "alert");
	assert_string_equal(string_at(check, "alert"), "certificate_required");
	assert_string_equal(string_at(check, "style"), "writes-first");
	assert_int_equal(number_at(check, "body"), 1048576);
	assert_int_equal(number_at(check, "body_sent"), 1000);
	assert_int_equal(number_at(check, "body_taken"), 900);
	assert_int_equal(number_at(check, "held_ms"), 5000);
	assert_true(json_is_true(json_object_get(check, "gave_up")));
	assert_true(json_is_null(json_object_get(check, "status")) && json_is_null(json_object_get(check, "asked")));
	assert_true(json_is_null(json_object_get(check, "server")) && json_is_null(json_object_get(check, "detail")));
	assert_true(json_is_null(json_object_get(tls12, "expect_eager")));
	assert_int_equal(number_at(json_object_get(tls12, "no_body"), "status"), 200);
	json_decref(json);
}

static void the_rest_as_json(void **state)
{
	(void)state;
	answer_all();
	found.versions[FIND_13].bodies[CHECK_READS].began = false;
	found.out_of_time = found.has_certificate = true;
	found.connections = 7;
	found.uploaded = 5000000000;
	json_t *json = json_loads(report(report_json), 0, NULL);
	assert_string_equal(string_at(json, "verdict"), "freezes");
	assert_int_equal(number_at(json, "code"), PROBE_FREEZES);
	assert_string_equal(string_at(json, "line"), verdict.line);
	assert_int_equal(json_array_size(json_object_get(json, "problems")), verdict.count);
	assert_int_equal(number_at(json, "connections"), 7);
	assert_int_equal(number_at(json, "body_bytes"), 5000000000);
	assert_true(json_is_true(json_object_get(json, "interrupted")));
	assert_true(json_is_true(json_object_get(json, "certificate")));
	const json_t *bodies = json_object_get(json_object_get(json, "tls12"), "writes_first");
	assert_int_equal(number_at(bodies, "last_good"), 65536);
	assert_int_equal(number_at(bodies, "first_bad"), 65537);
	assert_string_equal(string_at(json_object_get(bodies, "outcome"), "outcome"), "freeze");
	assert_int_equal(json_array_size(json_object_get(bodies, "tried")), 1);
	assert_true(json_is_null(json_object_get(json_object_get(json, "tls13"), "reads_while_writing")));
	const json_t *cures = json_object_get(json, "cures");
	assert_true(json_array_size(json_object_get(cures, "server")) > 1);
	assert_string_equal(string_at(cures, "section"), "apache-httpd");
	assert_string_equal(string_at(json_object_get(json, "server"), "name"), "Apache httpd");
	json_decref(json);
}

/* Without memory there is no report, rather than one that has left something out. */
static size_t allocations, fail_at;

static void *failing_malloc(size_t size)
{
	return ++allocations == fail_at ? NULL : malloc(size);
}

static void no_memory_is_no_shorter_report(void **state)
{
	(void)state;
	answer_all();
	char *whole = strdup(report(report_json));
	assert_non_null(whole);
	json_set_alloc_funcs(failing_malloc, free);
	fail_at = allocations = 0;
	(void)report(report_json);
	size_t all = allocations;
	assert_true(all > 500);
	for (fail_at = 1; fail_at <= all; fail_at += 1 + fail_at / 64) {
		char *text = NULL;
		size_t len;
		FILE *to = open_memstream(&text, &len);
		assert_non_null(to);
		allocations = 0;
		bool ok = report_to(to, report_json);
		assert_int_equal(fclose(to), 0);
		if (ok && strcmp(text, whole) != 0)
			fail_msg("with allocation %zu of %zu failing something is left out", fail_at, all);
		free(text);
	}
	json_set_alloc_funcs(malloc, free);
	free(whole);
}

/* ---- a disk that is full ---- */

static void a_full_disk_is_reported(void **state)
{
	static report_fn *const forms[] = {report_text, report_markdown, report_json};
	static char buffer[1048576]; /* holds a whole report, so that only its flush can fail */
	static const int modes[] = {_IONBF, _IOLBF, _IOFBF};

	(void)state;
	answer_all();
	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < 3; i++) {
			FILE *full = fopen("/dev/full", "we");
			assert_non_null(full);
			assert_int_equal(setvbuf(full, buffer, modes[i], sizeof(buffer)), 0);
			assert_false(report_to(full, forms[k]));
			(void)fclose(full);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_complete_text_report, forget),
		cmocka_unit_test_teardown(a_text_with_problems, forget),
		cmocka_unit_test_teardown(a_text_of_one_version, forget),
		cmocka_unit_test_teardown(a_report_of_nothing, forget),
		cmocka_unit_test_teardown(columns_stay_below_each_other, forget),
		cmocka_unit_test_teardown(terminal_control_characters_are_escaped, forget),
		cmocka_unit_test_teardown(a_markdown_table_is_not_broken, forget),
		cmocka_unit_test_teardown(markdown_says_the_same, forget),
		cmocka_unit_test_teardown(a_markdown_url_stays_a_link, forget),
		cmocka_unit_test_teardown(json_is_whole, forget),
		cmocka_unit_test_teardown(each_key_is_documented, forget),
		cmocka_unit_test_teardown(each_documented_word_is_there, forget),
		cmocka_unit_test_teardown(a_check_as_json, forget),
		cmocka_unit_test_teardown(the_rest_as_json, forget),
		cmocka_unit_test_teardown(no_memory_is_no_shorter_report, forget),
		cmocka_unit_test_teardown(a_full_disk_is_reported, forget),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
