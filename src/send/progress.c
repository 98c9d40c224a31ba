#include "send/progress.h"

#include <stdio.h>
#include <string.h>

#include "send/explain.h"

#define MARK_MS  250  /* the marks reach back 4 s */
#define LINE_MS  5000 /* between plain lines */
#define BAR_MAX  40
#define TEXT_MAX 64 /* columns of what stands beside the bar */

void progress_mark(struct progress *progress, uint64_t sent, uint64_t now_ms)
{
	unsigned last = (progress->count - 1) % PROGRESS_MARKS;

	if (progress->count > 0 && sent < progress->marks[last].sent)
		progress->count = 0; /* it has begun again */
	if (progress->count > 0 && now_ms < progress->marks[last].ms + MARK_MS)
		return;
	progress->marks[progress->count % PROGRESS_MARKS].ms = now_ms;
	progress->marks[progress->count % PROGRESS_MARKS].sent = sent;
	progress->count++;
}

uint64_t progress_rate(const struct progress *progress)
{
	if (progress->count < 2)
		return 0;
	unsigned last = (progress->count - 1) % PROGRESS_MARKS;
	unsigned first = progress->count > PROGRESS_MARKS ? progress->count % PROGRESS_MARKS : 0;
	uint64_t ms = progress->marks[last].ms - progress->marks[first].ms;

	return ms > 0 ? (progress->marks[last].sent - progress->marks[first].sent) * 1000 / ms : 0;
}

/* "0:02 left", "1:03:20 left"; "" where nothing can be said. */
static void time_left(uint64_t rate, uint64_t left, char to[static TEXT_MAX])
{
	to[0] = '\0';
	if (rate == 0 || left == 0)
		return;
	uint64_t seconds = (left + rate - 1) / rate;
	if (seconds >= 3600)
		(void)snprintf(to, TEXT_MAX, "%llu:%02u:%02u left", (unsigned long long)(seconds / 3600),
			       (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	else
		(void)snprintf(to, TEXT_MAX, "%u:%02u left", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

static unsigned percent(uint64_t sent, int64_t total)
{
	if (total <= 0)
		return 100;
	return sent >= (uint64_t)total ? 100 : (unsigned)((double)sent * 100 / (double)total);
}

static void tell(const struct progress *progress, uint64_t sent, int64_t total, const char *between,
		 char to[static PROGRESS_ROOM])
{
	char size[SEND_SIZE_ROOM], of[SEND_SIZE_ROOM], rate[SEND_SIZE_ROOM], left[TEXT_MAX] = "", share[16] = "";
	uint64_t speed = progress_rate(progress);

	if (total >= 0) {
		(void)snprintf(share, sizeof(share), "%u %%%s", percent(sent, total), between);
		time_left(speed, (uint64_t)total > sent ? (uint64_t)total - sent : 0, left);
	}
	(void)snprintf(to, PROGRESS_ROOM, "%s%s%s%s", share, send_size_text(sent, size), total >= 0 ? " of " : "",
		       total >= 0 ? send_size_text((uint64_t)total, of) : "");
	size_t used = strlen(to);
	if (speed > 0)
		(void)snprintf(to + used, PROGRESS_ROOM - used, "%s%s/s%s%s", between, send_size_text(speed, rate),
			       left[0] != '\0' ? between : "", left);
}

void progress_bar(const struct progress *progress, uint64_t sent, int64_t total, unsigned columns,
		  char to[static PROGRESS_ROOM])
{
	unsigned width = columns > TEXT_MAX + 8 ? columns - TEXT_MAX - 4 : 0;
	char text[PROGRESS_ROOM];

	width = width < BAR_MAX ? width : BAR_MAX;
	tell(progress, sent, total, "  ", text);
	if (width == 0 || total < 0) {
		(void)snprintf(to, PROGRESS_ROOM, "%s", text);
		return;
	}
	unsigned full = percent(sent, total) * width / 100;
	to[0] = '[';
	for (unsigned i = 0; i < width; i++)
		to[1 + i] = i < full ? '=' : i == full ? '>' : ' ';
	(void)snprintf(to + 1 + width, PROGRESS_ROOM - 1 - width, "] %.*s", PROGRESS_ROOM - BAR_MAX - 8, text);
}

bool progress_line_due(struct progress *progress, uint64_t now_ms)
{
	bool due = progress->begun && now_ms >= progress->line_ms + LINE_MS;

	if (due || !progress->begun)
		progress->line_ms = now_ms;
	progress->begun = true;
	return due;
}

void progress_line(const struct progress *progress, uint64_t sent, int64_t total, char to[static PROGRESS_ROOM])
{
	tell(progress, sent, total, ", ", to);
}
