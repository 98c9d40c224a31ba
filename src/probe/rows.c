#include "probe/rows.h"

#include <stdio.h>
#include <string.h>

#include "probe/verdict.h"

typedef void row_fn(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX]);

static void say(char value[ROW_VALUE_MAX], const char *text)
{
	(void)snprintf(value, ROW_VALUE_MAX, "%s", text);
}

static void say_outcome(char value[ROW_VALUE_MAX], const struct trial *trial)
{
	char text[VERDICT_OUTCOME_MAX];

	if (trial != NULL)
		say(value, verdict_outcome(find_result(trial), text));
}

/* ---- when, how, for whom ---- */

static void row_spoken(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct trial_result *plain = find_result(version->plain);

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
		[TRIAL_NEVER] = "never",
		[TRIAL_AT_HANDSHAKE] = "at the handshake",
		[TRIAL_AT_PRIMING] = "when primed",
		[TRIAL_AT_HEADERS] = "after the headers",
		[TRIAL_DURING_BODY] = "during the body",
		[TRIAL_AFTER_BODY] = "after the body",
		[TRIAL_AFTER_RESPONSE] = "after the response",
	};

	(void)findings;
	if (find_speaks(version) || find_moment(version) != TRIAL_NEVER)
		say(value, words[find_moment(version)]);
}

static const struct trial_result *asked_result(const struct find_version *version)
{
	const struct trial_result *paused = find_result(version->paused);

	return paused->asked != TRIAL_NEVER ? paused : find_result(version->plain);
}

static void row_means(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	(void)findings;
	if (find_asks_late(version))
		say(value, asked_result(version)->means == THAW_MEANS_POST_HANDSHAKE ? "post-handshake authentication"
										     : "renegotiation");
}

static void row_issuers(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct trial_result *result = asked_result(version);

	(void)findings;
	if (result->asked == TRIAL_NEVER)
		return;
	if (result->issuer_count == 0)
		say(value, "any CA (it names none)");
	else if (result->issuer_count == 1)
		(void)snprintf(value, ROW_VALUE_MAX, "%.120s", result->issuers[0]);
	else
		(void)snprintf(value, ROW_VALUE_MAX, "%.100s, and %zu more", result->issuers[0],
			       result->issuer_count - 1);
}

static void row_answered(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct trial_result *result = asked_result(version);

	(void)findings;
	if (result->asked == TRIAL_NEVER)
		return;
	if (result->given)
		(void)snprintf(value, ROW_VALUE_MAX, "%.150s", result->subject);
	else
		say(value, result->declined ? "no certificate: none was given to the probe" : "nothing yet");
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
	const struct trial_result *result = find_result(version->waits);
	char text[VERDICT_OUTCOME_MAX];

	(void)findings;
	if (version->waits != NULL)
		(void)snprintf(value, ROW_VALUE_MAX, "%s%s", verdict_outcome(result, text),
			       result->outcome != TRIAL_ANSWERED ? ""
			       : result->continued               ? " (the 100 came)"
								 : " (no 100 came)");
}

static void row_eager(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	(void)findings;
	say_outcome(value, version->eager);
}

static void row_primed(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct trial_result *result = find_result(version->primed);
	char text[VERDICT_OUTCOME_MAX], number[VERDICT_NUMBER_MAX];

	(void)findings;
	if (version->primed != NULL)
		(void)snprintf(value, ROW_VALUE_MAX, "%s, with %s bytes%s", verdict_outcome(result, text),
			       verdict_number(trial_script(version->primed)->length, number),
			       result->asked > TRIAL_AT_PRIMING ? " (asked all the same)" : "");
}

static void row_resumed(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct trial_result *result = find_result(version->resumed);
	char text[VERDICT_OUTCOME_MAX];

	(void)findings;
	if (version->resumed == NULL)
		return;
	if (!result->resumed)
		say(value, "not resumed");
	else
		(void)snprintf(value, ROW_VALUE_MAX, "%s, %s", verdict_outcome(result, text),
			       result->asked != TRIAL_NEVER ? "asked again" : "without an ask");
}

