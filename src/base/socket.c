#include "base/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

static ssize_t outcome(ssize_t moved)
{
	if (moved >= 0)
		return moved;
	return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_BLOCKED : TRANSPORT_BROKEN;
}

static ssize_t transport_read(void *io, void *data, size_t room)
{
	ssize_t got;

	do
		got = recv(*(const int *)io, data, room, 0);
	while (got < 0 && errno == EINTR);
	return outcome(got);
}

static ssize_t transport_write(void *io, const void *data, size_t len)
{
	ssize_t put;

	do
		put = send(*(const int *)io, data, len, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	return outcome(put);
}

static void transport_half_close(void *io)
{
	(void)shutdown(*(const int *)io, SHUT_WR);
}

static ssize_t transport_discard(void *io, size_t max)
{
	ssize_t got;

	/* tcp(7): MSG_TRUNC discards the bytes without copying them. */
	do
		got = recv(*(const int *)io, NULL, max, MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EFAULT) { /* Unix sockets copy in spite of MSG_TRUNC */
		char unread[4096];
		return transport_read(io, unread, max < sizeof(unread) ? max : sizeof(unread));
	}
	return outcome(got);
}

static ssize_t transport_peek(void *io, char *first)
{
	ssize_t got;

	do
		got = recv(*(const int *)io, first, 1, MSG_PEEK);
	while (got < 0 && errno == EINTR);
	return outcome(got);
}

struct transport socket_transport(int *fd)
{
	static const struct transport_ops ops = {
		.read = transport_read,
		.write = transport_write,
		.half_close = transport_half_close,
		.discard = transport_discard,
		.peek = transport_peek,
	};
	return (struct transport){.ops = &ops, .io = fd};
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un path;
};

/* The address's length; 0 with *err set. */
static socklen_t parse_numeric(union address *address, const char *host, uint16_t port, struct thaw_error *err)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(port);
		return sizeof(address->v4);
	}
	if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons(port);
		return sizeof(address->v6);
	}
	(void)error_set(err, THAW_ERR_USAGE, "%s: not a numeric IPv4 or IPv6 address", host);
	return 0;
}

static socklen_t parse_path(union address *address, const char *path, struct thaw_error *err)
{
	size_t len = strlen(path);

	memset(address, 0, sizeof(*address));
	if (len == 0 || len >= sizeof(address->path.sun_path)) {
		(void)error_set(err, THAW_ERR_USAGE, "%s: the path of a unix socket has 1 to %zu bytes", path,
				sizeof(address->path.sun_path) - 1);
		return 0;
	}
	address->path.sun_family = AF_UNIX;
	memcpy(address->path.sun_path, path, len);
	return (socklen_t)sizeof(address->path);
}

static int new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void enable(int fd, int level, int option)
{
	int on = 1;

	(void)setsockopt(fd, level, option, &on, sizeof(on)); /* optional: errors do no harm */
}

/* The system's default differs (net.ipv6.bindv6only). */
static void set_families(int fd, bool ipv6_only)
{
	int on = ipv6_only;

	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
			 sizeof(on)); /* if it fails, bind() reports a port that is in use */
}

/* Closes fd and keeps errno. */
static int close_failed(int fd)
{
	int cause = errno;

	(void)close(fd);
	errno = cause;
	return -1;
}

static int listen_on(const union address *address, socklen_t len, bool ipv6_only)
{
	int fd = new_socket(address->any.sa_family);

	if (fd < 0)
		return -1;
	if (address->any.sa_family != AF_UNIX)
		enable(fd, SOL_SOCKET, SO_REUSEADDR);
	if (address->any.sa_family == AF_INET6)
		set_families(fd, ipv6_only);
	if (bind(fd, &address->any, len) != 0 || listen(fd, SOMAXCONN) != 0)
		return close_failed(fd);
	return fd;
}

static int listen_to(const char *host, uint16_t port, bool ipv6_only, struct thaw_error *err)
{
	union address address;
	socklen_t len = parse_numeric(&address, host, port, err);

	if (len == 0)
		return -1;
	int fd = listen_on(&address, len, ipv6_only);
	if (fd < 0)
		(void)error_system(err, errno, "cannot listen on %s port %u", host, port);
	return fd;
}

