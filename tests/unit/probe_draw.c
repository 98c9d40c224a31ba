/* A check's timeline as text and as a picture: which one is chosen, what each moment is called, and where it is drawn.
 */
#include "findings_world.h"

#include <ctype.h>
#include <unistd.h>

#include "probe/draw.h"

static char *drawn;
static size_t drawn_len;

static int forget(void **state)
{
	(void)state;
	free(drawn);
	drawn = NULL;
	return 0;
}

/* ---- which check ---- */

static void chosen(const struct check *check)
{
	assert_ptr_equal(draw_choose(&found), check);
}

/* From what tells least to what tells most. */
static void the_check_that_shows_best(void **state)
{
	(void)state;
	used = 0;
	memset(&found, 0, sizeof(found));
	chosen(NULL);
	struct find_version *v12 = &found.versions[FIND_12], *v13 = &found.versions[FIND_13];
	v12->plain = made(CHECK_ANSWERED, 200);
	chosen(v12->plain);
	v13->plain = made(CHECK_ANSWERED, 200);
	chosen(v13->plain);
	v12->bodies[CHECK_READS].largest = made(CHECK_ANSWERED, 200);
	chosen(v12->bodies[CHECK_READS].largest);
	struct check *refused = made(CHECK_ANSWERED, 413);
	(void)change(FIND_12, CHECK_WRITES_FIRST, 131073, refused);
	chosen(refused);
	struct check *waits = made(CHECK_FREEZE, 0);
	v12->waits = waits;
	chosen(waits);
	struct check *frozen = made(CHECK_FREEZE, 0);
	(void)change(FIND_13, CHECK_WRITES_FIRST, 65537, frozen);
	chosen(frozen);
	struct check *largest = made(CHECK_FREEZE, 0);
	v12->bodies[CHECK_READS].largest = largest;
	chosen(largest);
}

static void titles(void **state)
{
	struct check *check = made(CHECK_ANSWERED, 200);
	char text[DRAW_TITLE_MAX];

	(void)state;
	check->result.version = 13;
	assert_string_equal(draw_title(check, text), "PUT over TLS 1.3");
	check->result.version = 12;
	assert_string_equal(draw_title(check, text), "PUT over TLS 1.2");
	check->result.version = 0; /* it did not come to a handshake */
	assert_string_equal(draw_title(check, text), "PUT over TLS");
	check->result.version = 13;
	check->script.has_body = true;
	check->script.length = 1;
	assert_string_equal(draw_title(check, text),
			    "PUT with 1 byte over TLS 1.3, by a client that reads while it writes");
	check->script.length = UINT64_MAX;
	check->script.style = CHECK_WRITES_FIRST;
	check->script.expect = CHECK_WAITS;
	check->script.method = "A-METHOD-OF-MORE-THAN-TWENTY-LETTERS";
	assert_string_equal(draw_title(check, text),
			    "A-METHOD-OF-MORE-THA with 18,446,744,073,709,551,615 bytes over TLS 1.3, by a client that "
			    "writes before it reads and waits for 100 Continue");
}

/* ---- timelines ---- */

static struct check *line_of(size_t moments, uint32_t step_ms, uint64_t step_bytes)
{
	struct check *check = made(CHECK_ANSWERED, 200);

	check->result.version = 13;
	for (size_t i = 0; i < moments; i++) {
		const struct timeline_point now = {(uint32_t)i * step_ms, i * step_bytes, i * step_bytes / 2};
		timeline_trace(&check->line, &now);
		timeline_add(&check->line, (enum timeline_what)(i % (LINE_LEFT + 1)), i, &now);
	}
	return check;
}

static void begin_drawing(void)
{
	used = 0;
	memset(&found, 0, sizeof(found));
	(void)snprintf(found.url.authority, sizeof(found.url.authority), "host.example:8443");
	(void)snprintf(found.url.target, sizeof(found.url.target), "/late?a=1&b=<2>");
}

/* ---- text ---- */

static char *text_of(const struct check *check)
{
	(void)forget(NULL);
	FILE *to = open_memstream(&drawn, &drawn_len);
	assert_non_null(to);
	draw_text(to, check, "  ");
	assert_int_equal(fclose(to), 0);
	return drawn;
}

static void expect_words(enum timeline_what what, uint64_t value, const char *words, enum draw_side side)
{
	const struct timeline_moment moment = {.what = what, .value = value};
	char text[DRAW_WORDS_MAX];

	assert_int_equal(draw_words(&moment, text), side);
	assert_string_equal(text, words);
}

