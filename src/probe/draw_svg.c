/* The timeline as a picture: sent and received bytes over time, the moments as marks, a stall as a shaded area. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "probe/draw.h"
#include "probe/plain.h"
#include "probe/verdict.h"

#define WIDTH     960
#define LEFT      80
#define RIGHT     40
#define TOP       70
#define PLOT      260
#define LABEL     18 /* height of a line of the legend */
#define AXIS_ROOM 44
#define PLOT_WIDE (WIDTH - LEFT - RIGHT)
#define URL_WIDE  84 /* maximum number of characters of the heading */

/* The data to draw, and its scales. */
struct picture {
	FILE *to;
	const struct timeline *line;
	double ms_max, bytes_max;
	double stall_ms; /* start of the stall; ms_max if there is none */
};

/* The active time gets most of the width and a stall the rest, since a long stall would hide everything else. */
#define ACTIVE 0.62

static double x_of(const struct picture *picture, double ms)
{
	double active = picture->stall_ms < picture->ms_max ? ACTIVE * PLOT_WIDE : PLOT_WIDE;

	if (ms <= picture->stall_ms)
		return LEFT + active * ms / picture->stall_ms;
	return LEFT + active + (PLOT_WIDE - active) * (ms - picture->stall_ms) / (picture->ms_max - picture->stall_ms);
}

static double y_of(const struct picture *picture, double bytes)
{
	return TOP + PLOT - PLOT * (picture->bytes_max > 0 ? bytes / picture->bytes_max : 0);
}

/* 1, 2 or 5 times a power of ten, so that there are about `parts` steps. */
static double round_step(double max, double parts)
{
	double raw = max / parts, power = pow(10, floor(log10(raw > 0 ? raw : 1)));
	double digit = raw / power;

	return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static void text_escaped(FILE *to, const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '<':
			(void)fputs("&lt;", to);
			break;
		case '>':
			(void)fputs("&gt;", to);
			break;
		case '&':
			(void)fputs("&amp;", to);
			break;
		default: /* all texts, and URLs, are ASCII */
			(void)fputc(*text >= ' ' && *text <= '~' ? *text : '?', to);
		}
}

static void draw_head(const struct picture *picture, const struct findings *findings, const struct check *check,
		      int height)
{
	char title[DRAW_TITLE_MAX], shown[URL_WIDE + 1];
	const struct probe_url *url = &findings->url;
	char whole[sizeof(url->authority) + sizeof(url->target) + 16];

	(void)snprintf(whole, sizeof(whole), "https://%s%s", url->authority, url->target);
	(void)fprintf(picture->to,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		      "font-family=\"sans-serif\" font-size=\"12\">\n"
		      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
		      "<text x=\"%d\" y=\"26\" font-size=\"17\" font-weight=\"bold\">",
		      WIDTH, height, WIDTH, height, LEFT);
	text_escaped(picture->to, plain_copy(shown, sizeof(shown), URL_WIDE, whole));
	(void)fprintf(picture->to, "</text>\n<text x=\"%d\" y=\"48\" fill=\"#444444\">", LEFT);
	text_escaped(picture->to, draw_title(check, title));
	(void)fputs("</text>\n", picture->to);
}

static void draw_time(const struct picture *picture, double ms)
{
	(void)fprintf(picture->to,
		      "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#e4e4e4\"/>"
		      "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#444444\">%g s</text>\n",
		      x_of(picture, ms), TOP, x_of(picture, ms), TOP + PLOT, x_of(picture, ms), TOP + PLOT + 18,
		      ms / 1000);
}

static void draw_axes(const struct picture *picture)
{
	FILE *to = picture->to;
	double step = round_step(picture->stall_ms, 6);
	const char *unit = picture->bytes_max >= 4194304 ? "MiB" : picture->bytes_max >= 4096 ? "KiB" : "B";
	double scale = unit[0] == 'M' ? 1048576 : unit[0] == 'K' ? 1024 : 1;

	int steps = (int)((picture->stall_ms - step / 2) / step);
	for (int i = 0; i <= steps; i++)
		draw_time(picture, i * step);
	if (picture->stall_ms < picture->ms_max) {
		step = round_step(picture->ms_max - picture->stall_ms, 3);
		for (int i = (int)ceil(picture->stall_ms / step); i * step <= picture->ms_max; i++)
			draw_time(picture, i * step);
	}
	step = round_step(picture->bytes_max / scale, 5);
	for (int i = 0; i * step * scale <= picture->bytes_max; i++)
		(void)fprintf(to,
			      "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>"
			      "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"#444444\">%g %s</text>\n",
			      LEFT, y_of(picture, i * step * scale), WIDTH - RIGHT, y_of(picture, i * step * scale),
			      LEFT - 6, y_of(picture, i * step * scale) + 4, i * step, unit);
}

