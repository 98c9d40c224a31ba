#include "loop/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define ROOM_FIRST  4096
#define ROOM_KEPT   65536 /* a larger buffer is given back once it is empty */
#define TURN_NAPS   20    /* of a millisecond each, for another process to end its write to a file */
#define CLOSE_NAP   5     /* ms between looks while a sink that is being closed waits for its turn */
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
			SINK_WAY_PLAIN; /* never blocks; and its place in the file is shared with all who write there */
		return;
	}
	/* O_NONBLOCK belongs to the open pipe or terminal, which is shared with the shell, say: so open it once more.
	 */
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

static void drop_bytes(struct sink *sink)
{
	free(sink->bytes);
	sink->bytes = NULL;
	sink->at = sink->len = sink->room = 0;
	sink->within = false;
}

void sink_forget(struct sink *sink)
{
	drop_bytes(sink);
	if (sink->own && sink->fd >= 0)
		(void)close(sink->fd);
	sink->fd = -1;
}

void sink_inherit(struct sink *sink, unsigned me)
{
	drop_bytes(sink);
	sink->dropped = sink->taken = sink->done = 0;
	sink->me = me;
}

void sink_adopt(struct sink *sink, int fd)
{
	(void)sink_flush(sink); /* the old one ends with whole lines, if it takes them */
	if (sink->own)
		(void)close(sink->fd);
	sink->torn = false;
	sink->fd = fd;
	sink->own = true;
	sink->way = SINK_WAY_PLAIN;
	sink->regular = is_regular(fd);
}

/* Room for len more bytes behind those that wait. */
static bool make_room(struct sink *sink, size_t len)
{
	if (sink->at > 0) {
		sink->len -= sink->at;
		memmove(sink->bytes, sink->bytes + sink->at, sink->len);
		sink->at = 0;
	}
	if (len <= sink->room - sink->len)
		return true;
	if (len > SINK_MAX - sink->len)
		return false;
	size_t room = sink->room > 0 ? sink->room : ROOM_FIRST;
	while (room < sink->len + len)
		room *= 2; /* SINK_MAX is ROOM_FIRST times a power of two */
	char *bytes = realloc(sink->bytes, room);
	if (bytes == NULL)
		return false;
	sink->bytes = bytes;
	sink->room = room;
	return true;
}

/* Bytes written; -1: none can be now; -2: none ever can. */
static ssize_t put(struct sink *sink)
{
	const char *from = sink->bytes + sink->at;
	size_t len = sink->len - sink->at;
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

/* The target takes nothing now: a full disk, a pipe without a reader. */
static void give_up(struct sink *sink)
{
	uint64_t lines = lines_in(sink->bytes + sink->at, sink->len - sink->at);

	sink->dropped += lines;
	sink->done += lines;
	sink->torn = sink->torn || sink->within; /* at a pipe or socket that is gone it does no harm */
	sink->at = sink->len = 0;
	sink->within = false;
}

bool sink_flush(struct sink *sink)
{
	ssize_t done = 0;

	if (sink->at == sink->len)
		return true;
	if (!take_turn(sink))
		return false;
	sink->stuck = false;
	while (sink->at < sink->len && (done = put(sink)) > 0) {
		sink->done += lines_in(sink->bytes + sink->at, (size_t)done);
		sink->at += (size_t)done;
		sink->within = sink->bytes[sink->at - 1] != '\n';
	}
	if (done == -2)
		give_up(sink);
	if (!sink->within)
		atomic_store(sink->turn, 0);
	if (sink->at < sink->len)
		return false;
	sink->at = sink->len = 0;
	if (sink->room > ROOM_KEPT)
		drop_bytes(sink);
	return true;
}

/*
 * So much waits that a line does not fit. A file takes it at once, unless another process is just writing there, which
 * does not take long: the line is not lost for that. One whose writer has stopped is waited for only once.
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
	len += sink->torn;
	return len <= sink->room - sink->len || make_room(sink, len);
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
		sink->bytes[sink->len++] = '\n';
		sink->done--; /* it ends a line that has been counted */
		sink->torn = false;
	}
	memcpy(sink->bytes + sink->len, line, len);
	sink->len += len;
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
	atomic_store(sink->turn, 0); /* nobody else can have changed it: whose turn it was is gone */
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
	sink->dropped += lines_in(sink->bytes + sink->at, sink->len - sink->at);
	sink->done = sink->taken;
	/* A turn that is kept is given back by the master, which also ends the line. */
	drop_bytes(sink);
	if (sink->own)
		(void)close(sink->fd);
	sink->fd = -1;
}