static void moments_have_words(void **state)
{
	(void)state;
	expect_words(LINE_CONNECTED, 0, "connects", DRAW_CLIENT);
	expect_words(LINE_SECURED, 13, "TLS is established", DRAW_BOTH);
	expect_words(LINE_PRIMED, 204, "response to the HEAD: 204", DRAW_SERVER);
	expect_words(LINE_STATUS, 413, "response: 413", DRAW_SERVER);
	expect_words(LINE_ALERT, 116, "alert: certificate_required", DRAW_SERVER);
	expect_words(LINE_ALERT, 199, "alert: unnamed", DRAW_SERVER);
	expect_words(LINE_BODY_ENDED, 1, "the body is written: 1 byte", DRAW_CLIENT);
	expect_words(LINE_BODY_ENDED, 1048576, "the body is written: 1,048,576 bytes", DRAW_CLIENT);
	expect_words(LINE_STALL, 70000, "no progress since here", DRAW_BOTH);
	for (int what = LINE_CONNECTED; what <= LINE_LEFT; what++) {
		const struct timeline_moment moment = {.what = (enum timeline_what)what, .value = UINT64_MAX};
		char text[DRAW_WORDS_MAX];
		(void)draw_words(&moment, text);
		assert_int_not_equal(text[0], '\0');
	}
}

/* Each line's second bar stands below that of the line before it. */
static void arrows_end_below_each_other(void **state)
{
	begin_drawing();
	char *line = text_of(line_of(LINE_LEFT + 1, 150000, 1000000));
	size_t lines = 0;

	(void)state;
	for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1, lines++) {
		*end = '\0';
		if (lines == 0) {
			assert_string_equal(
				line,
				"   seconds  client                                    server   bytes of TLS out, in");
			continue;
		}
		const char *first = strchr(line, '|'), *second = strchr(first + 1, '|');
		assert_int_equal(first - line, 12);
		assert_int_equal(second - first, 48);
	}
	assert_int_equal(lines, LINE_LEFT + 2);
}

static void lines_as_they_are(void **state)
{
	const struct timeline_point now = {.ms = 5410, .up = 222593, .down = 1272};
	struct check *check = made(CHECK_FREEZE, 0);

	(void)state;
	timeline_add(&check->line, LINE_ASKED, 0, &now);
	timeline_add(&check->line, LINE_STALL, 0, &now);
	assert_non_null(strstr(text_of(check),
			       "\n     5.410  |<-------------------- asks for a certificate --|  222,593, 1,272\n"
			       "     5.410  |   ## FROZEN: both sides wait ##               |  222,593, 1,272\n"));
	check->result.outcome = CHECK_SILENCE; /* which is no freeze */
	assert_null(strstr(text_of(check), "FROZEN"));
	assert_non_null(strstr(drawn, "|   no progress since here "));
	*check = (struct check){.script = {.method = "PUT"}}; /* nothing happened: only the heading */
	(void)text_of(check);
	assert_ptr_equal(strchr(drawn, '\n'), drawn + drawn_len - 1);
}

/* ---- a picture: is it XML, and where does it draw? ---- */

/* A strict reader of as much of XML 1.0 as a picture needs. It fails the test where the text is not well-formed. */
struct reader {
	const char *at;
	const char *open[16]; /* names of elements */
	size_t depth;
	double wide, high; /* of the viewBox */
	size_t texts;      /* elements of that name */
};

static size_t name_len(const char *at)
{
	size_t len = 0;

	while (isalnum((unsigned char)at[len]) || at[len] == '-')
		len++;
	assert_true(len > 0 && isalpha((unsigned char)at[0]));
	return len;
}

/* Text between tags, or a value between quotes. */
static void read_text(struct reader *xml, const char *ends)
{
	static const char *const entities[] = {"&lt;", "&gt;", "&amp;", "&quot;"};

	for (; *xml->at != '\0' && strchr(ends, *xml->at) == NULL; xml->at++) {
		bool good = *xml->at != '<' && *xml->at != '&' && *xml->at != '>';
		for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
			good |= strncmp(xml->at, entities[i], strlen(entities[i])) == 0;
		if (!good || (unsigned char)*xml->at > '~' || ((unsigned char)*xml->at < ' ' && *xml->at != '\n'))
			fail_msg("this is no text: %.40s", xml->at);
	}
}

static void expect_within(double value, double most, const char *what)
{
	if (!(value >= 0 && value <= most))
		fail_msg("%s: %g is not within 0 and %g", what, value, most);
}

