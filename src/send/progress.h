/* The progress of an upload as text: a bar on terminals, plain lines elsewhere. No I/O; the time is passed in. */
#ifndef SEND_PROGRESS_H
#define SEND_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_ROOM  160
#define PROGRESS_MARKS 16 /* recent points from which the rate is computed */

struct progress {
	struct {
		uint64_t ms, sent;
	} marks[PROGRESS_MARKS];
	unsigned count;   /* marks made in total */
	uint64_t line_ms; /* time of the last plain line */
	bool begun;
	const char *waits; /* printed instead of a rate while waiting; NULL: not waiting */
	uint64_t waited_ms;
};

/* Records the bytes sent at this moment. */
void progress_mark(struct progress *progress, uint64_t sent, uint64_t now_ms);

/* Bytes per second, over the last seconds; 0: unknown. */
uint64_t progress_rate(const struct progress *progress);

/* "[=====>    ]  52 %  26.0 of 50.0 MiB  11.2 MiB/s  0:02 left"; fewer details if columns, the width of the
 * terminal, is small. total -1: unknown. */
void progress_bar(const struct progress *progress, uint64_t sent, int64_t total, unsigned columns,
		  char to[static PROGRESS_ROOM]);

/* Whether a plain line is due, every 5 s. */
bool progress_line_due(struct progress *progress, uint64_t now_ms);

/* "26.0 of 50.0 MiB, 52 %, 11.2 MiB/s, 0:02 left" */
void progress_line(const struct progress *progress, uint64_t sent, int64_t total, char to[static PROGRESS_ROOM]);

#endif
