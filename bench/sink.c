/*
 * The upstream of the measurements, as cheap as possible: one process, epoll, and a 200 for every HTTP/1.1 request,
 * with two bytes, or N if its target has the query "bytes=N". It drops the body unread (with a length, by MSG_TRUNC) or
 * decodes and drops it (chunked). It trusts its peers, which are the measured servers: input that it does not
 * understand ends the connection and is counted.
 *
 * Prints its port on standard output. GET /bench-counters returns its counters as JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM       65536 /* a head, or a piece of a chunked body */
#define DROP_MAX   (4 * 1024 * 1024)
#define EVENTS_MAX 64
#define COUNTERS   "GET /bench-counters "
#define BYTES      "?bytes="

enum state { IN_HEAD, IN_BODY, IN_CHUNK_SIZE, IN_CHUNK, IN_TRAILERS };

struct peer {
	int fd;
	enum state state;
	uint64_t left;   /* bytes left of the body, or of the chunk and its CRLF */
	uint64_t wanted; /* bytes of the response's body; 0: two */
	uint64_t unsent; /* bytes of it; nothing is read meanwhile */
	bool counters;
	bool writing; /* waits for EPOLLOUT, not for EPOLLIN */
	size_t have;
	char bytes[ROOM];
};

static int epoll;

static struct {
	uint64_t connections, requests, body, identified, bad;
} counted;

