#include "loop/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/journal.h"
#include "base/require.h"

#define MESSAGE_MAX  1024  /* bytes of a whole line; less than PIPE_BUF */
#define TELL_AGAIN   10000 /* ms between two messages about lost records */
#define FAREWELL_MS  1000
#define TURN_ACCESS  0
#define TURN_MESSAGE 1
#define TURNS        2

/* The value of a turn: a process id. */
static unsigned me(void)
{
	return (unsigned)getpid();
}

atomic_uint *log_turns_new(void)
{
	void *turns =
		mmap(NULL, TURNS * sizeof(atomic_uint), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return turns != MAP_FAILED ? turns : NULL;
}

void log_turns_free(atomic_uint **turns)
{
	if (*turns != NULL)
		(void)munmap(*turns, TURNS * sizeof(atomic_uint));
	*turns = NULL;
}

/* Adds the setting that names the file, and advice. */
static enum thaw_status refuse_file(const struct config *config, const struct thaw_error *why, struct thaw_error *err)
{
	if (config->log.access_place == NULL || why->cls == THAW_ERR_RESOURCE)
		return error_set(err, why->cls, "%s", why->text);
	return error_set(err, THAW_ERR_CONFIG,
			 "%s: %s; use a file in a folder that the user who starts thaw can write to",
			 config->log.access_place, why->text);
}

static enum thaw_status open_access(struct log *log, const struct config *config, struct thaw_error *err)
{
	const char *target = log->target;
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	if (strcmp(target, "off") == 0)
		return THAW_OK;
	if (strcmp(target, "stderr") == 0) {
		log->records = &log->messages;
		return THAW_OK;
	}
	log->records = &log->access;
	if (strcmp(target, "stdout") == 0)
		sink_open_shared(&log->access, STDOUT_FILENO, &log->turns[TURN_ACCESS], me());
	else if (sink_open_file(&log->access, target, &log->turns[TURN_ACCESS], me(), &why) != THAW_OK)
		return refuse_file(config, &why, err);
	return THAW_OK;
}

enum thaw_status log_open(struct log *log, const struct config *config, atomic_uint *turns, struct thaw_error *err)
{
	*log = (struct log){.level = config->log.level, .turns = turns, .messages.fd = -1, .access.fd = -1};
	log->target = config->log.access;
	log->to_journal = journal_is(STDERR_FILENO);
	sink_open_shared(&log->messages, STDERR_FILENO, &log->turns[TURN_MESSAGE], me());
	return open_access(log, config, err);
}

static enum thaw_status check_file(const struct config *config, struct thaw_error *err)
{
	const char *path = config->log.access;
	struct stat info;

	if (strcmp(path, "off") == 0 || strcmp(path, "stdout") == 0 || strcmp(path, "stderr") == 0)
		return THAW_OK;
	if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
		return error_set(err, THAW_ERR_SYSTEM, "cannot write the log %s: it is a folder", path);
	if (access(path, W_OK) == 0)
		return THAW_OK;
	if (errno != ENOENT)
		return error_system(err, errno, "cannot write the log %s", path);
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
	if (folder == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	enum thaw_status status =
		access(folder, W_OK | X_OK) == 0 ? THAW_OK : error_system(err, errno, "cannot make the log %s", path);
	free(folder);
	return status;
}

enum thaw_status log_check(const struct config *config, struct thaw_error *err)
{
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	return check_file(config, &why) == THAW_OK ? THAW_OK : refuse_file(config, &why, err);
}

void log_inherit(struct log *log)
{
	sink_inherit(&log->messages, me());
	sink_inherit(&log->access, me());
	log->lost = log->mute = log->logged_ms = 0;
	log->settled = log->lost_records = log->said = 0;
}

void log_forget(struct log *log)
{
	sink_forget(&log->messages);
	sink_forget(&log->access);
}

void log_reclaim(struct log *log, pid_t worker)
{
	sink_reclaim(&log->messages, (unsigned)worker);
	if (log->records == &log->access)
		sink_reclaim(&log->access, (unsigned)worker);
}

void log_free_turns(atomic_uint *turns, bool (*is_there)(void *arg, pid_t process), void *arg)
{
	for (size_t i = 0; i < TURNS; i++) {
		unsigned whose = atomic_load(&turns[i]);
		if (whose != 0 && whose != me() && !is_there(arg, (pid_t)whose))
			(void)atomic_compare_exchange_strong(&turns[i], &whose, 0);
	}
}

bool log_is_file(const struct log *log)
{
	return log->records == &log->access && strcmp(log->target, "stdout") != 0;
}

enum thaw_status log_reopen(struct log *log, struct thaw_error *err)
{
	struct sink again;

	if (!log_is_file(log))
		return THAW_OK;
	if (sink_open_file(&again, log->target, log->access.turn, me(), err) != THAW_OK)
		return THAW_FAILED;
	log_adopt(log, again.fd);
	return THAW_OK;
}

void log_adopt(struct log *log, int fd)
{
	if (log_is_file(log))
		sink_adopt(&log->access, fd);
	else
		(void)close(fd);
}

/* Replaces control characters, so that bytes from a peer cannot look like a line of ours. */
static void put_line(struct log *log, char *line, int len)
{
	size_t end = len < 0 ? 0 : (size_t)len < MESSAGE_MAX - 1 ? (size_t)len : MESSAGE_MAX - 2;

	for (size_t i = 0; i < end; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[end] = '\n';
	log->said += log->records == &log->messages;
	sink_line(&log->messages, line, end + 1);
	(void)sink_flush(&log->messages);
}

static void say(struct log *log, enum journal_priority priority, const char *before, const char *format, va_list args)
	THAW_PRINTF(4, 0);
static void say(struct log *log, enum journal_priority priority, const char *before, const char *format, va_list args)
{
	char line[MESSAGE_MAX];
	int head = snprintf(line, sizeof(line), "%sthaw: %s", journal_prefix(priority, log->to_journal), before);
	int text = vsnprintf(line + head, sizeof(line) - (size_t)head, format, args);

	if (log->messages.fd >= 0)
		put_line(log, line, text < 0 ? head : head + text);
}

void log_say(struct log *log, enum config_log_level level, const char *format, ...)
{
	static const struct {
		enum journal_priority priority;
		const char *name;
	} levels[] = {
		[CONFIG_LOG_ERROR] = {JOURNAL_ERROR, "error: "},
		[CONFIG_LOG_WARNING] = {JOURNAL_WARNING, "warning: "},
		[CONFIG_LOG_INFO] = {JOURNAL_INFO, "info: "},
		[CONFIG_LOG_DEBUG] = {JOURNAL_DEBUG, "debug: "},
	};
	va_list args;

	if (level > log->level)
		return;
	va_start(args, format);
	say(log, levels[level].priority, levels[level].name, format, args);
	va_end(args);
}

static void on_broken(void *arg, const char *machine, const char *from, const char *to)
{
	struct log *log = arg;

	scoreboard_internal_error(log->scoreboard);
	if (rate_pass(&log->broken, clock_now_ms()))
		log_say(log, CONFIG_LOG_ERROR,
			"internal error: state machine '%s': invalid change from '%s' to '%s'; its connection or "
			"request was ended; please report this",
			machine, from, to);
}

void log_broken_checks(struct log *log, struct scoreboard_worker *scoreboard)
{
	if (log != NULL)
		log->scoreboard = scoreboard;
	require_report(log != NULL ? on_broken : NULL, log);
}

void log_notice(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(log, JOURNAL_NOTICE, "", format, args);
	va_end(args);
}

void log_record(struct log *log, const char *line, size_t len)
{
	if (log->records != NULL)
		sink_line(log->records, line, len);
}

/* Adds what was lost since the last call. */
static void count_lost(struct log *log)
{
	uint64_t lost;

	if (log->records != NULL) {
		lost = sink_dropped(log->records);
		log->lost += lost;
		log->lost_records += lost;
	}
	if (log->records != &log->messages)
		log->mute += sink_dropped(&log->messages);
}

/* Logs the first loss at once, further ones only every TELL_AGAIN ms, so that a full log does not fill the messages,
 * too. */
static void tell_lost(struct log *log, uint64_t now_ms)
{
	if ((log->lost == 0 && log->mute == 0) || (log->logged_ms != 0 && now_ms - log->logged_ms < TELL_AGAIN))
		return;
	log->logged_ms = now_ms;
	if (log->lost > 0) {
		const char *why = log->records->cause != 0 ? strerror(log->records->cause) : "its reader is too slow";
		log_say(log, CONFIG_LOG_WARNING, "%llu access records lost: cannot write to %s: %s",
			(unsigned long long)log->lost, log->target, why);
		log->lost = 0;
	}
	if (log->mute > 0) {
		uint64_t mute = log->mute;
		log->mute = 0;
		log_say(log, CONFIG_LOG_WARNING, "%llu messages lost: cannot write to standard error",
			(unsigned long long)mute);
	}
}

bool log_flush(struct log *log, uint64_t now_ms)
{
	bool done = sink_flush(&log->messages);

	if (log->records == &log->access)
		done = sink_flush(&log->access) && done;
	count_lost(log);
	tell_lost(log, now_ms);
	return done;
}

void log_count(struct log *log, struct scoreboard_worker *scoreboard)
{
	uint64_t settled = log->records != NULL ? log->records->done - log->said : log->settled;

	/* settled may be smaller than before: a message that still waits is already subtracted. */
	if ((int64_t)(settled - log->settled) <= 0 && log->lost_records == 0)
		return;
	scoreboard_records_settled(scoreboard, settled - log->settled, log->lost_records);
	log->settled = settled;
	log->lost_records = 0;
}

void log_close(struct log *log, struct scoreboard_worker *scoreboard)
{
	if (log->turns == NULL)
		return; /* log_open() was never called */
	sink_close(&log->access, FAREWELL_MS);
	count_lost(log);
	log->logged_ms = 0;
	tell_lost(log, 0);
	sink_close(&log->messages, FAREWELL_MS);
	count_lost(log);
	log_count(log, scoreboard);
	log->records = NULL;
}
