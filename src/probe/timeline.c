#include "probe/timeline.h"

#include <stdbool.h>

void timeline_add(struct timeline *line, enum timeline_what what, uint64_t value, const struct timeline_point *now)
{
	if (line->moment_count == TIMELINE_MOMENTS_MAX)
		line->moment_count--;
	line->moments[line->moment_count++] =
		(struct timeline_moment){.what = what, .ms = now->ms, .up = now->up, .down = now->down, .value = value};
}

/* Removes every second point, except the last. Later points are spaced like the remaining ones; otherwise only the
 * beginning would lose detail when steps are rare. */
static void thin_out(struct timeline *line)
{
	size_t kept = 0;
	uint32_t span = line->points[line->point_count - 1].ms - line->points[0].ms;

	for (size_t i = 0; i < line->point_count; i++)
		if (i % 2 == 0 || i == line->point_count - 1)
			line->points[kept++] = line->points[i];
	line->point_count = kept;
	line->spacing_ms *= 2;
	if (line->spacing_ms < span / (TIMELINE_POINTS_MAX / 2))
		line->spacing_ms = span / (TIMELINE_POINTS_MAX / 2);
}

/* The last point moves while it is close to the one before, so that the curve always ends at the current time. */
void timeline_trace(struct timeline *line, const struct timeline_point *now)
{
	struct timeline_point *last = line->point_count > 0 ? &line->points[line->point_count - 1] : NULL;
	const struct timeline_point *before = line->point_count > 1 ? last - 1 : NULL;

	if (line->spacing_ms == 0)
		line->spacing_ms = 1;
	if (before != NULL && last->ms - before->ms < line->spacing_ms) {
		*last = *now;
		return;
	}
	if (line->point_count == TIMELINE_POINTS_MAX)
		thin_out(line);
	line->points[line->point_count++] = *now;
}

const struct timeline_moment *timeline_find(const struct timeline *line, enum timeline_what what)
{
	for (size_t i = 0; i < line->moment_count; i++)
		if (line->moments[i].what == what)
			return &line->moments[i];
	return NULL;
}

const char *timeline_name(enum timeline_what what)
{
	static const char *const names[] = {
		[LINE_CONNECTED] = "connected",
		[LINE_SECURED] = "tls-established",
		[LINE_PRIME] = "priming-request-sent",
		[LINE_PRIMED] = "primed",
		[LINE_HEAD] = "head-sent",
		[LINE_BODY_BEGAN] = "body-began",
		[LINE_BODY_ENDED] = "body-sent",
		[LINE_HELLO_REQUEST] = "renegotiation-requested",
		[LINE_ASKED] = "certificate-requested",
		[LINE_GIVEN] = "certificate-sent",
		[LINE_DECLINED] = "empty-certificate-sent",
		[LINE_FINISHED] = "exchange-finished",
		[LINE_CONTINUE] = "continue",
		[LINE_STATUS] = "response-head",
		[LINE_RESPONSE] = "response-complete",
		[LINE_STALL] = "stalled",
		[LINE_ALERT] = "alert",
		[LINE_CLOSED] = "closed",
		[LINE_RESET] = "reset",
		[LINE_LEFT] = "left",
	};
	return (size_t)what < sizeof(names) / sizeof(names[0]) ? names[what] : "unknown";
}
