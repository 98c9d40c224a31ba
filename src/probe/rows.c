#include "probe/rows.h"

#include <stdio.h>
#include <string.h>

#include "probe/plain.h"
#include "probe/verdict.h"

#define NAME_WIDE   120 /* maximum columns of a name */
#define WATCHED_MAX 24
#define ISSUER_MAX  150 /* maximum bytes of one issuer, so that ", and 12 more" fits */

typedef void row_fn(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX]);

static void say(char value[ROW_VALUE_MAX], const char *text)
{
	(void)snprintf(value, ROW_VALUE_MAX, "%s", text);
}

static void say_outcome(char value[ROW_VALUE_MAX], const struct check *check)
{
	char text[VERDICT_OUTCOME_MAX];

	if (check != NULL)
		say(value, verdict_outcome(find_result(check), text));
}

/* ---- when, how, for whom ---- */

static void row_spoken(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check_result *plain = find_result(version->plain);

	(void)findings;
	if (version->plain != NULL && plain->version == 0)
		say_outcome(value, version->plain);
	else if (version->plain != NULL)
		say(value, "spoken");
}

static void row_plain(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	(void)findings;
	if (find_result(version->plain)->version != 0)
		say_outcome(value, version->plain);
}

static void row_asked(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	static const char *const words[] = {
		[CHECK_NEVER] = "never",
		[CHECK_AT_HANDSHAKE] = "at the handshake",
		[CHECK_AT_PRIMING] = "when primed",
		[CHECK_AT_HEADERS] = "after the headers",
		[CHECK_DURING_BODY] = "during the body",
		[CHECK_AFTER_BODY] = "after the body",
		[CHECK_AFTER_RESPONSE] = "after the response",
	};

	(void)findings;
	if (find_moment(version) != CHECK_NEVER)
		say(value, words[find_moment(version)]);
	else if (find_speaks(version))
		say(value, find_result(version->paused)->outcome == CHECK_PENDING ? "not for a request without a body"
										  : words[CHECK_NEVER]);
}

/* NULL: none. */
static const struct check *asked_check(const struct find_version *version)
{
	return find_result(version->paused)->asked != CHECK_NEVER ? version->paused : version->plain;
}

static void row_means(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	(void)findings;
	if (find_asks_late(version))
		say(value, find_result(asked_check(version))->means == THAW_MEANS_POST_HANDSHAKE
				   ? "post-handshake authentication"
				   : "renegotiation");
}

static void row_issuers(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check *check = asked_check(version);
	const struct check_result *result = find_result(check);
	const char *first = result->issuers[0][0] != '\0' ? result->issuers[0] : "a CA without a name";
	char name[ISSUER_MAX];

	(void)findings;
	/* A HelloRequest alone does not show the accepted CAs. */
	if (result->asked == CHECK_NEVER || timeline_find(check_timeline(check), LINE_ASKED) == NULL)
		return;
	if (result->issuer_count == 0)
		say(value, "any CA (the server names none)");
	else if (result->issuer_count == 1)
		(void)plain_copy(value, ROW_VALUE_MAX, NAME_WIDE, first);
	else
		(void)snprintf(value, ROW_VALUE_MAX, "%s, and %zu more",
			       plain_copy(name, sizeof(name), NAME_WIDE - 20, first), result->issuer_count - 1);
}

static void row_answered(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check_result *result = find_result(asked_check(version));

	if (result->asked == CHECK_NEVER)
		return;
	if (result->given && result->subject[0] == '\0')
		say(value, "a certificate without a subject");
	else if (result->given)
		(void)plain_copy(value, ROW_VALUE_MAX, NAME_WIDE, result->subject);
	else if (!result->declined)
		say(value, "no response yet");
	else
		say(value, findings->has_certificate
				   ? "no certificate: the server accepts no signature algorithm of its key"
				   : "no certificate: none was configured");
}

/* ---- kinds of clients ---- */

static void row_small(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	(void)findings;
	say_outcome(value, version->paused);
}

static void row_anonymous(const struct findings *findings, const struct find_version *version,
			  char value[ROW_VALUE_MAX])
{
	(void)findings;
	say_outcome(value, version->anonymous);
}

static void row_no_offer(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	(void)findings;
	say_outcome(value, version->no_offer);
}

