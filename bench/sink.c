/*
 * The cheapest upstream there is: answers every request with 200 and two bytes, keeps its connections, and throws
 *bodies away. Its work is the same for every server in front of it, and is not counted.
 *
 *	sink PORT    serves until its parent ends
 */
#include <errno.h>
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
#include <sysexits.h>
#include <unistd.h>

#define FILES  65536
#define HEAD   16384
#define EVENTS 64

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct peer {
	char head[HEAD];
	size_t len;
	uint64_t left; /* of a body of known length */
	bool chunked;  /* a chunked body is being looked through for its end */
	unsigned tail; /* bytes of "\r\n0\r\n\r\n" that have come */
};

static struct peer *peers[FILES];

static void drop(int fd)
{
	free(peers[fd]);
	peers[fd] = NULL;
	(void)close(fd);
}

static bool reply(int fd)
{
	return send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(answer) - 1;
}

/* A chunked body's end, by its last bytes: good enough for bodies that do not contain it, as those of the load do not.
 */
static bool chunks_end(struct peer *peer, const char *data, size_t len)
{
	static const char end[] = "\r\n0\r\n\r\n";

	for (size_t i = 0; i < len; i++) {
		peer->tail = data[i] == end[peer->tail] ? peer->tail + 1 : data[i] == end[0] ? 1 : 0;
		if (peer->tail == sizeof(end) - 1)
			return true;
	}
	return false;
}

/* A head is complete: what does it say of its body? What of it is here already is behind end. */
static bool begin(int fd, struct peer *peer, char *end)
{
	size_t here = peer->len - (size_t)(end - peer->head);
	char *length = strcasestr(peer->head, "\r\ncontent-length:");

	peer->chunked = strcasestr(peer->head, "\r\ntransfer-encoding:") != NULL;
	peer->left = length != NULL && length < end ? strtoull(length + 17, NULL, 10) : 0;
	peer->len = 0;
	if (strcasestr(peer->head, "\r\nexpect:") != NULL && here == 0 &&
	    send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) != 25)
		return false;
	if (peer->chunked) {
		peer->tail = 2; /* the head's own end counts as the CRLF before a size */
		if (!chunks_end(peer, end, here))
			return true;
		peer->chunked = false;
		return reply(fd);
	}
	peer->left -= here < peer->left ? here : peer->left;
	return peer->left > 0 || reply(fd);
}

static bool serve(int fd, struct peer *peer)
{
	static char body[1 << 20];
	bool in_body = peer->left > 0 || peer->chunked;
	ssize_t n =
		in_body ? recv(fd, body, sizeof(body), 0) : recv(fd, peer->head + peer->len, HEAD - 1 - peer->len, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	if (peer->left > 0) {
		peer->left -= (uint64_t)n < peer->left ? (uint64_t)n : peer->left;
		return peer->left > 0 || reply(fd);
	}
	if (peer->chunked) {
		peer->chunked = !chunks_end(peer, body, (size_t)n);
		return peer->chunked || reply(fd);
	}
	peer->len += (size_t)n;
	peer->head[peer->len] = '\0';
	char *end = strstr(peer->head, "\r\n\r\n");
	return end == NULL ? peer->len < HEAD - 1 : begin(fd, peer, end + 4);
}

static void take(int listener, int loop)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;

	if (fd < 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	if (fd >= FILES || (peers[fd] = calloc(1, sizeof(struct peer))) == NULL ||
	    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) != 0)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), loop = epoll_create1(0), on = 1;
	struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.fd = listener}};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: sink PORT\n");
		return EX_USAGE;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 1024) != 0 ||
	    epoll_ctl(loop, EPOLL_CTL_ADD, listener, events) != 0) {
		perror("sink");
		return EX_OSERR;
	}
	for (;;) {
		int count = epoll_wait(loop, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			if (fd == listener)
				take(listener, loop);
			else if (peers[fd] != NULL && !serve(fd, peers[fd]))
				drop(fd);
		}
	}
}