static void row_renegotiated(const struct findings *findings, const struct find_version *version,
			     char value[ROW_VALUE_MAX])
{
	(void)findings;
	if (version->renegotiated != NULL)
		say(value, find_result(version->renegotiated)->outcome == TRIAL_RENEGOTIATED
				   ? "let through (a way to keep it busy: RFC 5746 4.5)"
				   : "refused");
}

static void row_withheld(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct trial_result *result = find_result(version->withheld);
	char text[VERDICT_OUTCOME_MAX];

	(void)findings;
	if (version->withheld == NULL)
		return;
	if (result->outcome != TRIAL_WITHHELD)
		say(value, verdict_outcome(result, text));
	else
		(void)snprintf(value, ROW_VALUE_MAX,
			       result->gave_up ? "given up after %.1f s" : "held for %.0f s, or longer",
			       (double)result->held_ms / 1000);
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
	if (!at->found && at->good == findings->max_body)
		(void)snprintf(value, ROW_VALUE_MAX, "%s up to %s bytes", text, good);
	else if (!at->found)
		(void)snprintf(value, ROW_VALUE_MAX, "up to %s bytes pass; of larger ones nothing is known", good);
	else if (at->mixed)
		(void)snprintf(value, ROW_VALUE_MAX, "%s for some from %s bytes on (%s pass)", text,
			       verdict_number(at->bad, bad), good);
	else if (at->good == 0)
		(void)snprintf(value, ROW_VALUE_MAX, "%s from the first byte on", text);
	else
		(void)snprintf(value, ROW_VALUE_MAX, "%s from %s%s bytes on (%s pass)", text, at->exact ? "" : "about ",
			       verdict_number(at->bad, bad), good);
}

static void row_reads(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	say_bodies(findings, &version->bodies[TRIAL_READS], value);
}

static void row_first(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	say_bodies(findings, &version->bodies[TRIAL_WRITES_FIRST], value);
}

static bool has_stalled(const struct trial_result *result)
{
	return result->outcome == TRIAL_FREEZE || result->outcome == TRIAL_SILENCE;
}

static void row_taken(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct trial_result *result = find_result(version->bodies[TRIAL_WRITES_FIRST].largest);
	char taken[VERDICT_NUMBER_MAX], of[VERDICT_NUMBER_MAX];

	if (has_stalled(result))
		(void)snprintf(value, ROW_VALUE_MAX, "%s of %s bytes", verdict_number(result->body_taken, taken),
			       verdict_number(findings->max_body, of));
}

static void row_gave_up(const struct findings *findings, const struct find_version *version, char value[ROW_VALUE_MAX])
{
	const struct trial_result *result = find_result(version->bodies[TRIAL_WRITES_FIRST].largest);

	(void)findings;
	if (has_stalled(result))
		(void)snprintf(value, ROW_VALUE_MAX, result->gave_up ? "after %.1f s" : "not within %.0f s",
			       (double)result->held_ms / 1000);
}

/* ---- the table ---- */

static const struct {
	const char *label;
	row_fn *fill;
} makers[] = {
	{"the version", row_spoken},
	{"a request without a body", row_plain},
	{"asked for a certificate", row_asked},
	{"by", row_means},
	{"of", row_issuers},
	{"answered with", row_answered},
	{"a small body", row_small},
	{"without a certificate", row_anonymous},
	{"without post-handshake auth", row_no_offer},
	{"Expect, waited for", row_waits},
	{"Expect, body at once", row_eager},
	{"primed by HEAD", row_primed},
	{"reading while writing", row_reads},
	{"writing first", row_first},
	{"taken before it stopped", row_taken},
	{"it gives up a stalled body", row_gave_up},
	{"certificate withheld", row_withheld},
	{"session resumed", row_resumed},
	{"client renegotiates", row_renegotiated},
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
	const struct trial_result *http2 = find_result(findings->http2), *browser = find_result(findings->browser);
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
			       "%s, over TLS %s (both offered, post-handshake authentication not)",
			       verdict_outcome(browser, text), browser->version == 13 ? "1.3" : "1.2");
	}
	return count;
}