static void row_waits(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check_result *result = find_result(version->waits);
	char text[VERDICT_OUTCOME_MAX];

	(void)findings;
	if (version->waits != NULL)
		(void)snprintf(value, ROW_VALUE_MAX, "%s%s", verdict_outcome(result, text),
			       result->outcome != CHECK_ANSWERED ? ""
			       : result->continued               ? " (100 received)"
								 : " (no 100 received)");
}

static void row_eager(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	(void)findings;
	say_outcome(value, version->eager);
}

static void row_primed(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check_result *result = find_result(version->primed);
	char text[VERDICT_OUTCOME_MAX], number[VERDICT_NUMBER_MAX];

	(void)findings;
	if (version->primed == NULL)
		return;
	if (result->outcome != CHECK_ANSWERED && result->body_out == 0)
		say_outcome(value, version->primed); /* the body was not reached */
	else
		(void)snprintf(value, ROW_VALUE_MAX, "%s, with %s byte%s%s", verdict_outcome(result, text),
			       verdict_number(check_script(version->primed)->length, number),
			       check_script(version->primed)->length == 1 ? "" : "s",
			       result->asked > CHECK_AT_PRIMING ? " (asked anyway)" : "");
}

static void row_resumed(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check_result *result = find_result(version->resumed);
	char text[VERDICT_OUTCOME_MAX];

	(void)findings;
	if (version->resumed == NULL)
		return;
	if (result->version == 0)
		say_outcome(value, version->resumed);
	else if (!result->resumed)
		say(value, "not resumed");
	else
		(void)snprintf(value, ROW_VALUE_MAX, "%s, %s", verdict_outcome(result, text),
			       result->asked != CHECK_NEVER ? "asked again" : "without an ask");
}

static void row_renegotiated(const struct findings *findings, const struct find_version *version,
			     char value[ROW_VALUE_MAX])
{
	const struct check_result *result = find_result(version->renegotiated);

	(void)findings;
	if (result->outcome == CHECK_RENEGOTIATED)
		say(value, "allowed (can be used to overload it: RFC 5746 4.5)");
	else if (result->outcome == CHECK_NOT_RENEGOTIATED)
		say(value, "refused");
	else
		say_outcome(value, version->renegotiated);
}

/* How long a stalled connection was watched, in seconds. */
static const char *watched(const struct check *check, char text[WATCHED_MAX])
{
	/* with --hold 0s only for as long as a stall takes */
	uint32_t held_ms = find_result(check)->held_ms, stall_ms = check_script(check)->stall_ms;
	double seconds = (double)(held_ms > 0 ? held_ms : stall_ms) / 1000;

	(void)snprintf(text, WATCHED_MAX, "%.*f", seconds < 1 ? 1 : 0, seconds);
	return text;
}

static void row_withheld(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check_result *result = find_result(version->withheld);
	char text[WATCHED_MAX];

	(void)findings;
	if (result->outcome != CHECK_WITHHELD)
		say_outcome(value, version->withheld);
	else if (result->gave_up)
		(void)snprintf(value, ROW_VALUE_MAX, "closed after %.1f s", (double)result->held_ms / 1000);
	else
		(void)snprintf(value, ROW_VALUE_MAX, "kept for %s s or longer", watched(version->withheld, text));
}

/* ---- bodies ---- */

static void say_bodies(const struct findings *findings, const struct find_bodies *bodies, char value[ROW_VALUE_MAX])
{
	const struct sizes_boundary *at = &bodies->boundary;
	char good[VERDICT_NUMBER_MAX], bad[VERDICT_NUMBER_MAX], text[VERDICT_OUTCOME_MAX];

	if (!bodies->began)
		return;
	(void)verdict_outcome(find_result(at->found ? bodies->first_bad : bodies->largest), text);
	(void)verdict_number(at->good, good);
	(void)verdict_number(at->bad, bad);
	const char *plural = at->bad == 1 ? "" : "s";
	if (!at->found && at->good == findings->max_body)
		(void)snprintf(value, ROW_VALUE_MAX, "%s up to %s bytes", text, good);
	else if (!at->found)
		(void)snprintf(value, ROW_VALUE_MAX, "up to %s bytes pass; larger ones unknown", good);
	else if (at->mixed && at->good == 0)
		(void)snprintf(value, ROW_VALUE_MAX, "%s for some, from %s byte%s up", text, bad, plural);
	else if (at->mixed)
		(void)snprintf(value, ROW_VALUE_MAX, "%s for some, from %s bytes up (%s pass)", text, bad, good);
	else if (at->bad == 1)
		(void)snprintf(value, ROW_VALUE_MAX, "%s from the first byte on", text);
	else if (at->good == 0)
		(void)snprintf(value, ROW_VALUE_MAX, "%s from %s bytes up; smaller ones unknown", text, bad);
	else
		(void)snprintf(value, ROW_VALUE_MAX, "%s from %s%s bytes up (%s pass)", text, at->exact ? "" : "about ",
			       bad, good);
}

