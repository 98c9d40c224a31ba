#include "send/progress.h"

#include <stdio.h>
#include <string.h>

#include "send/explain.h"

#define MARK_MS  250  /* 16 marks cover 4 s */
#define LINE_MS  5000 /* interval of plain lines */
#define BAR_MAX  40
#define TEXT_MAX 64 /* columns for the text beside the bar */

void progress_mark(struct progress *progress, uint64_t sent, uint64_t now_ms)
{
	unsigned last = (progress->count - 1) % PROGRESS_MARKS;

	if (progress->count > 0 && sent < progress->marks[last].sent)
		progress->count = 0; /* the upload was restarted */
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

/* "0:02 left", "1:03:20 left"; "" if unknown. */
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

/* How many details are printed; a narrow terminal has room for few. */
enum detail { DETAIL_SHARE, DETAIL_LEFT, DETAIL_RATE, DETAIL_ALL };

struct words {
	const char *between;
	char *to;
	size_t used;
};

static void add(struct words *words, const char *text)
{
	if (text[0] != '\0')
		words->used += (size_t)snprintf(words->to + words->used, PROGRESS_ROOM - words->used, "%s%s",
						words->used > 0 ? words->between : "", text);
}

static const char *size_text(uint64_t sent, int64_t total, char to[static TEXT_MAX])
{
	char size[SEND_SIZE_ROOM], of[SEND_SIZE_ROOM];

	if (total < 0)
		return send_size_text(sent, to);
	(void)snprintf(to, TEXT_MAX, "%s of %s", send_size_text(sent, size), send_size_text((uint64_t)total, of));
	return to;
}

static const char *wait_text(const struct progress *progress, char to[static TEXT_MAX])
{
	uint64_t seconds = progress->waited_ms / 1000;

	(void)snprintf(to, TEXT_MAX, "waiting for the %.18s: %llu:%02u", progress->waits,
		       (unsigned long long)(seconds / 60), (unsigned)(seconds % 60));
	return to;
}

static const char *rate_text(uint64_t rate, char to[static TEXT_MAX])
{
	char size[SEND_SIZE_ROOM];

	to[0] = '\0';
	if (rate > 0)
		(void)snprintf(to, TEXT_MAX, "%s/s", send_size_text(rate, size));
	return to;
}

/* Each further detail is added at the start or the end of the line, so that leaving it out makes no gap. */
static size_t tell(const struct progress *progress, uint64_t sent, int64_t total, const char *between,
		   enum detail detail, char to[static PROGRESS_ROOM])
{
	struct words words = {.between = between, .to = to};
	uint64_t rate = progress_rate(progress);
	char text[TEXT_MAX];

	to[0] = '\0';
	if (total >= 0) {
		(void)snprintf(text, sizeof(text), "%u %%", percent(sent, total));
		add(&words, text);
	}
	if (detail == DETAIL_ALL || total < 0)
		add(&words, size_text(sent, total, text));
	if (progress->waits != NULL) {
		if (detail >= DETAIL_LEFT)
			add(&words, wait_text(progress, text));
		return words.used;
	}
	if (detail >= DETAIL_RATE)
		add(&words, rate_text(rate, text));
	if (detail >= DETAIL_LEFT && total >= 0) {
		time_left(rate, (uint64_t)total > sent ? (uint64_t)total - sent : 0, text);
		add(&words, text);
	}
	return words.used;
}

void progress_bar(const struct progress *progress, uint64_t sent, int64_t total, unsigned columns,
		  char to[static PROGRESS_ROOM])
{
	unsigned width = columns > TEXT_MAX + 8 ? columns - TEXT_MAX - 4 : 0;
	char text[PROGRESS_ROOM];

	width = width < BAR_MAX ? width : BAR_MAX;
	for (enum detail detail = DETAIL_ALL;
	     tell(progress, sent, total, "  ", detail, text) >= columns && detail > DETAIL_SHARE; detail--)
		;
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
	(void)tell(progress, sent, total, ", ", DETAIL_ALL, to);
}
