/* The names are stable; docs/PROBE.md describes them. */
#include <jansson.h>
#include <stdio.h>

#include "base/json_schema.h"
#include "probe/cures.h"
#include "probe/draw.h"
#include "probe/plain.h"
#include "probe/report.h"
#include "tls/observe.h"

#define TEXT_MAX 256 /* text from a server is not longer */

/* If a value is NULL or cannot be appended, *array becomes NULL, and the whole report fails. */
static void append(json_t **array, json_t *value)
{
	if (json_array_append_new(*array, value) == 0)
		return;
	json_decref(*array);
	*array = NULL;
}

/* JSON must be UTF-8 (RFC 8259 8.1), whatever a server sends. */
static json_t *text(const char *from)
{
	char plain[TEXT_MAX];
	return json_string(plain_copy(plain, sizeof(plain), sizeof(plain), from));
}

/* ---- checks ---- */

static json_t *text_or_null(const char *from)
{
	return from[0] != '\0' ? text(from) : json_null();
}

static json_t *number_or_null(uint64_t number)
{
	return number != 0 ? json_integer((json_int_t)number) : json_null();
}

static json_t *issuers(const struct check_result *result)
{
	json_t *names = json_array();

	for (size_t i = 0; i < result->issuer_count && i < CHECK_ISSUERS_MAX; i++)
		append(&names, text(result->issuers[i]));
	return names;
}

static json_t *asked(const struct check_result *result)
{
	if (result->asked == CHECK_NEVER)
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:s, s:b}", "moment", check_moment_name(result->asked), "means",
			 thaw_means_name(result->means), "issuers", issuers(result), "answer",
			 result->given      ? "certificate"
			 : result->declined ? "none"
					    : "not-yet",
			 "unread_when_stalled", result->unread_ask);
}

static json_t *check(const struct check *one)
{
	const struct check_script *script;
	const struct check_result *result;

	if (one == NULL)
		return json_null();
	script = check_script(one);
	result = check_result(one);
	return json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:b, s:o, s:I, s:I, s:b, s:b, s:I, s:b, s:I, s:o, s:o, s:o}",
			 "outcome", check_outcome_name(result->outcome), "method", script->method, "body",
			 (json_int_t)script->length, "style",
			 script->style == CHECK_READS ? "reads-while-writing" : "writes-first", "status",
			 number_or_null(result->status), "alert",
			 result->alert != 0 ? json_string(tls_alert_name(result->alert)) : json_null(), "resumed",
			 result->resumed, "asked", asked(result), "body_sent", (json_int_t)result->body_out,
			 "body_taken", (json_int_t)result->body_taken, "continued", result->continued, "gave_up",
			 result->gave_up, "held_ms", (json_int_t)result->held_ms, "answered_late",
			 result->answered_late, "ms", (json_int_t)result->ms, "server", text_or_null(result->server),
			 "location", text_or_null(result->location), "detail", text_or_null(result->detail));
}

/* ---- bodies ---- */

static json_t *bodies(const struct find_bodies *found)
{
	json_t *tried = json_array();

	if (!found->began) {
		json_decref(tried);
		return json_null();
	}
	for (size_t k = 0; k < found->count; k++)
		append(&tried, check(found->checks[k]));
	const struct sizes_boundary *at = &found->boundary;
	return json_pack("{s:b, s:b, s:b, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "changes", at->found, "exact", at->exact,
			 "mixed", at->mixed, "last_good", (json_int_t)at->good, "first_bad",
			 at->found ? json_integer((json_int_t)at->bad) : json_null(), "outcome",
			 at->found ? check(found->first_bad) : json_null(), "primed", check(found->control), "frozen",
			 check(found->frozen), "slow_from", number_or_null(found->slow_from), "tried", tried);
}

static json_t *version(const struct find_version *found)
{
	if (found->plain == NULL)
		return json_null();
	return json_pack("{s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "spoken",
			 find_speaks(found), "asked", check_moment_name(find_moment(found)), "no_body",
			 check(found->plain), "small_body", check(found->paused), "no_certificate",
			 check(found->anonymous), "no_post_handshake_auth", check(found->no_offer), "expect_waits",
			 check(found->waits), "expect_eager", check(found->eager), "primed", check(found->primed),
			 "resumed", check(found->resumed), "client_renegotiates", check(found->renegotiated),
			 "withheld", check(found->withheld), "reads_while_writing", bodies(&found->bodies[CHECK_READS]),
			 "writes_first", bodies(&found->bodies[CHECK_WRITES_FIRST]), "small_body_again",
			 check(found->again));
}

