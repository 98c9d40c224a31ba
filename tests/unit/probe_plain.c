/* Text that a server has a hand in, made fit to be shown. */
#include "findings_world.h"

#include <unistd.h>

#include "probe/plain.h"
#include "tls/observe.h"

static void becomes(const char *from, const char *to)
{
	char text[512];

	assert_string_equal(plain_copy(text, sizeof(text), sizeof(text), from), to);
	assert_string_equal(plain_copy(text, sizeof(text), sizeof(text), to), to); /* and stays so */
}

static void what_is_harmless_stays(void **state)
{
	static const char *const texts[] = {"",
					    "CN=One CA,O=Example",
					    "<&>|`\"'\\",
					    "J\xc3\xbcrgen \xe2\x82\xac \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x94\x92",
					    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
					    "e\xcc\x81",
					    "\xc2\xa0",
					    "\xed\x9f\xbf",
					    "\xee\x80\x80",
					    "\xf4\x8f\xbf\xbd"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		becomes(texts[i], texts[i]);
}

static void control_characters_are_removed(void **state)
{
	(void)state;
	becomes("\033[2J\a\b\t\n\r\x7f", "?[2J??????");
	becomes("a\xc2\x9b"
		"31mb\xc2\x80\xc2\x9f",
		"a?31mb??"); /* C1: CSI in one character */
	becomes("\xe2\x80\xae"
		"elif\xe2\x80\xac\xe2\x81\xa6\xd8\x9c",
		"?elif???");                                                                  /* direction */
	becomes("\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xef\xbf\xbe\xf3\xa0\x81\x81", "?????"); /* lines, BOM, tags */
}

/* RFC 3629: overlong, surrogates, beyond the end, stray and missing bytes. */
static void invalid_utf8_is_removed(void **state)
{
	(void)state;
	becomes("Gr\xfc\xdf"
		"e",
		"Gr??e");
	becomes("\xc0\xaf", "??");
	becomes("\xc1\xbf", "??");
	becomes("\xe0\x9f\xbf", "???");
	becomes("\xf0\x8f\xbf\xbf", "????");
	becomes("\xed\xa0\x80", "???");
	becomes("\xf4\x90\x80\x80", "????");
	becomes("\xf8\x88\x80\x80\x80", "?????");
	becomes("\xff\xfe", "??");
	becomes("a\xe2\x82", "a??");
	becomes("\xe2\x82"
		"b",
		"??b");
	becomes("\xf0", "?");
}

static void it_is_cut_between_characters(void **state)
{
	static const char text[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9d\x84\x9e\xe6\x97\xa5"
				   "bcd";
	char whole[sizeof(text)], cut[sizeof(text) + 1];

	(void)state;
	for (size_t room = 4; room <= sizeof(text); room++) {
		memset(cut, 'X', sizeof(cut));
		assert_ptr_equal(plain_copy(cut, room, 100, text), cut);
		assert_int_equal(cut[room], 'X');
		assert_true(strlen(cut) < room);
		assert_string_equal(plain_copy(whole, sizeof(whole), 100, cut), cut); /* it is still whole characters */
		assert_true((strcmp(cut, text) == 0) == (room == sizeof(text)));
		assert_true(room == sizeof(text) || strcmp(cut + strlen(cut) - 3, "...") == 0);
	}
	assert_int_equal(plain_columns(text), 9);
	for (size_t columns = 3; columns < 9; columns++) {
		assert_true(plain_columns(plain_copy(cut, sizeof(cut), columns, text)) <= columns);
		assert_string_equal(cut + strlen(cut) - 3, "...");
	}
	assert_string_equal(plain_copy(cut, sizeof(cut), 9, text), text);
}

static void columns(void **state)
{
	(void)state;
	assert_int_equal(plain_columns(""), 0);
	assert_int_equal(plain_columns("abc"), 3);
	assert_int_equal(plain_columns("J\xc3\xbcrgen"), 6);
	assert_int_equal(plain_columns("e\xcc\x81"), 1);
	assert_int_equal(plain_columns("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_int_equal(plain_columns("\xed\x95\x9c\xf0\x9f\x94\x92"), 4);
}

/* A check keeps so many bytes of a name: it does not end within a character, and tells that it was cut. */
static void a_check_cuts_names_between_characters(void **state)
{
	char name[CHECK_NAME_MAX + 8] = "CN=";
	const char *issuers[TLS_EVENT_ISSUERS_MAX];

	(void)state;
	for (size_t i = 0; i < TLS_EVENT_ISSUERS_MAX; i++)
		issuers[i] = name;
	for (size_t shift = 0; shift < 3; shift++) {
		size_t at = 3 + shift;
		memset(name + 3, 'x', shift);
		for (; at + 3 < sizeof(name); at += 3)
			memcpy(name + at, "\xe2\x82\xac", 4);
		begin(CHECK_NEVER);
		struct check *check = made(CHECK_PENDING, 0);
		check_observer()->on_event(check, &(struct tls_event){.kind = TLS_EVENT_ASKED,
								      .issuer_count = TLS_EVENT_ISSUERS_MAX,
								      .issuers = issuers,
								      .subject = name});
		for (size_t i = 0; i < CHECK_ISSUERS_MAX; i++) {
			becomes(check->result.issuers[i], check->result.issuers[i]);
			assert_non_null(strstr(check->result.issuers[i], "\xe2\x82\xac..."));
		}
		assert_string_equal(check->result.subject, check->result.issuers[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_harmless_stays),
		cmocka_unit_test(control_characters_are_removed),
		cmocka_unit_test(invalid_utf8_is_removed),
		cmocka_unit_test(it_is_cut_between_characters),
		cmocka_unit_test(columns),
		cmocka_unit_test(a_check_cuts_names_between_characters),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
