#include "cli/send_report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/printable.h"
#include "send/explain.h"
#include "send/progress.h"
#include "send/url.h"

#define COLUMNS_DEFAULT 80
#define ISSUERS_SHOWN   8
#define WAIT_TOLD_MS    1000 /* shorter waits are not reported */

struct send_report {
	bool many, json, quiet;
	bool terminal; /* standard error is a terminal */
	bool shown;    /* standard output is a terminal: control characters of the response are replaced */
	bool drawn;    /* the last line shows the progress bar */
	struct progress progress;
	char *body; /* with json */
	size_t body_len;
	bool body_cut;
	json_t *head; /* with json and --include */
};

/* ---- on the way ---- */

/* File names and the server's text may be invalid UTF-8, which JSON does not allow. */
static json_t *text_json(const char *text)
{
	json_t *whole = json_string(text);
	size_t len = strlen(text);
	char *ascii = whole == NULL ? malloc(len + 1) : NULL;

	for (size_t i = 0; ascii != NULL && i <= len; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	if (ascii != NULL)
		whole = json_string(ascii);
	free(ascii);
	return whole;
}

static void wipe_bar(struct send_report *report)
{
	if (report->drawn)
		(void)fputs("\r\033[K", stderr);
	report->drawn = false;
}

/* Prints part of a line, which may contain text from the server. */
static void say(const char *text)
{
	(void)printable_put(stderr, text, strlen(text), "");
}

static void say_line(const char *prefix, const char *text)
{
	say(prefix);
	say(text);
	(void)fputc('\n', stderr);
}

static void tell_ask(struct send_report *report, const struct send_ask *ask)
{
	wipe_bar(report);
	(void)fprintf(stderr, "the server asks for a client certificate (%s, %s): ", thaw_means_name(ask->means),
		      ask->priming ? "while priming" : "for the upload");
	say(ask->declined ? "no certificate to send" : ask->subject);
	for (size_t i = 0; i < ask->issuer_count && i < ISSUERS_SHOWN; i++) {
		say(i == 0 ? "; issued by: " : " | ");
		say(ask->issuers[i]);
	}
	if (ask->issuer_count > ISSUERS_SHOWN)
		(void)fprintf(stderr, " | and %zu more", ask->issuer_count - ISSUERS_SHOWN);
	(void)fputc('\n', stderr);
}

static void draw(struct send_report *report, const struct send_news *news, uint64_t now_ms)
{
	struct winsize size = {0};
	char text[PROGRESS_ROOM];

	static const char *const waits[] = {
		[SEND_WAITS_PRIMING] = "answer to the HEAD", [SEND_WAITS_RESPONSE] = "response"};
	report->progress.waits = news->waited_ms >= WAIT_TOLD_MS ? waits[news->waits] : NULL;
	report->progress.waited_ms = news->waited_ms;
	progress_mark(&report->progress, news->sent, now_ms);
	if (report->terminal) {
		unsigned columns =
			ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_DEFAULT;
		progress_bar(&report->progress, news->sent, news->total, columns, text);
		(void)fprintf(stderr, "\r%.*s\033[K", (int)columns - 1, text);
		report->drawn = true;
	} else if (progress_line_due(&report->progress, now_ms)) {
		progress_line(&report->progress, news->sent, news->total, text);
		(void)fprintf(stderr, "%s\n", text);
	}
}

static void on_news(void *arg, const struct send_news *news)
{
	struct send_report *report = arg;

	if (report->quiet)
		return;
	switch (news->kind) {
	case SEND_NEWS_ASKED:
		tell_ask(report, news->ask);
		break;
	case SEND_NEWS_NOTE:
		wipe_bar(report);
		say_line("", news->text);
		break;
	case SEND_NEWS_PROGRESS:
		draw(report, news, clock_now_ms());
		break;
	}
	(void)fflush(stderr);
}

static bool on_body(void *arg, const char *bytes, size_t len)
{
	struct send_report *report = arg;

	if (!report->json) {
		wipe_bar(report);
		bool out = report->shown ? printable_put(stdout, bytes, len, "\r\n\t")
					 : fwrite(bytes, 1, len, stdout) == len;
		return out && fflush(stdout) == 0;
	}
	size_t room = SEND_REPORT_BODY_MAX - report->body_len;
	report->body_cut = report->body_cut || len > room;
	len = len < room ? len : room;
	memcpy(report->body + report->body_len, bytes, len);
	report->body_len += len;
	return true;
}

/* To standard output, or to the list for --json. */
static bool on_head(void *arg, const char *line, size_t len)
{
	struct send_report *report = arg;

	if (!report->json)
		return on_body(report, line, len);
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		json_decref(report->head);
		report->head = json_array();
	}
	len -= len >= 2 ? 2 : 0;
	char *text = len > 0 ? strndup(line, len) : NULL;
	bool ok = len == 0 || (text != NULL && json_array_append_new(report->head, text_json(text)) == 0);
	free(text);
	return ok;
}

