#include <stdio.h>
#include <string.h>

#include "probe/cures.h"
#include "probe/draw.h"
#include "probe/report.h"
#include "probe/rows.h"

/* Escapes with a backslash what has a meaning in Markdown (CommonMark 2.4): cell, tag, entity, code span, link. */
static void escaped(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("\\|<>&`[]*~", *text) != NULL)
			(void)fputc('\\', to);
		(void)fputc(*text, to);
	}
}

static void cell(FILE *to, const char *text)
{
	(void)fputs("| ", to);
	escaped(to, text);
	(void)fputc(' ', to);
}

/* There are no escapes between angle brackets: characters that would end the link are percent-encoded (RFC 3986
 * 2.1). */
static void link_to(FILE *to, const struct probe_url *url)
{
	(void)fprintf(to, "<https://%s", url->authority);
	for (const char *at = url->target; *at != '\0'; at++)
		if (*at == '<' || *at == '>')
			(void)fputs(*at == '<' ? "%3C" : "%3E", to);
		else
			(void)fputc(*at, to);
	(void)fputc('>', to);
}

static void table(FILE *to, const struct findings *findings)
{
	struct row rows[ROWS_MAX], general[ROWS_GENERAL_MAX];
	size_t count = rows_make(findings, rows), more = rows_general(findings, general);

	(void)fputs("| | TLS 1.2 | TLS 1.3 |\n|---|---|---|\n", to);
	for (size_t k = 0; k < count; k++) {
		cell(to, rows[k].label);
		cell(to, rows[k].values[FIND_12]);
		cell(to, rows[k].values[FIND_13]);
		(void)fputs("|\n", to);
	}
	for (size_t k = 0; k < more; k++)
		(void)fprintf(to, "\n%s: %s\n", general[k].label, general[k].values[0]);
}

static void cure(FILE *to, const struct cure *one)
{
	(void)fprintf(to, "- %s\n\n  ```\n", one->what);
	for (size_t k = 0; one->lines[k] != NULL; k++)
		(void)fprintf(to, "  %s\n", one->lines[k]);
	(void)fputs("  ```\n", to);
}

static void cures(FILE *to, const struct report *report)
{
	struct cure clients[CURES_OF_CLIENT_MAX];
	size_t count = 0, client_count = cures_of_client(report->findings, clients);
	const struct cure *of_server = cures_of_server(report->server->kind, &count);

	if (report->verdict->code != PROBE_FREEZES && report->verdict->code != PROBE_LIMITED)
		return;
	(void)fprintf(to, "\n## Cure, for the operator of the server (%s)\n\n", server_name(report->server->kind));
	for (size_t k = 0; k < count; k++)
		cure(to, &of_server[k]);
	if (report->server->kind != SERVER_THAW)
		cure(to, cures_of_thaw());
	if (client_count > 0)
		(void)fputs("\n## Cure, on the client's side\n\n", to);
	for (size_t k = 0; k < client_count; k++)
		cure(to, &clients[k]);
}

bool report_markdown(FILE *to, const struct report *report)
{
	const struct findings *findings = report->findings;
	const struct verdict *verdict = report->verdict;
	const struct check *check = draw_choose(findings);
	char title[DRAW_TITLE_MAX];

	(void)fputs("# thaw probe ", to);
	link_to(to, &findings->url);
	(void)fprintf(to, "\n\n**%s**\n\n", verdict->line);
	for (size_t k = 1; k < verdict->count; k++)
		(void)fprintf(to, "- %s: %s\n", verdict_name(verdict->problems[k].weight), verdict->problems[k].text);
	for (size_t k = 0; k < verdict->note_count; k++)
		(void)fprintf(to, "- note: %s\n", verdict->notes[k].text);
	(void)fputs("\n## Found\n\n", to);
	table(to, findings);
	if (report->server->kind != SERVER_UNKNOWN)
		(void)fprintf(to, "\n## Server: %s\n\n", server_name(report->server->kind));
	for (size_t k = 0; k < report->server->count; k++)
		(void)fprintf(to, "- %s\n", report->server->evidence[k]);
	if (check != NULL) {
		(void)fputs("\n## Timeline: ", to);
		escaped(to, draw_title(check, title));
		(void)fputs("\n\n```\n", to);
		draw_text(to, check, "");
		(void)fputs("```\n", to);
	}
	cures(to, report);
	return fflush(to) == 0 && ferror(to) == 0;
}
