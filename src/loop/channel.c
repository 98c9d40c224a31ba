#include "loop/channel.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GO    'g'
#define LOG   'l'
#define CUT   'c'
#define ALIVE 'a'
#define QUIET 'q'

bool channel_open(int ends[2])
{
	/* A packet socket never delivers part of a message. */
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0;
}

union passed_fd {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* passed: a descriptor to send with the message, or -1. */
static bool put(int fd, char what, int passed)
{
	struct iovec text = {.iov_base = &what, .iov_len = 1};
	struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1};
	union passed_fd control = {.room = {0}};
	ssize_t sent;

	if (passed >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &passed, sizeof(int));
	}
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == 1;
}

bool channel_send_go(int fd)
{
	return put(fd, GO, -1);
}

bool channel_send_cut(int fd)
{
	return put(fd, CUT, -1);
}

bool channel_send_log(int fd, int log_fd)
{
	return put(fd, LOG, log_fd);
}

enum channel_word channel_hear(int fd)
{
	char what = 0;
	ssize_t got;

	/* There is no control buffer, so the kernel closes any descriptors that come with a message. */
	do
		got = recv(fd, &what, sizeof(what), MSG_DONTWAIT | MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? CHANNEL_SILENCE : CHANNEL_CLOSED;
	if (got == 0)
		return CHANNEL_CLOSED;
	if (got != sizeof(what))
		return CHANNEL_WRONG;
	return what == ALIVE ? CHANNEL_ALIVE : what == QUIET ? CHANNEL_QUIET : CHANNEL_WRONG;
}

/* ---- in a worker ---- */

/* Returns 1 if *what and *passed (-1: none) are set, 0 if the master has ended, -1 if no message is available. */
static int take(int fd, char *what, int *passed)
{
	struct iovec text = {.iov_base = what, .iov_len = 1};
	union passed_fd control = {.room = {0}};
	struct msghdr message = {
		.msg_iov = &text, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
	ssize_t got;

	*passed = -1;
	do
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) ? 0 : -1;
	const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(passed, CMSG_DATA(head), sizeof(int));
	return 1;
}

static void on_heard(struct ev_loop *loop, ev_io *io, int events)
{
	struct channel *channel = io->data;
	char what;
	int passed, got;

	(void)events;
	while ((got = take(io->fd, &what, &passed)) > 0) {
		if (what == GO && channel->go != NULL)
			channel->go(channel->arg);
		if (what == CUT && channel->cut != NULL)
			channel->cut(channel->arg);
		if (what == LOG && passed >= 0 && channel->log != NULL)
			channel->log(channel->arg, passed);
		else if (passed >= 0)
			(void)close(passed);
	}
	if (got == 0)
		ev_io_stop(loop, io); /* this process gets SIGTERM when the master ends */
}

/* If the master does not read for a long time, some messages are lost. That does no harm. */
static void tell(const struct channel *channel, char what)
{
	(void)put(channel->end.fd, what, -1);
}

void channel_tell_quiet(const struct channel *channel)
{
	tell(channel, QUIET);
}

static void on_alive(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell(timer->data, ALIVE);
}

static void let_term(int how)
{
	sigset_t term;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(how, &term, NULL);
}

void channel_start(struct channel *channel, struct ev_loop *loop, const struct channel_end *end)
{
	double every = (double)end->alive_ms / 1000.;

	channel->loop = loop;
	channel->end = *end;
	ev_io_init(&channel->heard, on_heard, end->fd, EV_READ);
	ev_timer_init(&channel->alive, on_alive, every, every);
	channel->heard.data = channel->alive.data = channel;
	ev_io_start(loop, &channel->heard);
	if (end->alive_ms > 0)
		ev_timer_start(loop, &channel->alive);
	let_term(SIG_UNBLOCK); /* the master has blocked it until now */
	tell(channel, ALIVE);
}

void channel_stop(struct channel *channel)
{
	if (channel->loop == NULL)
		return;
	let_term(SIG_BLOCK); /* another one must not end the process before it has finished */
	ev_io_stop(channel->loop, &channel->heard);
	ev_timer_stop(channel->loop, &channel->alive);
	channel->loop = NULL;
}