struct send_report *send_report_new(struct send_options *options, bool many, bool json, bool quiet,
				    struct thaw_error *err)
{
	struct send_report *report = calloc(1, sizeof(*report));

	if (report != NULL && json)
		report->body = malloc(SEND_REPORT_BODY_MAX);
	if (report == NULL || (json && report->body == NULL)) {
		send_report_free(&report);
		*err = (struct thaw_error){.cls = THAW_ERR_RESOURCE, .text = "out of memory"};
		return NULL;
	}
	report->many = many;
	report->json = json;
	report->quiet = quiet;
	report->terminal = isatty(STDERR_FILENO) == 1;
	report->shown = isatty(STDOUT_FILENO) == 1;
	options->tell = on_news;
	options->take = on_body;
	options->take_head = on_head;
	options->arg = report;
	return report;
}

void send_report_free(struct send_report **report)
{
	if (*report != NULL) {
		json_decref((*report)->head);
		free((*report)->body);
	}
	free(*report);
	*report = NULL;
}

/* ---- the outcome ---- */

static const struct {
	const char *name;
	int code;
} causes[] = {
	[SEND_DONE] = {"done", EX_OK},
	[SEND_REFUSED] = {"refused", EX_UNAVAILABLE},
	[SEND_EARLY] = {"early", EX_PROTOCOL},
	[SEND_NO_HOST] = {"unknown-host", EX_NOHOST},
	[SEND_NO_WAY] = {"no-connection", EX_UNAVAILABLE},
	[SEND_NO_TRUST] = {"distrusted", EX_NOPERM},
	[SEND_NO_CERTIFICATE] = {"certificate-refused", EX_NOPERM},
	[SEND_NO_KEY] = {"key-failed", EX_NOINPUT},
	[SEND_NO_TLS] = {"tls", EX_PROTOCOL},
	[SEND_LOST] = {"lost", EX_TEMPFAIL},
	[SEND_STALLED] = {"stalled", EX_TEMPFAIL},
	[SEND_TIMEOUT] = {"timeout", EX_TEMPFAIL},
	[SEND_UNPRIMED] = {"not-primed", EX_UNAVAILABLE},
	[SEND_NO_BODY] = {"file", EX_NOINPUT},
	[SEND_NO_SENSE] = {"usage", EX_USAGE},
	[SEND_NO_OUT] = {"output", EX_IOERR},
	[SEND_NO_ROOM] = {"memory", EX_OSERR},
};

static int code_of(const struct send_result *result)
{
	bool certificate = result->says == SEND_SAYS_NO_CERTIFICATE || result->says == SEND_SAYS_BAD_CERTIFICATE;

	if (result->cause == SEND_REFUSED && (result->status == 401 || result->status == 403 || certificate))
		return EX_NOPERM;
	return causes[result->cause].code;
}

static json_t *asks_json(const struct send_result *result)
{
	json_t *asks = json_array();

	for (size_t i = 0; i < result->ask_count && i < SEND_ASKS_MAX; i++)
		(void)json_array_append_new(
			asks, json_pack("{s:s, s:b, s:b}", "means", thaw_means_name(result->asks[i].means), "priming",
					result->asks[i].priming, "given", !result->asks[i].declined));
	return asks;
}