/* A coordinate is within the viewBox; so is each of a curve's points. */
static void see_attribute(struct reader *xml, const char *name, size_t len, const char *value)
{
	static const char *const across[] = {"x", "x1", "x2", "cx"}, *const down[] = {"y", "y1", "y2", "cy"};
	char *next;

	if (len == strlen("viewBox") && strncmp(name, "viewBox", len) == 0)
		assert_int_equal(sscanf(value, "0 0 %lf %lf\"", &xml->wide, &xml->high), 2);
	for (size_t i = 0; i < 4; i++) {
		if (strlen(across[i]) == len && strncmp(across[i], name, len) == 0)
			expect_within(strtod(value, NULL), xml->wide, across[i]);
		if (strlen(down[i]) == len && strncmp(down[i], name, len) == 0)
			expect_within(strtod(value, NULL), xml->high, down[i]);
	}
	if (len != strlen("points") || strncmp(name, "points", len) != 0)
		return;
	while (*value != '"') {
		expect_within(strtod(value, &next), xml->wide, "points, x");
		assert_int_equal(*next, ',');
		value = next + 1;
		expect_within(strtod(value, &next), xml->high, "points, y");
		assert_ptr_not_equal(value, next);
		value = next + strspn(next, " ");
	}
}

static void read_attributes(struct reader *xml)
{
	while (isspace((unsigned char)*xml->at)) {
		xml->at += strspn(xml->at, " \n");
		const char *name = xml->at;
		size_t len = name_len(name);
		xml->at += len;
		assert_true(xml->at[0] == '=' && xml->at[1] == '"');
		xml->at += 2;
		const char *value = xml->at;
		read_text(xml, "\"");
		assert_int_equal(*xml->at, '"');
		xml->at++;
		see_attribute(xml, name, len, value);
	}
}

static void read_tag(struct reader *xml)
{
	bool closes = xml->at[1] == '/';
	const char *name = xml->at + 1 + closes;
	size_t len = name_len(name);

	xml->at = name + len;
	if (closes) {
		assert_true(xml->depth > 0);
		assert_memory_equal(xml->open[--xml->depth], name, len);
	} else {
		assert_true(xml->depth < sizeof(xml->open) / sizeof(xml->open[0]));
		xml->texts += len == strlen("text") && strncmp(name, "text", len) == 0;
		xml->open[xml->depth++] = name;
		read_attributes(xml);
		if (*xml->at == '/') {
			xml->at++;
			xml->depth--;
		}
	}
	assert_int_equal(*xml->at, '>');
	xml->at++;
}

static struct reader read_picture(const char *text)
{
	struct reader xml = {.at = text};

	assert_int_equal(*text, '<');
	do {
		read_tag(&xml);
		read_text(&xml, xml.depth > 0 ? "<" : "");
	} while (*xml.at != '\0');
	assert_int_equal(xml.depth, 0);
	return xml;
}

/* Drawn, and looked at. */
static struct reader picture_of(const struct check *check)
{
	(void)forget(NULL);
	FILE *to = open_memstream(&drawn, &drawn_len);
	assert_non_null(to);
	assert_true(draw_svg(to, &found, check));
	assert_int_equal(fclose(to), 0);
	return read_picture(drawn);
}

static void pictures_of_any_number_of_moments(void **state)
{
	static const size_t counts[] = {0, 1, 2, 3, 47, 48, 49, 300, 3000};

	(void)state;
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		begin_drawing();
		struct check *check = line_of(counts[k], 17, 100001);
		struct reader xml = picture_of(check);
		assert_true(xml.texts >= 4 + 2 * check->line.moment_count);
		assert_non_null(strstr(drawn, "https://host.example:8443/late?a=1&amp;b=&lt;2&gt;</text>"));
		assert_true((strstr(drawn, ">1. 0.000 s, client: connects</text>") != NULL) == (counts[k] > 0));
	}
}

static void pictures_of_any_span(void **state)
{
	static const uint32_t spans[] = {0, 1, 2, 999, 3600000, UINT32_MAX / 60};
	static const uint64_t sizes[] = {0, 1, 4095, 4194304, 1ULL << 40, UINT64_MAX / 100};

	(void)state;
	for (size_t s = 0; s < sizeof(spans) / sizeof(spans[0]); s++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			begin_drawing();
			struct reader xml = picture_of(line_of(40, spans[s], sizes[k]));
			assert_true(xml.texts > 80 && xml.texts < 120); /* and no axis of a thousand steps */
			assert_null(strstr(drawn, "nan"));
			assert_null(strstr(drawn, "inf"));
		}
}