static void die(const char *what)
{
	(void)fprintf(stderr, "bench-sink: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Sends as much of a large response as the connection takes. */
static bool send_rest(struct peer *peer)
{
	static const char zeros[ROOM];
	struct epoll_event event = {.data.ptr = peer};

	while (peer->unsent > 0) {
		ssize_t sent = send(peer->fd, zeros, peer->unsent < ROOM ? (size_t)peer->unsent : ROOM, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN)
			break;
		if (sent < 0)
			return false;
		peer->unsent -= (uint64_t)sent;
	}
	if (peer->writing == (peer->unsent > 0))
		return true;
	peer->writing = peer->unsent > 0;
	event.events = peer->writing ? EPOLLOUT : EPOLLIN;
	return epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd, &event) == 0;
}

/* Answers a complete request. */
static bool respond(struct peer *peer)
{
	char body[256] = "ok", response[512];

	if (peer->counters)
		(void)snprintf(body, sizeof(body),
			       "{\"connections\": %" PRIu64 ", \"requests\": %" PRIu64 ", \"body\": %" PRIu64
			       ", \"identified\": %" PRIu64 ", \"bad\": %" PRIu64 "}",
			       counted.connections, counted.requests, counted.body, counted.identified, counted.bad);
	else
		counted.requests++;
	int len = snprintf(response, sizeof(response),
			   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %" PRIu64 "\r\n\r\n%s",
			   peer->wanted > 0 ? peer->wanted : (uint64_t)strlen(body), peer->wanted > 0 ? "" : body);
	peer->state = IN_HEAD;
	peer->unsent = peer->wanted;
	return send(peer->fd, response, (size_t)len, MSG_NOSIGNAL) == len && send_rest(peer);
}

static void consume(struct peer *peer, size_t len)
{
	memmove(peer->bytes, peer->bytes + len, peer->have - len);
	peer->have -= len;
}

/* The value of a field in the head, which is a string; NULL: the field is missing. */
static const char *field(const char *head, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

/* Reads from the head how the body is framed, and the client's verification. */
static void begin_body(struct peer *peer, const char *head)
{
	const char *length = field(head, "Content-Length"), *coding = field(head, "Transfer-Encoding"),
		   *verified = field(head, "X-SSL-Client-Verify");

	const char *bytes = strstr(head, BYTES), *line = strstr(head, "\r\n");

	peer->counters = strncmp(head, COUNTERS, strlen(COUNTERS)) == 0;
	peer->wanted = bytes != NULL && bytes < line ? strtoull(bytes + strlen(BYTES), NULL, 10) : 0;
	if (verified != NULL && strncasecmp(verified, "SUCCESS", 7) == 0)
		counted.identified++;
	if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) {
		peer->state = IN_CHUNK_SIZE;
		return;
	}
	peer->state = IN_BODY;
	peer->left = length != NULL ? strtoull(length, NULL, 10) : 0;
}

/* Each step takes the bytes that are there. 1: progress; 0: more bytes are needed; -1: not HTTP. */
static int step_head(struct peer *peer)
{
	char *end = memmem(peer->bytes, peer->have, "\r\n\r\n", 4);

	if (end == NULL)
		return peer->have < ROOM ? 0 : -1;
	end[2] = '\0';
	begin_body(peer, peer->bytes);
	consume(peer, (size_t)(end + 4 - peer->bytes));
	return 1;
}

/* Takes the line of a chunk's size, or a line of the trailers. */
static int step_line(struct peer *peer)
{
	char *end = memmem(peer->bytes, peer->have, "\r\n", 2), *stop;

	if (end == NULL)
		return peer->have < ROOM ? 0 : -1;
	size_t len = (size_t)(end - peer->bytes);
	if (peer->state == IN_TRAILERS) {
		consume(peer, len + 2);
		return len > 0 || respond(peer) ? 1 : -1;
	}
	*end = '\0';
	uint64_t size = strtoull(peer->bytes, &stop, 16);
	if (stop == peer->bytes)
		return -1;
	consume(peer, len + 2);
	peer->left = size + 2;
	counted.body += size;
	peer->state = size == 0 ? IN_TRAILERS : IN_CHUNK;
	return 1;
}

static int step_bytes(struct peer *peer)
{
	size_t len = peer->have < peer->left ? peer->have : (size_t)peer->left;

	consume(peer, len);
	peer->left -= len;
	counted.body += peer->state == IN_BODY ? len : 0;
	if (peer->left > 0)
		return 0;
	if (peer->state == IN_BODY)
		return respond(peer) ? 1 : -1;
	peer->state = IN_CHUNK_SIZE;
	return 1;
}

static int step(struct peer *peer)
{
	switch (peer->state) {
	case IN_HEAD:
		return step_head(peer);
	case IN_CHUNK_SIZE:
	case IN_TRAILERS:
		return step_line(peer);
	case IN_BODY:
	case IN_CHUNK:
		return step_bytes(peer);
	}
	return -1;
}

/* False: the connection has ended. */
static bool on_readable(struct peer *peer)
{
	bool drop = peer->state == IN_BODY;
	size_t room = drop ? (peer->left < DROP_MAX ? (size_t)peer->left : DROP_MAX) : ROOM - peer->have;
	ssize_t got = recv(peer->fd, drop ? NULL : peer->bytes + peer->have, room, drop ? MSG_TRUNC : 0);
	int moved;

	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	if (drop) {
		peer->left -= (uint64_t)got;
		counted.body += (uint64_t)got;
		return peer->left > 0 || respond(peer);
	}
	peer->have += (size_t)got;
	do
		moved = step(peer);
	while (moved > 0);
	counted.bad += moved < 0;
	return moved == 0;
}

static int listen_on_loopback(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		die("cannot listen");
	(void)printf("%u\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	return fd;
}

static void take(int listener)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;

	if (fd < 0)
		return;
	struct peer *peer = malloc(sizeof(*peer));
	if (peer == NULL)
		die("no memory");
	peer->fd = fd;
	peer->state = IN_HEAD;
	peer->have = 0;
	peer->unsent = 0;
	peer->writing = false;
	event.data.ptr = peer;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
	counted.connections++;
}

int main(void)
{
	struct epoll_event events[EVENTS_MAX], event = {.events = EPOLLIN, .data.ptr = NULL};
	pid_t parent = getppid();

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return EXIT_FAILURE;
	int listener = listen_on_loopback();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0)
		die("epoll");
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < count; i++) {
			struct peer *peer = events[i].data.ptr;
			if (peer == NULL) {
				take(listener);
			} else if (!(peer->writing ? send_rest(peer) : on_readable(peer))) {
				(void)close(peer->fd);
				free(peer);
			}
		}
	}
}
