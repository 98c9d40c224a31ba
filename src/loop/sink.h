/*
 * A sink takes lines for a descriptor that may be slow, and never waits for it: what cannot be written stays in a
 * buffer with a ceiling, and what does not fit there is dropped and counted.
 *
 * Several processes write to one target. A sink's turn, in memory that they share, sees to it that a line is written
 * whole: who had to stop within a line keeps the turn until the line's end.
 */
#ifndef LOOP_SINK_H
#define LOOP_SINK_H

#include <stdatomic.h>

#include "base/buffer.h"

#define SINK_MAX 1048576 /* bytes that wait in one process */

enum sink_way {
	SINK_WAY_PLAIN,  /* write(2) does not block: a file, or a pipe or terminal that we have opened ourselves */
	SINK_WAY_SOCKET, /* send(2) that does not wait */
	SINK_WAY_POLL,   /* poll(2) first, then no more than a pipe surely has room for */
};

struct sink {
	int fd;
	bool own; /* fd is closed with the sink */
	enum sink_way way;
	atomic_uint *turn; /* shared; 0: nobody is within a line; else who is */
	unsigned me;       /* 1 and up */
	struct buffer waits;
	bool within;          /* the last byte written was not a line's last; the turn is ours then */
	bool torn;            /* a line was given up in the middle: the next one begins with a newline */
	bool regular;         /* a regular file, which takes at once what it is given */
	bool stuck;           /* another process has kept the turn for long */
	int cause;            /* errno of the last failure; 0: the buffer was full */
	uint64_t dropped;     /* lines, since sink_dropped() was last asked */
	uint64_t taken, done; /* lines that have waited, and those of them that are written or dropped; done <= taken */
};

/*
 * On a descriptor that others use too, such as standard output: its flags are left alone. turn and me as above.
 */
void sink_open_shared(struct sink *sink, int fd, atomic_uint *turn, unsigned me);

/* On a file, to be appended to; made if it is missing. */
enum thaw_status sink_open_file(struct sink *sink, const char *path, atomic_uint *turn, unsigned me,
				struct thaw_error *err) THAW_MUST_CHECK;

/* From now on to this descriptor, a file's as in sink_open_file(); takes it over. What waits goes there. */
void sink_adopt(struct sink *sink, int fd);

/* In a new process that does not use it: closes what is its own, and writes nothing. */
void sink_forget(struct sink *sink);

/* In a new process: the same target, but nothing of what waited. */
void sink_inherit(struct sink *sink, unsigned me);

/* One whole line with its newline; taken, or dropped and counted. Nothing is written yet. */
void sink_line(struct sink *sink, const char *line, size_t len);

/* Writes what can be written now. True: nothing waits any more. */
bool sink_flush(struct sink *sink);

/* The lines dropped since the last call. */
uint64_t sink_dropped(struct sink *sink);

/* After the process whose number was `dead` has ended: if it was within a line, that line is ended. */
void sink_reclaim(struct sink *sink, unsigned dead);

/* What still waits is written if it can be within limit_ms, else dropped. Idempotent. */
void sink_close(struct sink *sink, uint64_t limit_ms);

#endif
