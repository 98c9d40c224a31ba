#include "probe/probe.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "probe/draw.h"
#include "probe/plan.h"
#include "probe/report.h"

static bool write_svg(const char *file, const struct findings *findings, struct thaw_error *err)
{
	const struct check *check = draw_choose(findings);
	FILE *to = check != NULL ? fopen(file, "we") : NULL;

	if (check == NULL) {
		(void)error_set(err, THAW_ERR_SYSTEM, "%s: no connection to draw", file);
		return false;
	}
	if (to == NULL) {
		(void)error_system(err, errno, "%s", file);
		return false;
	}
	bool ok = draw_svg(to, findings, check);
	ok = fclose(to) == 0 && ok;
	if (!ok)
		(void)error_system(err, errno, "%s", file);
	return ok;
}

static bool write_report(const struct probe_options *options, const struct report *report)
{
	switch (options->form) {
	case PROBE_JSON:
		return report_json(options->out, report);
	case PROBE_MARKDOWN:
		return report_markdown(options->out, report);
	case PROBE_TEXT:
		break;
	}
	return report_text(options->out, report);
}

/* Writes the findings in all requested formats. */
static enum probe_failure tell(const struct probe_options *options, const struct findings *findings,
			       enum probe_verdict *code, struct thaw_error *err)
{
	struct verdict *verdict = malloc(sizeof(*verdict));
	struct server_guess server;
	enum probe_failure failure = PROBE_FINE;

	if (verdict == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return PROBE_SYSTEM;
	}
	server_recognise(findings, &server);
	verdict_make(findings, &server, verdict);
	*code = verdict->code;
	errno = 0;
	if (!write_report(options, &(struct report){findings, verdict, &server})) {
		(void)error_system(err, errno, "cannot write the report");
		failure = PROBE_SYSTEM;
	}
	if (options->svg != NULL && !write_svg(options->svg, findings, err))
		failure = PROBE_SYSTEM;
	free(verdict);
	return failure;
}

enum probe_failure probe_run(const struct probe_options *options, enum probe_verdict *verdict, struct thaw_error *err)
{
	struct findings *findings = calloc(1, sizeof(*findings));
	struct plan *plan = NULL;
	enum probe_failure failure = PROBE_SYSTEM;

	*verdict = PROBE_UNTOLD;
	if (findings == NULL)
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	else if (probe_url_parse(&findings->url, options->url, err) != THAW_OK)
		failure = PROBE_BAD_USAGE;
	else
		plan = plan_new(options, findings, err);
	if (plan != NULL)
		failure = plan_run(plan, err);
	if (failure == PROBE_FINE)
		failure = tell(options, findings, verdict, err);
	plan_free(&plan);
	free(findings);
	return failure;
}