/* When the bytes stopped, long before the stall was detected. */
static double find_stall(const struct timeline *line, double otherwise)
{
	const struct timeline_moment *stall = timeline_find(line, LINE_STALL);
	uint32_t from = 1;

	if (stall == NULL)
		return otherwise;
	for (const struct timeline_moment *moment = line->moments; moment != stall; moment++)
		from = moment->ms > from ? moment->ms : from;
	for (size_t i = 1; i < line->point_count && line->points[i].ms < stall->ms; i++)
		if (line->points[i].up != line->points[i - 1].up || line->points[i].down != line->points[i - 1].down)
			from = line->points[i].ms > from ? line->points[i].ms : from;
	return from;
}

static void draw_stall(const struct picture *picture)
{
	double from = x_of(picture, picture->stall_ms), to = x_of(picture, picture->ms_max);

	if (picture->stall_ms < picture->ms_max)
		(void)fprintf(picture->to,
			      "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"#f6d5d1\"/>"
			      "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#a02818\" font-size=\"14\" "
			      "font-weight=\"bold\">nothing moves</text>\n",
			      from, TOP, to - from, PLOT, (from + to) / 2, TOP + PLOT / 2);
}

static void draw_curve(const struct picture *picture, bool up, const char *colour)
{
	const struct timeline *line = picture->line;

	(void)fprintf(picture->to, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2.2\" points=\"", colour);
	for (size_t i = 0; i < line->point_count; i++) {
		const struct timeline_point *point = &line->points[i];
		(void)fprintf(picture->to, "%.1f,%.1f ", x_of(picture, point->ms),
			      y_of(picture, (double)(up ? point->up : point->down)));
	}
	(void)fputs("\"/>\n", picture->to);
}

/* Draws a number for each moment; its text is below the plot, since it would not fit. */
static void draw_moments(const struct picture *picture)
{
	const struct timeline *line = picture->line;
	double last = -100;
	int level = 0;

	for (size_t i = 0; i < line->moment_count; i++) {
		const struct timeline_moment *moment = &line->moments[i];
		char words[DRAW_WORDS_MAX];
		enum draw_side side = draw_words(moment, words);
		const char *colour = side == DRAW_SERVER ? "#a02818" : side == DRAW_CLIENT ? "#1e5aa8" : "#666666";
		double x = x_of(picture, moment->ms);
		int y = TOP + PLOT + AXIS_ROOM + (int)(i / 2 + 1) * LABEL;
		level = x - last < 18 ? level + 1 : 0;
		last = x;
		(void)fprintf(picture->to,
			      "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"%s\" stroke-dasharray=\"2 "
			      "3\"/><circle cx=\"%.1f\" cy=\"%d\" r=\"8\" fill=\"%s\"/><text x=\"%.1f\" y=\"%d\" "
			      "text-anchor=\"middle\" font-size=\"10\" fill=\"#ffffff\">%zu</text>\n",
			      x, TOP, x, TOP + PLOT, colour, x, TOP + 10 + level % 13 * 18, colour, x,
			      TOP + 14 + level % 13 * 18, i + 1);
		(void)fprintf(picture->to, "<text x=\"%d\" y=\"%d\" fill=\"%s\">%zu. %.3f s, %s: ",
			      LEFT + (int)(i % 2) * PLOT_WIDE / 2, y, colour, i + 1, (double)moment->ms / 1000,
			      side == DRAW_SERVER   ? "server"
			      : side == DRAW_CLIENT ? "client"
						    : "both");
		text_escaped(picture->to, words);
		(void)fputs("</text>\n", picture->to);
	}
}

static void draw_key(const struct picture *picture)
{
	(void)fprintf(picture->to,
		      "<text x=\"%d\" y=\"62\" text-anchor=\"end\"><tspan fill=\"#1e5aa8\">bytes out, "
		      "acknowledged</tspan>  <tspan fill=\"#2f8f4e\">bytes in</tspan></text>\n",
		      WIDTH - RIGHT);
}

static void reach(struct picture *picture, uint32_t ms, uint64_t up, uint64_t down)
{
	picture->ms_max = fmax(picture->ms_max, ms);
	picture->bytes_max = fmax(picture->bytes_max, (double)(up > down ? up : down));
}

bool draw_svg(FILE *to, const struct findings *findings, const struct check *check)
{
	const struct timeline *line = check_timeline(check);
	struct picture picture = {.to = to, .line = line, .ms_max = 1, .bytes_max = 1};
	int height = TOP + PLOT + AXIS_ROOM + (int)((line->moment_count + 1) / 2 + 1) * LABEL;

	for (size_t i = 0; i < line->point_count; i++)
		reach(&picture, line->points[i].ms, line->points[i].up, line->points[i].down);
	for (size_t i = 0; i < line->moment_count; i++)
		reach(&picture, line->moments[i].ms, line->moments[i].up, line->moments[i].down);
	picture.bytes_max *= 1.05;
	picture.stall_ms = find_stall(line, picture.ms_max);
	draw_head(&picture, findings, check, height);
	draw_stall(&picture);
	draw_axes(&picture);
	draw_curve(&picture, true, "#1e5aa8");
	draw_curve(&picture, false, "#2f8f4e");
	draw_moments(&picture);
	draw_key(&picture);
	(void)fputs("</svg>\n", to);
	return fflush(to) == 0 && ferror(to) == 0;
}
