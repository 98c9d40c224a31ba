/*
 * The logs of all processes: access records go where log.access says, messages go to standard error. Neither ever
 * blocks a worker. Lost lines are counted, and the loss is logged.
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
	bool to_journal;             /* messages begin with their syslog priority */
	struct sink messages;
	struct sink access;                   /* fd -1: records go to `records`, or nowhere */
	struct sink *records;                 /* NULL: off */
	uint64_t lost, mute;                  /* lost access records and messages that were not logged yet */
	uint64_t said;                        /* number of messages that went to the same sink as records */
	uint64_t settled, lost_records;       /* records: settled at the last log_count(), and lost since then */
	uint64_t logged_ms;                   /* when a loss was last logged */
	const char *target;                   /* log.access; borrowed */
	struct scoreboard_worker *scoreboard; /* counts broken checks; borrowed; may be NULL */
	struct rate broken;                   /* limits the messages about broken checks */
};

/* The turns that all logs of these processes share, also those of different configurations. NULL: out of memory. */
atomic_uint *log_turns_new(void);
void log_turns_free(atomic_uint **turns);

/* Call this before the workers are forked. turns must outlive the log. */
enum thaw_status log_open(struct log *log, const struct config *config, atomic_uint *turns,
			  struct thaw_error *err) THAW_MUST_CHECK;

/* Checks whether the file in log.access can be written, without creating it. */
enum thaw_status log_check(const struct config *config, struct thaw_error *err) THAW_MUST_CHECK;

/* Call this in a new worker. */
void log_inherit(struct log *log);

/* In a new worker, for the log of another configuration. Writes nothing. */
void log_forget(struct log *log);

/* In the master: call this after that worker's process has ended. */
void log_reclaim(struct log *log, pid_t worker);

/*
 * In the master: takes the turns back from processes that do not exist. Each worker can write to the memory with the
 * turns, and after its end none must prevent the others from writing.
 */
void log_free_turns(atomic_uint *turns, bool (*is_there)(void *arg, pid_t process), void *arg);

/* Returns whether the access records go to a file of their own, which can be rotated and opened again. */
bool log_is_file(const struct log *log);

/* In the master: opens that file again. On failure nothing changes. */
enum thaw_status log_reopen(struct log *log, struct thaw_error *err) THAW_MUST_CHECK;

/* In a worker, which may not open files any more: uses the file that the master has opened. Takes ownership of fd. */
void log_adopt(struct log *log, int fd);

/* Writes "thaw: LEVEL: TEXT", or "thaw: TEXT" for a notice, which is logged at every level. In the systemd journal,
 * messages have the priority of their level. */
void log_say(struct log *log, enum config_log_level level, const char *format, ...) THAW_PRINTF(3, 4);
void log_notice(struct log *log, const char *format, ...) THAW_PRINTF(2, 3);

/* From now on this process logs broken checks of its own logic (base/require.h) here, and counts them on the
 * scoreboard, which may be NULL. log NULL: stop doing so. */
void log_broken_checks(struct log *log, struct scoreboard_worker *scoreboard);

/* Queues one access record. log_flush() writes it. */
void log_record(struct log *log, const char *line, size_t len);

/* Writes what is queued, and logs losses. False: some lines are still queued; call again soon. */
bool log_flush(struct log *log, uint64_t now_ms);

/* Counts on the scoreboard the access records written and lost since the last call. */
void log_count(struct log *log, struct scoreboard_worker *scoreboard);

/* scoreboard: counts records that are lost now; may be NULL. */
void log_close(struct log *log, struct scoreboard_worker *scoreboard);

#endif
