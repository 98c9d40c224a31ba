#include "probe/draw.h"

#include <inttypes.h>
#include <string.h>

#include "probe/verdict.h"
#include "tls/observe.h"

/* ---- which one ---- */

static const struct check *first_bad(const struct findings *findings, enum check_outcome outcome, bool any)
{
	for (size_t i = FIND_VERSIONS; i > 0; i--)
		for (size_t style = 0; style < 2; style++) {
			const struct find_bodies *bodies = &findings->versions[i - 1].bodies[style];
			if (bodies->boundary.found && (any || find_result(bodies->first_bad)->outcome == outcome))
				return bodies->first_bad;
		}
	return NULL;
}

/* A large body that froze, from a client that saw the ask: the curve rises and stops. */
static const struct check *largest_frozen(const struct findings *findings)
{
	for (size_t i = FIND_VERSIONS; i > 0; i--) {
		const struct check *largest = findings->versions[i - 1].bodies[CHECK_READS].largest;
		if (find_result(largest)->outcome == CHECK_FREEZE)
			return largest;
	}
	return NULL;
}

const struct check *draw_choose(const struct findings *findings)
{
	const struct check *chosen = largest_frozen(findings);

	if (chosen == NULL)
		chosen = first_bad(findings, CHECK_FREEZE, false);
	for (size_t i = FIND_VERSIONS; i > 0 && chosen == NULL; i--)
		if (find_result(findings->versions[i - 1].waits)->outcome == CHECK_FREEZE)
			chosen = findings->versions[i - 1].waits;
	if (chosen == NULL)
		chosen = first_bad(findings, CHECK_PENDING, true);
	for (size_t i = FIND_VERSIONS; i > 0 && chosen == NULL; i--)
		chosen = findings->versions[i - 1].bodies[CHECK_READS].largest;
	for (size_t i = FIND_VERSIONS; i > 0 && chosen == NULL; i--)
		if (find_speaks(&findings->versions[i - 1]))
			chosen = findings->versions[i - 1].plain;
	for (size_t i = FIND_VERSIONS; i > 0 && chosen == NULL; i--)
		chosen = findings->versions[i - 1].plain;
	return chosen;
}

const char *draw_title(const struct check *check, char text[static DRAW_TITLE_MAX])
{
	const struct check_script *script = check_script(check);
	const struct check_result *result = check_result(check);
	char bytes[VERDICT_NUMBER_MAX];
	const char *over = result->version == 13   ? "TLS 1.3"
			   : result->version == 12 ? "TLS 1.2"
						   : "TLS"; /* there was no handshake */

	if (!script->has_body)
		(void)snprintf(text, DRAW_TITLE_MAX, "%.20s over %s", script->method, over);
	else
		(void)snprintf(text, DRAW_TITLE_MAX, "%.20s with %s byte%s over %s, by %s%s", script->method,
			       verdict_number(script->length, bytes), script->length == 1 ? "" : "s", over,
			       verdict_style(script->style),
			       script->expect == CHECK_WAITS ? " and waits for 100 Continue" : "");
	return text;
}

/* ---- words ---- */

enum draw_side draw_words(const struct timeline_moment *moment, char text[static DRAW_WORDS_MAX])
{
	char number[VERDICT_NUMBER_MAX];
	static const struct {
		const char *words;
		enum draw_side side;
	} rows[] = {
		[LINE_CONNECTED] = {"connects", DRAW_CLIENT},
		[LINE_SECURED] = {"TLS is established", DRAW_BOTH},
		[LINE_PRIME] = {"priming HEAD sent", DRAW_CLIENT},
		[LINE_PRIMED] = {"response to the HEAD", DRAW_SERVER},
		[LINE_HEAD] = {"the request's head", DRAW_CLIENT},
		[LINE_BODY_BEGAN] = {"the body begins", DRAW_CLIENT},
		[LINE_BODY_ENDED] = {"the body is written", DRAW_CLIENT},
		[LINE_HELLO_REQUEST] = {"wants to renegotiate (HelloRequest)", DRAW_SERVER},
		[LINE_ASKED] = {"asks for a certificate", DRAW_SERVER},
		[LINE_GIVEN] = {"its certificate", DRAW_CLIENT},
		[LINE_DECLINED] = {"no certificate (an empty answer)", DRAW_CLIENT},
		[LINE_FINISHED] = {"its part of the exchange is complete", DRAW_CLIENT},
		[LINE_CONTINUE] = {"100 Continue", DRAW_SERVER},
		[LINE_STATUS] = {"response", DRAW_SERVER},
		[LINE_RESPONSE] = {"the response is complete", DRAW_SERVER},
		[LINE_STALL] = {"no progress since here", DRAW_BOTH},
		[LINE_ALERT] = {"alert", DRAW_SERVER},
		[LINE_CLOSED] = {"closes the connection", DRAW_SERVER},
		[LINE_RESET] = {"resets the connection", DRAW_SERVER},
		[LINE_LEFT] = {"leaves", DRAW_CLIENT},
	};
	const char *words = rows[moment->what].words;

	if (moment->what == LINE_STATUS || moment->what == LINE_PRIMED)
		(void)snprintf(text, DRAW_WORDS_MAX, "%s: %" PRIu64, words, moment->value);
	else if (moment->what == LINE_ALERT)
		(void)snprintf(text, DRAW_WORDS_MAX, "alert: %s", tls_alert_name((unsigned)moment->value));
	else if (moment->what == LINE_BODY_ENDED)
		(void)snprintf(text, DRAW_WORDS_MAX, "%s: %s byte%s", words, verdict_number(moment->value, number),
			       moment->value == 1 ? "" : "s");
	else
		(void)snprintf(text, DRAW_WORDS_MAX, "%s", words);
	return rows[moment->what].side;
}

/* ---- text ---- */

#define LANE 48 /* columns between client and server */

static void draw_arrow(FILE *to, const char *words, enum draw_side side)
{
	int left = LANE - 4 - (int)strlen(words);

	if (side == DRAW_CLIENT) {
		(void)fprintf(to, "|-- %s ", words);
		for (int i = 0; i < left - 2; i++)
			(void)fputc('-', to);
		(void)fputs(">|", to);
	} else if (side == DRAW_SERVER) {
		(void)fputs("|<", to);
		for (int i = 0; i < left - 2; i++)
			(void)fputc('-', to);
		(void)fprintf(to, " %s --|", words);
	} else {
		(void)fprintf(to, "|   %s%*s|", words, left > 0 ? left : 0, "");
	}
}

void draw_text(FILE *to, const struct check *check, const char *indent)
{
	const struct timeline *line = check_timeline(check);
	const struct check_result *result = check_result(check);
	char words[DRAW_WORDS_MAX], up[VERDICT_NUMBER_MAX], down[VERDICT_NUMBER_MAX];

	(void)fprintf(to, "%s%8s  %-*s  %s\n", indent, "seconds", LANE + 1,
		      "client                                    server", "bytes of TLS out, in");
	for (size_t i = 0; i < line->moment_count; i++) {
		const struct timeline_moment *moment = &line->moments[i];
		enum draw_side side = draw_words(moment, words);
		if (moment->what == LINE_STALL && result->outcome == CHECK_FREEZE)
			(void)snprintf(words, sizeof(words), "## FROZEN: both sides wait ##");
		(void)fprintf(to, "%s%8.3f  ", indent, (double)moment->ms / 1000);
		draw_arrow(to, words, side);
		(void)fprintf(to, "  %s, %s\n", verdict_number(moment->up, up), verdict_number(moment->down, down));
	}
}