static void row_reads(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	say_bodies(findings, &version->bodies[CHECK_READS], value);
}

static void row_first(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	say_bodies(findings, &version->bodies[CHECK_WRITES_FIRST], value);
}

static bool has_stalled(const struct check_result *result)
{
	return result->outcome == CHECK_FREEZE || result->outcome == CHECK_SILENCE;
}

static void row_taken(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check_result *result = find_result(version->bodies[CHECK_WRITES_FIRST].largest);
	char taken[VERDICT_NUMBER_MAX], of[VERDICT_NUMBER_MAX];

	if (has_stalled(result))
		(void)snprintf(value, ROW_VALUE_MAX, "%s of %s bytes", verdict_number(result->body_taken, taken),
			       verdict_number(findings->max_body, of));
}

static void row_gave_up(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct check *largest = version->bodies[CHECK_WRITES_FIRST].largest;
	const struct check_result *result = find_result(largest);
	char text[WATCHED_MAX];

	(void)findings;
	if (!has_stalled(result))
		return;
	if (result->gave_up)
		(void)snprintf(value, ROW_VALUE_MAX, "after %.1f s", (double)result->held_ms / 1000);
	else
		(void)snprintf(value, ROW_VALUE_MAX, "not within %s s", watched(largest, text));
}

/* ---- the table ---- */

static const struct {
	const char *label;
	row_fn *fill;
} makers[] = {
	{"the version", row_spoken},
	{"a request without a body", row_plain},
	{"asks for a certificate", row_asked},
	{"by", row_means},
	{"of", row_issuers},
	{"response", row_answered},
	{"a small body", row_small},
	{"without a certificate", row_anonymous},
	{"without post-handshake auth", row_no_offer},
	{"Expect, waiting for 100", row_waits},
	{"Expect, not waiting", row_eager},
	{"primed by HEAD", row_primed},
	{"reading while writing", row_reads},
	{"writing before reading", row_first},
	{"read before it stopped", row_taken},
	{"closes a stalled upload", row_gave_up},
	{"certificate not sent", row_withheld},
	{"session resumed", row_resumed},
	{"renegotiation by client", row_renegotiated},
};

size_t rows_make(const struct findings *findings, struct row rows[static ROWS_MAX])
{
	size_t count = 0;

	for (size_t k = 0; k < sizeof(makers) / sizeof(makers[0]) && count < ROWS_MAX; k++) {
		struct row *row = &rows[count];
		memset(row, 0, sizeof(*row));
		row->label = makers[k].label;
		for (size_t i = 0; i < FIND_VERSIONS; i++)
			if (findings->wanted[i])
				makers[k].fill(findings, &findings->versions[i], row->values[i]);
		count += row->values[FIND_12][0] != '\0' || row->values[FIND_13][0] != '\0';
	}
	return count;
}

size_t rows_general(const struct findings *findings, struct row rows[static ROWS_GENERAL_MAX])
{
	const struct check_result *http2 = find_result(findings->http2), *browser = find_result(findings->browser);
	char text[VERDICT_OUTCOME_MAX];
	size_t count = 0;

	memset(rows, 0, sizeof(*rows) * ROWS_GENERAL_MAX);
	if (findings->http2 != NULL) {
		rows[count].label = "HTTP/2 offered";
		say(rows[count++].values[0], verdict_outcome(http2, text));
	}
	if (findings->browser != NULL) {
		rows[count].label = "as browsers do";
		(void)snprintf(rows[count++].values[0], ROW_VALUE_MAX,
			       "%s%s (TLS 1.2 and 1.3, without post-handshake authentication)",
			       verdict_outcome(browser, text),
			       browser->version == 13   ? ", over TLS 1.3"
			       : browser->version == 12 ? ", over TLS 1.2"
							: "");
	}
	return count;
}
