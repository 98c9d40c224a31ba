#include "loop/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define ROOM_KEPT   65536 /* a larger buffer is freed once it is empty */
#define TURN_NAPS   20    /* pauses of 1 ms, for another process to finish its write to a file */
#define CLOSE_NAP   5     /* ms between attempts while sink_close() waits */
#define FILE_RIGHTS 0640

static bool is_regular(int fd)
{
	struct stat info;

	return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

void sink_open_shared(struct sink *sink, int fd, atomic_uint *turn, unsigned me)
{
	struct stat info;
	char path[32];

	*sink = (struct sink){.fd = fd, .way = SINK_WAY_POLL, .turn = turn, .me = me};
	bool known = fstat(fd, &info) == 0;
	if (known && S_ISSOCK(info.st_mode)) {
		sink->way = SINK_WAY_SOCKET;
		return;
	}
	if (known && S_ISREG(info.st_mode)) {
		sink->regular = true;
		sink->way =
			SINK_WAY_PLAIN; /* never blocks; the file offset is shared by all processes that write there */
		return;
	}
	/* O_NONBLOCK would affect other users of the same open pipe or terminal, such as the shell, so open it
	 * again. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int own = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0)
		return;
	sink->fd = own;
	sink->own = true;
	sink->way = SINK_WAY_PLAIN;
}

enum thaw_status sink_open_file(struct sink *sink, const char *path, atomic_uint *turn, unsigned me,
				struct thaw_error *err)
{
	*sink = (struct sink){.own = true, .way = SINK_WAY_PLAIN, .turn = turn, .me = me};
	sink->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, FILE_RIGHTS);
	if (sink->fd < 0)
		return error_system(err, errno, "cannot open the log %s", path);
	sink->regular = is_regular(sink->fd);
	return THAW_OK;
}

static void drop_all(struct sink *sink)
{
	buffer_free(&sink->waits);
	sink->within = false;
}

void sink_forget(struct sink *sink)
{
	drop_all(sink);
	if (sink->own && sink->fd >= 0)
		(void)close(sink->fd);
	sink->fd = -1;
}

void sink_inherit(struct sink *sink, unsigned me)
{
	drop_all(sink);
	sink->dropped = sink->taken = sink->done = 0;
	sink->me = me;
}

void sink_adopt(struct sink *sink, int fd)
{
	(void)sink_flush(sink); /* the old target ends with whole lines, if it accepts them */
	if (sink->own)
		(void)close(sink->fd);
	sink->torn = false;
	sink->fd = fd;
	sink->own = true;
	sink->way = SINK_WAY_PLAIN;
	sink->regular = is_regular(fd);
}

/* Returns the bytes written; -1: it would block; -2: writing failed. */
static ssize_t put(struct sink *sink)
{
	const char *from = buffer_first(&sink->waits);
	size_t len = buffer_left(&sink->waits);
	ssize_t done;

	if (sink->way == SINK_WAY_POLL) {
		struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};
		if (poll(&ready, 1, 0) <= 0)
			return -1;
		len = len < PIPE_BUF ? len : PIPE_BUF;
	}
	do
		done = sink->way == SINK_WAY_SOCKET ? send(sink->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL)
						    : write(sink->fd, from, len);
	while (done < 0 && errno == EINTR);
	if (done > 0)
		return done;
	if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -1;
	sink->cause = done < 0 ? errno : EIO;
	return -2;
}

static bool take_turn(struct sink *sink)
{
	unsigned whose = 0;

	return atomic_compare_exchange_strong(sink->turn, &whose, sink->me) || whose == sink->me;
}

static uint64_t lines_in(const char *bytes, size_t len)
{
	uint64_t lines = 0;

	for (const char *end; len > 0 && (end = memchr(bytes, '\n', len)) != NULL; lines++) {
		len -= (size_t)(end + 1 - bytes);
		bytes = end + 1;
	}
	return lines;
}

/* Drops what waits, after a failed write: a full disk, a pipe without a reader. */
static void give_up(struct sink *sink)
{
	uint64_t lines = lines_in(buffer_first(&sink->waits), buffer_left(&sink->waits));

	sink->dropped += lines;
	sink->done += lines;
	sink->torn = sink->torn || sink->within; /* harmless for a pipe or socket that was closed */
	buffer_consume(&sink->waits, buffer_left(&sink->waits));
	sink->within = false;
}

bool sink_flush(struct sink *sink)
{
	ssize_t done = 0;

	if (buffer_left(&sink->waits) == 0)
		return true;
	if (!take_turn(sink))
		return false;
	sink->stuck = false;
	while (buffer_left(&sink->waits) > 0 && (done = put(sink)) > 0) {
		const char *from = buffer_first(&sink->waits);
		sink->done += lines_in(from, (size_t)done);
		sink->within = from[done - 1] != '\n';
		buffer_consume(&sink->waits, (size_t)done);
	}
	if (done == -2)
		give_up(sink);
	if (!sink->within)
		atomic_store(sink->turn, 0);
	if (buffer_left(&sink->waits) > 0)
		return false;
	if (sink->waits.room > ROOM_KEPT)
		buffer_free(&sink->waits);
	return true;
}

/*
 * Makes room in the buffer when a line does not fit. A file accepts writes at once, unless another process is writing
 * to it. That takes a short time, so this waits for it, to lose no line. If that process has stopped within a line,
 * this waits only once.
 */
static bool write_some(struct sink *sink)
{
	for (int i = 0; !sink_flush(sink); i++) {
		unsigned whose = atomic_load(sink->turn);
		if (!sink->regular || sink->stuck || whose == 0 || whose == sink->me)
			return false;
		sink->stuck = i == TURN_NAPS;
		(void)poll(NULL, 0, 1);
	}
	return true;
}

static bool fits(struct sink *sink, size_t len)
{
	bool fits = buffer_reserve(&sink->waits, SINK_MAX, len + sink->torn);

	sink->waits.failed = false; /* a line that does not fit is dropped as a whole */
	return fits;
}

void sink_line(struct sink *sink, const char *line, size_t len)
{
	if (!fits(sink, len) && (!write_some(sink) || !fits(sink, len))) {
		sink->dropped++;
		sink->taken++;
		sink->done++;
		return;
	}
	if (sink->torn) {
		(void)buffer_append(&sink->waits, SINK_MAX, "\n", 1);
		sink->done--; /* this newline ends a line that was counted already */
		sink->torn = false;
	}
	(void)buffer_append(&sink->waits, SINK_MAX, line, len);
	sink->taken++;
}

uint64_t sink_dropped(struct sink *sink)
{
	uint64_t dropped = sink->dropped;

	sink->dropped = 0;
	return dropped;
}

void sink_reclaim(struct sink *sink, unsigned dead)
{
	if (atomic_load(sink->turn) != dead)
		return;
	atomic_store(sink->turn, 0); /* no other process can have changed it, because the owner of the turn has ended */
	sink_line(sink, "\n", 1);
	(void)sink_flush(sink);
}

void sink_close(struct sink *sink, uint64_t limit_ms)
{
	uint64_t end_ms = clock_now_ms() + limit_ms;

	if (sink->fd < 0)
		return;
	while (!sink_flush(sink) && clock_now_ms() < end_ms)
		(void)poll(NULL, 0, CLOSE_NAP);
	sink->dropped += lines_in(buffer_first(&sink->waits), buffer_left(&sink->waits));
	sink->done = sink->taken;
	/* If this process keeps the turn, the master gives it back later, and ends the line. */
	drop_all(sink);
	if (sink->own)
		(void)close(sink->fd);
	sink->fd = -1;
}
