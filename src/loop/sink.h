/*
 * A sink takes lines for a descriptor that may be slow, and never waits for it. What cannot be written now stays in a
 * buffer of limited size; what does not fit there is dropped and counted.
 *
 * Several processes write to one target. A turn, in memory that they share, ensures that each line is written as a
 * whole: a process that has to stop within a line keeps the turn until it has written the end of the line.
 */
#ifndef LOOP_SINK_H
#define LOOP_SINK_H

#include <stdatomic.h>

#include "base/buffer.h"

#define SINK_MAX 1048576 /* most bytes that wait in one process */

enum sink_way {
	SINK_WAY_PLAIN,  /* write(2), which does not block: a file, or a pipe or terminal opened by the sink */
	SINK_WAY_SOCKET, /* send(2) with MSG_DONTWAIT */
	SINK_WAY_POLL,   /* poll(2) first, then write(2) of at most PIPE_BUF bytes */
};

struct sink {
	int fd;
	bool own; /* fd is closed with the sink */
	enum sink_way way;
	atomic_uint *turn; /* shared; the process that is within a line; 0: none */
	unsigned me;       /* this process in turn; not 0 */
	struct buffer waits;
	bool within;          /* the last byte written was not the end of a line; this process keeps the turn */
	bool torn;            /* a line was dropped in the middle, so the next one begins with a newline */
	bool regular;         /* a regular file, which accepts writes at once */
	bool stuck;           /* another process has kept the turn for a long time */
	int cause;            /* errno of the last failure; 0: the buffer was full */
	uint64_t dropped;     /* lines dropped since the last sink_dropped() */
	uint64_t taken, done; /* lines accepted so far, and those written or dropped; done <= taken */
};

/*
 * Opens a sink on a descriptor that other processes use, too, such as standard output. Does not change its flags. turn,
 * me: see struct sink.
 */
void sink_open_shared(struct sink *sink, int fd, atomic_uint *turn, unsigned me);

/* Opens a sink that appends to a file. Creates the file if it is missing. */
enum thaw_status sink_open_file(struct sink *sink, const char *path, atomic_uint *turn, unsigned me,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Changes the sink to another file's descriptor, opened as in sink_open_file(). Takes ownership of it. What still waits
 * is written there. */
void sink_adopt(struct sink *sink, int fd);

/* In a new process that does not use the sink: closes its descriptor if it owns it. Writes nothing. */
void sink_forget(struct sink *sink);

/* In a new process: keeps the target, but drops what waited. */
void sink_inherit(struct sink *sink, unsigned me);

/* Takes one whole line with its newline, or drops and counts it. Writes only if the buffer is full. */
void sink_line(struct sink *sink, const char *line, size_t len);

/* Writes what can be written now. True: nothing is left. */
bool sink_flush(struct sink *sink);

/* Returns the number of lines dropped since the last call. */
uint64_t sink_dropped(struct sink *sink);

/* Call this after the process `dead` has ended. If it was within a line, ends that line and gives its turn back. */
void sink_reclaim(struct sink *sink, unsigned dead);

/* Writes what still waits for at most limit_ms, and drops the rest. Idempotent. */
void sink_close(struct sink *sink, uint64_t limit_ms);

#endif
