#include <stdio.h>

#include "probe/cures.h"
#include "probe/draw.h"
#include "probe/plain.h"
#include "probe/report.h"
#include "probe/rows.h"

#define LABEL_WIDE 28

/* ---- the table ---- */

/* Pads a non-empty label to its column, counted in characters, not bytes. */
static void print_row(FILE *to, const char *label, const char *left, size_t wide, const char *right)
{
	(void)fprintf(to, "  %-*s  %s", LABEL_WIDE, label, left);
	if (right[0] != '\0')
		(void)fprintf(to, "%*s  %s", (int)(wide - plain_columns(left)), "", right);
	(void)fputc('\n', to);
}

static void print_rows(FILE *to, const struct findings *findings)
{
	struct row rows[ROWS_MAX];
	size_t count = rows_make(findings, rows), wide = sizeof("TLS 1.2") - 1;
	bool both = findings->wanted[FIND_12] && findings->wanted[FIND_13];
	size_t first = findings->wanted[FIND_12] ? FIND_12 : FIND_13;

	for (size_t k = 0; k < count; k++) {
		size_t columns = plain_columns(rows[k].values[first]);
		wide = columns > wide ? columns : wide;
	}
	(void)fputc('\n', to);
	print_row(to, "", first == FIND_12 ? "TLS 1.2" : "TLS 1.3", wide, both ? "TLS 1.3" : "");
	for (size_t k = 0; k < count; k++)
		print_row(to, rows[k].label, rows[k].values[first], wide, both ? rows[k].values[FIND_13] : "");
}

static void print_general(FILE *to, const struct findings *findings)
{
	struct row rows[ROWS_GENERAL_MAX];
	size_t count = rows_general(findings, rows);

	for (size_t k = 0; k < count; k++)
		(void)fprintf(to, "  %-*s  %s\n", LABEL_WIDE, rows[k].label, rows[k].values[0]);
}

/* ---- what it comes to ---- */

static void print_server(FILE *to, const struct server_guess *server)
{
	if (server->kind == SERVER_UNKNOWN)
		return;
	(void)fprintf(to, "\nserver: %s, recognised by:\n", server_name(server->kind));
	for (size_t k = 0; k < server->count; k++)
		(void)fprintf(to, "  - %s\n", server->evidence[k]);
}

static void print_problems(FILE *to, const struct verdict *verdict)
{
	(void)fprintf(to, "\nverdict: %s\n", verdict->line);
	for (size_t k = 1; k < verdict->count; k++)
		(void)fprintf(to, "  also %s: %s\n", verdict_name(verdict->problems[k].weight),
			      verdict->problems[k].text);
	for (size_t k = 0; k < verdict->note_count; k++)
		(void)fprintf(to, "  note: %s\n", verdict->notes[k].text);
}

static void print_cure(FILE *to, const struct cure *cure)
{
	(void)fprintf(to, "  - %s\n", cure->what);
	for (size_t k = 0; cure->lines[k] != NULL; k++)
		(void)fprintf(to, "      %s\n", cure->lines[k]);
}

static void print_cures(FILE *to, const struct report *report)
{
	struct cure clients[CURES_OF_CLIENT_MAX];
	size_t count = 0, client_count = cures_of_client(report->findings, clients);
	const struct cure *cures = cures_of_server(report->server->kind, &count);

	if (report->verdict->code != PROBE_FREEZES && report->verdict->code != PROBE_LIMITED)
		return;
	(void)fprintf(to, "\ncure, for the operator of the server (docs/cures.md, %s):\n",
		      cures_anchor(report->server->kind));
	for (size_t k = 0; k < count; k++)
		print_cure(to, &cures[k]);
	if (report->server->kind != SERVER_THAW)
		print_cure(to, cures_of_thaw());
	if (client_count > 0)
		(void)fputs("\ncure, on the client's side (docs/cures.md, on-the-clients-side):\n", to);
	for (size_t k = 0; k < client_count; k++)
		print_cure(to, &clients[k]);
}

static void print_timeline(FILE *to, const struct findings *findings)
{
	const struct check *check = draw_choose(findings);
	char title[DRAW_TITLE_MAX];

	if (check == NULL)
		return;
	(void)fprintf(to, "\ntimeline: %s\n", draw_title(check, title));
	draw_text(to, check, "  ");
}

bool report_text(FILE *to, const struct report *report)
{
	const struct findings *findings = report->findings;
	const struct probe_url *url = &findings->url;

	(void)fprintf(to, "thaw probe https://%s%s\n", url->authority, url->target);
	(void)fprintf(to, "  %s; %zu connections, %.1f MiB of bodies sent%s%s, %.1f s%s\n",
		      findings->has_certificate ? "with a client certificate" : "without a certificate (--cert)",
		      findings->connections, (double)findings->uploaded / 1048576,
		      findings->method != NULL ? " by " : "", findings->method != NULL ? findings->method : "",
		      (double)findings->ms / 1000,
		      findings->interrupted   ? "; interrupted"
		      : findings->out_of_time ? "; stopped at its time limit"
		      : findings->lost        ? "; stopped because connections failed"
					      : "");
	print_rows(to, findings);
	print_general(to, findings);
	print_server(to, report->server);
	print_timeline(to, findings);
	print_problems(to, report->verdict);
	print_cures(to, report);
	return fflush(to) == 0 && ferror(to) == 0;
}