/* ---- the rest ---- */

static json_t *timeline(const struct findings *findings)
{
	const struct check *one = draw_choose(findings);
	char title[DRAW_TITLE_MAX];

	if (one == NULL)
		return json_null();
	const struct timeline *line = check_timeline(one);
	json_t *moments = json_array();
	for (size_t i = 0; i < line->moment_count; i++) {
		const struct timeline_moment *moment = &line->moments[i];
		append(&moments, json_pack("{s:I, s:s, s:I, s:I, s:I}", "ms", (json_int_t)moment->ms, "what",
					   timeline_name(moment->what), "bytes_out", (json_int_t)moment->up, "bytes_in",
					   (json_int_t)moment->down, "value", (json_int_t)moment->value));
	}
	return json_pack("{s:s, s:o}", "of", draw_title(one, title), "moments", moments);
}

static json_t *problems(const struct verdict *verdict)
{
	json_t *all = json_array();

	for (size_t k = 0; k < verdict->count; k++)
		append(&all, json_pack("{s:s, s:s}", "verdict", verdict_name(verdict->problems[k].weight), "text",
				       verdict->problems[k].text));
	return all;
}

static json_t *notes(const struct verdict *verdict)
{
	json_t *all = json_array();

	for (size_t k = 0; k < verdict->note_count; k++)
		append(&all, json_string(verdict->notes[k].text));
	return all;
}

static json_t *repeated(const struct findings *findings)
{
	json_t *all = json_array();

	for (size_t k = 0; k < findings->claim_count; k++)
		append(&all, json_pack("{s:o, s:o}", "first", check(findings->claims[k].first), "second",
				       check(findings->claims[k].second)));
	return all;
}

static json_t *cure(const struct cure *one)
{
	json_t *lines = json_array();

	for (size_t k = 0; one->lines[k] != NULL; k++)
		append(&lines, json_string(one->lines[k]));
	return json_pack("{s:s, s:o}", "what", one->what, "lines", lines);
}

static json_t *cures(const struct report *report)
{
	struct cure clients[CURES_OF_CLIENT_MAX];
	size_t count = 0, client_count = cures_of_client(report->findings, clients);
	const struct cure *of_server = cures_of_server(report->server->kind, &count);
	json_t *server = json_array(), *client = json_array();
	bool needed = report->verdict->code == PROBE_FREEZES || report->verdict->code == PROBE_LIMITED;

	for (size_t k = 0; needed && k < count; k++)
		append(&server, cure(&of_server[k]));
	if (needed && report->server->kind != SERVER_THAW)
		append(&server, cure(cures_of_thaw()));
	for (size_t k = 0; needed && k < client_count; k++)
		append(&client, cure(&clients[k]));
	return json_pack("{s:o, s:o, s:s}", "server", server, "client", client, "section",
			 cures_anchor(report->server->kind));
}

static json_t *recognised(const struct server_guess *server)
{
	json_t *evidence = json_array();

	for (size_t k = 0; k < server->count; k++)
		append(&evidence, json_string(server->evidence[k]));
	return json_pack("{s:o, s:o}", "name",
			 server->kind == SERVER_UNKNOWN ? json_null() : json_string(server_name(server->kind)),
			 "evidence", evidence);
}

bool report_json(FILE *to, const struct report *report)
{
	const struct findings *found = report->findings;
	char url[sizeof(found->url.authority) + sizeof(found->url.target) + 16];

	(void)snprintf(url, sizeof(url), "https://%s%s", found->url.authority, found->url.target);
	json_t *all = json_pack(
		"{s:i, s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:I, s:I, s:I}",
		"schema", JSON_SCHEMA, "url", url, "verdict", verdict_name(report->verdict->code), "code",
		(int)report->verdict->code, "line", report->verdict->line, "problems", problems(report->verdict),
		"notes", notes(report->verdict), "repeated", repeated(found), "server", recognised(report->server),
		"cures", cures(report), "tls12", version(&found->versions[FIND_12]), "tls13",
		version(&found->versions[FIND_13]), "as_browsers", check(found->browser), "http2", check(found->http2),
		"timeline", timeline(found), "certificate", found->has_certificate, "interrupted",
		found->interrupted || found->out_of_time || found->lost, "connections", (json_int_t)found->connections,
		"body_bytes", (json_int_t)found->uploaded, "ms", (json_int_t)found->ms);
	if (all == NULL)
		return false;
	bool ok = json_dumpf(all, to, JSON_INDENT(2)) == 0 && fputc('\n', to) != EOF && fflush(to) == 0;
	json_decref(all);
	return ok;
}