/* NULL if the body is not text, or not complete. */
static json_t *body_json(const struct send_report *report)
{
	json_t *text = report->body_cut ? NULL : json_stringn(report->body, report->body_len);

	return text != NULL ? text : json_null();
}

/* The URL, without user and password. */
static json_t *url_json(const struct send_options *options, const struct send_result *result)
{
	char *shown =
		options != NULL ? send_url_without_user(result->url[0] != '\0' ? result->url : options->url) : NULL;
	json_t *text = shown != NULL ? text_json(shown) : json_null();

	free(shown);
	return text;
}

static bool print_json(const struct send_report *report, const struct send_options *options,
		       const struct send_result *result, const char *outcome)
{
	size_t flags = (report->many ? JSON_COMPACT : JSON_INDENT(2)) | JSON_ENSURE_ASCII;
	json_t *told = json_pack(
		"{s:i, s:b, s:s, s:i, s:o, s:o, s:o, s:i, s:o, s:I, s:I, s:I, s:I, s:i, s:s?, s:b, s:b, s:i, s:b, s:b, "
		"s:o, s:O?, s:o}",
		"schema", JSON_SCHEMA, "ok", result->cause == SEND_DONE, "outcome", causes[result->cause].name,
		"status", (int)result->status, "text", text_json(outcome), "hint", text_json(result->hint), "location",
		result->location[0] != '\0' ? text_json(result->location) : json_null(), "redirects",
		(int)result->followed, "retry_after",
		result->retry_after_s > 0 ? json_integer((json_int_t)result->retry_after_s) : json_null(), "sent",
		(json_int_t)result->sent, "size", (json_int_t)result->total, "resumed_from",
		(json_int_t)result->resumed_from, "ms", (json_int_t)result->ms, "attempts", (int)result->attempts,
		"tls", result->tls[0] != '\0' ? result->tls : NULL, "primed", result->primed, "reused", result->reused,
		"prime_status", (int)result->prime_status, "expected", result->expected, "continued", result->continued,
		"asks", asks_json(result), "head", report->head, "body", body_json(report));
	bool ok = told != NULL &&
		  json_object_set_new(told, "file",
				      options != NULL && options->file != NULL ? text_json(options->file)
									       : json_null()) == 0 &&
		  json_object_set_new(told, "url", url_json(options, result)) == 0 &&
		  json_dumpf(told, stdout, flags) == 0 && putchar('\n') != EOF && fflush(stdout) == 0;

	json_decref(told);
	return ok;
}

/* Names the upload: always if there are several, else only if it failed. */
static void say_which(const struct send_report *report, const struct send_options *options,
		      const struct send_result *result)
{
	char url[SEND_URL_ROOM];
	bool local = result->cause == SEND_NO_BODY || result->cause == SEND_NO_SENSE || result->cause == SEND_NO_OUT ||
		     result->cause == SEND_NO_ROOM;

	if (options == NULL || (!report->many && (local || result->cause == SEND_DONE)))
		return;
	if (report->many && options->file != NULL) {
		say(options->file);
		say(" to ");
	}
	say(send_url_text(result->url[0] != '\0' ? result->url : options->url, url) ? url : "a long URL");
	say(": ");
}

/* Resets the report for the next upload. */
static void begin_anew(struct send_report *report)
{
	report->progress = (struct progress){.begun = false};
	report->body_len = 0;
	report->body_cut = false;
	json_decref(report->head);
	report->head = NULL;
}

int send_report_end(struct send_report *report, const struct send_options *options, const struct send_result *result)
{
	char outcome[SEND_OUTCOME_ROOM];
	bool done = result->cause == SEND_DONE;

	(void)send_outcome_text(result, outcome);
	wipe_bar(report);
	if (!done || !report->quiet) {
		say(done ? "" : "thaw: error: ");
		say_which(report, options, result);
		say_line("", outcome);
	}
	if (!done && result->hint[0] != '\0')
		say_line("", result->hint);
	bool told = !report->json || print_json(report, options, result, outcome);
	begin_anew(report);
	return told ? code_of(result) : EX_IOERR;
}