/* Moments without a curve, and a curve that ends before them. */
static void moments_beyond_the_curve(void **state)
{
	const struct timeline_point late = {.ms = 90000, .up = 5000000, .down = 6000000};
	struct check *check;

	(void)state;
	begin_drawing();
	check = made(CHECK_ANSWERED, 200);
	timeline_add(&check->line, LINE_CLOSED, 0, &late);
	assert_true(picture_of(check).texts > 4);
	check = line_of(5, 10, 10);
	timeline_add(&check->line, LINE_CLOSED, 0, &late);
	(void)picture_of(check);
	assert_non_null(strstr(drawn, ">6. 90.000 s, server: closes the connection</text>"));
}

/* What moves has its room beside a stall, wherever it begins, and however long it is. */
static void a_stall_is_shaded(void **state)
{
	static const struct {
		uint32_t moves_ms, notes_ms, ends_ms;
	} stalls[] = {
		{0, 0, 0}, {0, 5000, 5000}, {1, 5001, 25000}, {400, 5400, UINT32_MAX}, {3599999, 3600000, 3600000}};

	(void)state;
	for (size_t k = 0; k < sizeof(stalls) / sizeof(stalls[0]); k++) {
		const struct timeline_point moved = {.ms = stalls[k].moves_ms, .up = 222593, .down = 1272};
		struct timeline_point noted = moved, ended = moved;
		begin_drawing();
		struct check *check = made(CHECK_FREEZE, 0);
		noted.ms = stalls[k].notes_ms;
		ended.ms = stalls[k].ends_ms;
		timeline_trace(&check->line, &(struct timeline_point){.ms = 0});
		timeline_trace(&check->line, &moved);
		timeline_add(&check->line, LINE_ASKED, 0, &moved);
		timeline_trace(&check->line, &noted);
		timeline_add(&check->line, LINE_STALL, 0, &noted);
		timeline_trace(&check->line, &ended);
		timeline_add(&check->line, LINE_CLOSED, 0, &ended);
		(void)picture_of(check);
		assert_true((strstr(drawn, "nothing moves") != NULL) == (ended.ms > 1));
		assert_null(strstr(drawn, "width=\"-"));
	}
}

static const char *title_of(const char *target)
{
	static char title[8192];
	size_t len;

	begin_drawing();
	(void)snprintf(found.url.target, sizeof(found.url.target), "%s", target);
	(void)picture_of(line_of(3, 10, 10));
	const char *at = strstr(drawn, ">https://");
	assert_non_null(at);
	len = strcspn(at + 1, "<");
	memcpy(title, at + 1, len);
	title[len] = '\0';
	return title;
}

/* Whatever stands in a URL, it is text; and it stays beside the picture's edge. */
static void a_url_does_not_break_the_picture(void **state)
{
	char target[PROBE_TARGET_MAX + 1];

	(void)state;
	assert_string_equal(title_of("/]]></text></svg>&bogus;\"'<!--"),
			    "https://host.example:8443/]]&gt;&lt;/text&gt;&lt;/svg&gt;&amp;bogus;\"'&lt;!--");
	/* the probe takes no such URL; but then it is no XML, either, and must not be left to that */
	assert_string_equal(title_of("/\033[2J\x7f\xff\xc3\xbc"), "https://host.example:8443/?[2J????");
	memset(target, 'x', sizeof(target) - 1);
	target[0] = '/';
	target[sizeof(target) - 1] = '\0';
	const char *title = title_of(target);
	assert_true(strlen(title) < 100);
	assert_string_equal(title + strlen(title) - 4, "x...");
}

static void a_full_disk_is_reported(void **state)
{
	(void)state;
	for (size_t moments = 0; moments < 100; moments += 33)
		for (int buffered = 0; buffered < 2; buffered++) {
			begin_drawing();
			FILE *full = fopen("/dev/full", "we");
			assert_non_null(full);
			if (!buffered)
				(void)setvbuf(full, NULL, _IONBF, 0);
			assert_false(draw_svg(full, &found, line_of(moments, 10, 10)));
			(void)fclose(full);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_check_that_shows_best),
		cmocka_unit_test(titles),
		cmocka_unit_test(moments_have_words),
		cmocka_unit_test_teardown(arrows_end_below_each_other, forget),
		cmocka_unit_test_teardown(lines_as_they_are, forget),
		cmocka_unit_test_teardown(pictures_of_any_number_of_moments, forget),
		cmocka_unit_test_teardown(pictures_of_any_span, forget),
		cmocka_unit_test_teardown(moments_beyond_the_curve, forget),
		cmocka_unit_test_teardown(a_stall_is_shaded, forget),
		cmocka_unit_test_teardown(a_url_does_not_break_the_picture, forget),
		cmocka_unit_test(a_full_disk_is_reported),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