int socket_listen(const char *host, uint16_t port, struct thaw_error *err)
{
	return listen_to(host, port, true, err);
}

int socket_listen_both(const char *host, uint16_t port, struct thaw_error *err)
{
	return listen_to(host, port, false, err);
}

/* Whether path is a socket file without a listener. */
static bool is_stale(const union address *address, socklen_t len)
{
	struct stat info;

	if (lstat(address->path.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
		return false;
	int fd = new_socket(AF_UNIX);
	bool refused = fd >= 0 && connect(fd, &address->any, len) != 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		(void)close(fd);
	return refused;
}

int socket_listen_unix(const char *path, struct thaw_error *err)
{
	union address address;
	socklen_t len = parse_path(&address, path, err);

	if (len == 0)
		return -1;
	int fd = listen_on(&address, len, true);
	if (fd < 0 && errno == EADDRINUSE) {
		if (is_stale(&address, len) && unlink(path) == 0)
			fd = listen_on(&address, len, true);
		else
			errno = EADDRINUSE;
	}
	if (fd < 0)
		(void)error_system(err, errno, "cannot listen on unix:%s", path);
	return fd;
}

static int connect_to(const union address *address, socklen_t len)
{
	int fd = new_socket(address->any.sa_family);

	if (fd < 0)
		return -1;
	if (address->any.sa_family != AF_UNIX)
		enable(fd, IPPROTO_TCP, TCP_NODELAY);
	if (connect(fd, &address->any, len) != 0 && errno != EINPROGRESS)
		return close_failed(fd);
	return fd;
}

int socket_connect(const char *host, uint16_t port, struct thaw_error *err)
{
	union address address;
	socklen_t len = parse_numeric(&address, host, port, err);

	if (len == 0)
		return -1;
	int fd = connect_to(&address, len);
	if (fd < 0)
		(void)error_system(err, errno, "cannot connect to %s port %u", host, port);
	return fd;
}

bool socket_address(struct sockaddr_storage *to, const char *host, uint16_t port, struct thaw_error *err)
{
	union address address;
	socklen_t len = parse_numeric(&address, host, port, err);

	memset(to, 0, sizeof(*to));
	memcpy(to, &address, sizeof(address));
	return len != 0;
}

bool socket_address_unix(struct sockaddr_storage *to, const char *path, struct thaw_error *err)
{
	union address address;
	socklen_t len = parse_path(&address, path, err);

	memset(to, 0, sizeof(*to));
	memcpy(to, &address, sizeof(address));
	return len != 0;
}

int socket_connect_address(const struct sockaddr_storage *to)
{
	union address address;

	memcpy(&address, to, sizeof(address));
	if (to->ss_family == AF_UNIX)
		return connect_to(&address, sizeof(address.path));
	return connect_to(&address, to->ss_family == AF_INET ? sizeof(address.v4) : sizeof(address.v6));
}

int socket_connect_outcome(int fd)
{
	int outcome = 0;
	socklen_t len = sizeof(outcome);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &outcome, &len) == 0 ? outcome : errno;
}

bool socket_is_quiet(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

int socket_accept(int listener, struct sockaddr_storage *peer)
{
	socklen_t len = sizeof(*peer);
	int fd;

	do
		fd = accept4(listener, (struct sockaddr *)peer, peer != NULL ? &len : NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd >= 0)
		enable(fd, IPPROTO_TCP, TCP_NODELAY); /* fails on a Unix socket, which does not need it */
	return fd;
}

uint16_t socket_port(int fd)
{
	union address address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	if (getsockname(fd, &address.any, &len) != 0)
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.v4.sin_port);
	return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

bool socket_has_bytes(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

uint64_t socket_received(int fd)
{
	struct tcp_info facts = {0};
	socklen_t len = sizeof(facts);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &facts, &len) == 0 ? facts.tcpi_bytes_received : 0;
}

uint64_t socket_unsent(int fd)
{
	int queued = 0;

	return ioctl(fd, SIOCOUTQ, &queued) == 0 && queued > 0 ? (uint64_t)queued : 0;
}
