/*
 * What the processes tell: access records to where log.access says, messages to standard error. Neither ever blocks
 * a worker; what is lost is counted, and told.
 */
#ifndef LOOP_LOG_H
#define LOOP_LOG_H

#include <stdarg.h>
#include <sys/types.h>

#include "base/rate.h"
#include "config/config.h"
#include "gateway/scoreboard.h"
#include "loop/sink.h"

struct log {
	enum config_log_level level; /* messages above it are dropped */
	atomic_uint *turns;          /* borrowed; shared by all processes: access, messages */
	bool to_journal;             /* messages begin with their priority */
	struct sink messages;
	struct sink access;             /* fd -1: records go to `records`, or nowhere */
	struct sink *records;           /* NULL: off */
	uint64_t lost, mute;            /* access records, and messages, not yet told of */
	uint64_t said;                  /* messages among the records */
	uint64_t settled, lost_records; /* of the records: what log_count() was last told, and what it was not yet */
	uint64_t told_ms;               /* when that was last told */
	const char *target;             /* log.access; borrowed */
	struct scoreboard_worker *scoreboard; /* where broken checks are counted; borrowed, or NULL */
	struct rate broken;                   /* messages of them */
};

/* What all logs of these processes, of whatever configuration, have in common. NULL: no memory. */
atomic_uint *log_turns_new(void);
void log_turns_free(atomic_uint **turns);

/* Before the workers are forked; turns outlives it. */
enum thaw_status log_open(struct log *log, const struct config *config, atomic_uint *turns,
			  struct thaw_error *err) THAW_MUST_CHECK;

/* Whether a file named by log.access can be written, without making it. */
enum thaw_status log_check(const struct config *config, struct thaw_error *err) THAW_MUST_CHECK;

/* In a new worker. */
void log_inherit(struct log *log);

/* In a new worker: the log of another configuration than its own. Nothing is written. */
void log_forget(struct log *log);

/* In the master, after that worker's process has ended. */
void log_reclaim(struct log *log, pid_t worker);

/*
 * In the master: takes the turns back from processes that are not there. The turns are in memory that each worker can
 * write to, and none of them must keep the others from writing after its end.
 */
void log_free_turns(atomic_uint *turns, bool (*is_there)(void *arg, pid_t process), void *arg);

/* Whether the access records go to a file of their own, which can be put aside and opened anew. */
bool log_is_file(const struct log *log);

/* In the master: opens that file anew. On failure all stays as it was. */
enum thaw_status log_reopen(struct log *log, struct thaw_error *err) THAW_MUST_CHECK;

/* In a worker, which may not open files any more: what the master has opened. Takes over fd. */
void log_adopt(struct log *log, int fd);

/* "thaw: LEVEL: TEXT", or "thaw: TEXT" for a notice, which no level drops. In the journal of systemd they have the
 * priority of their level. */
void log_say(struct log *log, enum config_log_level level, const char *format, ...) THAW_PRINTF(3, 4);
void log_notice(struct log *log, const char *format, ...) THAW_PRINTF(2, 3);

/* From now on this process logs broken checks of its own logic (base/require.h) here, and counts them on the
 * scoreboard, which may be NULL. log NULL: no more. */
void log_broken_checks(struct log *log, struct scoreboard_worker *scoreboard);

/* One access record; it waits for log_flush(). */
void log_record(struct log *log, const char *line, size_t len);

/* Writes what waits, and tells what was lost. False: call again soon, something still waits. */
bool log_flush(struct log *log, uint64_t now_ms);

/* Counts on the scoreboard what has become of access records since the last call. */
void log_count(struct log *log, struct scoreboard_worker *scoreboard);

/* scoreboard: where what is lost now is counted; or NULL. */
void log_close(struct log *log, struct scoreboard_worker *scoreboard);

#endif
