/* How far an upload is, as text: a bar for terminals, plain lines for everything else. Pure: times are handed in. */
#ifndef SEND_PROGRESS_H
#define SEND_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_ROOM  160
#define PROGRESS_MARKS 16 /* points of the recent past from which the rate is told */

struct progress {
	struct {
		uint64_t ms, sent;
	} marks[PROGRESS_MARKS];
	unsigned count;   /* of all marks that were ever made */
	uint64_t line_ms; /* when the last plain line was due */
	bool begun;
	const char *waits; /* what is waited for, instead of a rate; NULL: nothing */
	uint64_t waited_ms;
};

/* The bytes that are there at this moment. */
void progress_mark(struct progress *progress, uint64_t sent, uint64_t now_ms);

/* Bytes a second, over the recent past; 0: not known yet. */
uint64_t progress_rate(const struct progress *progress);

/* "[=====>    ]  52 %  26.0 of 50.0 MiB  11.2 MiB/s  0:02 left"; columns: the terminal's, in which less is told where
 * there are few. total -1: not known. */
void progress_bar(const struct progress *progress, uint64_t sent, int64_t total, unsigned columns,
		  char to[static PROGRESS_ROOM]);

/* Whether a plain line is due: each 5 s. */
bool progress_line_due(struct progress *progress, uint64_t now_ms);

/* "26.0 of 50.0 MiB, 52 %, 11.2 MiB/s, 0:02 left" */
void progress_line(const struct progress *progress, uint64_t sent, int64_t total, char to[static PROGRESS_ROOM]);

#endif
