#include "loop/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/socket.h"
#include "loop/handover.h"

/* ---- addresses ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un path;
};

static bool same_host(const char *a, const char *b)
{
	struct in6_addr one, other;

	for (int i = 0; i < 2; i++) {
		int family = i == 0 ? AF_INET : AF_INET6;
		size_t len = i == 0 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
		if (inet_pton(family, a, &one) == 1 && inet_pton(family, b, &other) == 1)
			return memcmp(&one, &other, len) == 0;
	}
	return strcmp(a, b) == 0;
}

static bool same(const struct config_listen *a, const struct config_listen *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == CONFIG_LISTEN_UNIX)
		return strcmp(a->path, b->path) == 0;
	return a->port == b->port && a->takes_ipv4 == b->takes_ipv4 && same_host(a->host, b->host);
}

/* "127.0.0.1:80", "[::1]:80", "unix:/path". NULL: out of memory. */
static char *name_of(const union address *address, socklen_t len)
{
	char host[INET6_ADDRSTRLEN] = "?", *name = NULL;
	int made;

	if (address->any.sa_family == AF_UNIX) {
		size_t room =
			len > offsetof(struct sockaddr_un, sun_path) ? len - offsetof(struct sockaddr_un, sun_path) : 0;
		made = asprintf(&name, "unix:%.*s", (int)strnlen(address->path.sun_path, room), address->path.sun_path);
	} else if (address->any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		made = asprintf(&name, "[%s]:%u", host, ntohs(address->v6.sin6_port));
	} else {
		(void)inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		made = asprintf(&name, "%s:%u", host, ntohs(address->v4.sin_port));
	}
	return made >= 0 ? name : NULL;
}

static char *name_of_socket(int fd)
{
	union address address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	if (getsockname(fd, &address.any, &len) != 0)
		return strdup("a descriptor that is not a socket");
	if (address.any.sa_family == AF_UNIX || address.any.sa_family == AF_INET || address.any.sa_family == AF_INET6)
		return name_of(&address, len);
	return strdup("a socket of an unknown family");
}

/* Returns whether this socket matches that setting. Port 0 in a setting matches no existing socket. */
static bool is_for(int fd, const struct config_listen *listen)
{
	char *is = name_of_socket(fd), *wanted = NULL;
	int made;

	if (listen->kind == CONFIG_LISTEN_UNIX)
		made = asprintf(&wanted, "unix:%s", listen->path);
	else if (strchr(listen->host, ':') == NULL)
		made = asprintf(&wanted, "%s:%u", listen->host, listen->port);
	else {
		union address address = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(listen->port)}};
		(void)inet_pton(AF_INET6, listen->host, &address.v6.sin6_addr);
		wanted = name_of(&address, sizeof(address.v6));
		made = wanted != NULL ? 0 : -1;
	}
	bool equal = is != NULL && made >= 0 && strcmp(is, wanted) == 0;
	free(is);
	if (made >= 0)
		free(wanted);
	return equal;
}

/* ---- where a socket comes from ---- */

struct sources {
	const struct config *config;
	const struct listeners *before;
	const struct handed *handed;
};

/* Returns the previous configuration's socket for the same address. Settings that are equal, such as several with port
 * 0, get different sockets, in order. */
static const struct listener *find_before(const struct sources *from, const struct config_listen *listen)
{
	const struct listeners *before = from->before;
	size_t nth = 0;

	if (before == NULL)
		return NULL;
	if (listen == from->config->admin)
		return before->admin.fd >= 0 && same(listen, before->config->admin) ? &before->admin : NULL;
	for (const struct config_listen *other = from->config->listens; other != listen; other++)
		nth += same(other, listen);
	for (size_t i = 0; i < before->count; i++)
		if (same(&before->config->listens[i], listen) && nth-- == 0)
			return &before->items[i];
	return NULL;
}

static int find_handed(const struct handed *handed, const struct config_listen *listen)
{
	for (unsigned i = 0; handed != NULL && i < handed->count; i++)
		if (is_for(handed->first + (int)i, listen))
			return handed->first + (int)i;
	return -1;
}

/* Returns whether an IPv6 socket accepts the address families of that setting (see base/socket.h). */
static bool takes_families(int fd, const struct config_listen *listen)
{
	int only = 0;
	socklen_t len = sizeof(only);

	if (listen->kind != CONFIG_LISTEN_TCP || strchr(listen->host, ':') == NULL)
		return true;
	return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && (only == 0) == listen->takes_ipv4;
}

/* Returns the socket that the replaced process had for that address. Settings that are equal, such as several with port
 * 0, get different sockets, in order. */
static int find_made(const struct sources *from, const struct config_listen *listen)
{
	const struct handover *made = from->handed != NULL ? from->handed->made : NULL;
	size_t nth = 0;

	if (made == NULL || from->before != NULL)
		return -1;
	if (listen != from->config->admin)
		for (const struct config_listen *other = from->config->listens; other != listen; other++)
			nth += strcmp(other->address, listen->address) == 0;
	for (size_t i = 0; i < made->count; i++)
		if (strcmp(made->sockets[i].address, listen->address) == 0 &&
		    takes_families(made->sockets[i].fd, listen) && nth-- == 0)
			return made->sockets[i].fd;
	for (size_t i = 0; i < made->count; i++) /* the address may be written differently */
		if (is_for(made->sockets[i].fd, listen) && takes_families(made->sockets[i].fd, listen))
			return made->sockets[i].fd;
	return -1;
}

/* Returns advice for an errno of bind(). */
static const char *cure_of(int cause, const struct config_listen *listen)
{
	if (cause == EADDRINUSE)
		return "; another process listens there: find it with 'ss -ltnp' or 'ss -lxp', or use another address";
	if (cause == EADDRNOTAVAIL)
		return "; this machine has no such address: see 'ip address', or use 0.0.0.0 or [::]";
	if (cause == EACCES && listen->kind == CONFIG_LISTEN_TCP)
		return "; ports below 1024 need root: start thaw as root, with 'user' set, or give it "
		       "CAP_NET_BIND_SERVICE";
	return "";
}

static int open_new(const struct config_listen *listen, struct thaw_error *err)
{
	struct thaw_error why = {.cls = THAW_ERR_NONE};
	int fd;

	errno = 0;
	if (listen->kind == CONFIG_LISTEN_UNIX)
		fd = socket_listen_unix(listen->path, &why);
	else if (listen->takes_ipv4)
		fd = socket_listen_both(listen->host, listen->port, &why);
	else
		fd = socket_listen(listen->host, listen->port, &why);
	if (fd < 0)
		(void)error_set(err, why.cls, "%s%s%s%s", listen->place != NULL ? listen->place : "",
				listen->place != NULL ? ": " : "", why.text, cure_of(errno, listen));
	return fd;
}

static int duplicate(int fd, const struct config_listen *listen, struct thaw_error *err)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		(void)error_system(err, errno, "cannot keep listening on %s", listen->address);
	return own;
}

/* Checks a socket from a service manager, which may have created it differently from ours. */
static enum thaw_status check_handed(int fd, const char *name, struct thaw_error *err)
{
	int type = 0, listens = 0, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || listens == 0)
		return error_set(err, THAW_ERR_CONFIG,
				 "the socket %s from the service manager is not a listening stream socket", name);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return error_system(err, errno, "cannot use the socket %s from the service manager", name);
	return THAW_OK;
}

static enum thaw_status open_one(struct listener *listener, const struct config_listen *listen,
				 const struct sources *from, struct thaw_error *err)
{
	const struct listener *before = find_before(from, listen);
	int handed = find_handed(from->handed, listen), made = find_made(from, listen);

	listener->kept = before != NULL;
	listener->handed = handed >= 0;
	listener->borrowed = !listener->handed && made >= 0;
	if (listener->handed)
		listener->fd = duplicate(handed, listen, err);
	else if (made >= 0)
		listener->fd = duplicate(made, listen, err);
	else if (listener->kept)
		listener->fd = duplicate(before->fd, listen, err);
	else
		listener->fd = open_new(listen, err);
	if (listener->fd < 0)
		return THAW_FAILED;
	listener->name = name_of_socket(listener->fd);
	if (listener->name == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	return listener->handed ? check_handed(listener->fd, listener->name, err) : THAW_OK;
}

/* Fails if a socket has no setting: nobody would accept from it, so its clients would wait forever. */
static enum thaw_status check_all_wanted(const struct handed *handed, const struct config *config,
					 struct thaw_error *err)
{
	for (unsigned i = 0; handed != NULL && i < handed->count; i++) {
		int fd = handed->first + (int)i;
		bool wanted = config->admin != NULL && is_for(fd, config->admin);
		for (size_t j = 0; !wanted && j < config->listen_count; j++)
			wanted = is_for(fd, &config->listens[j]);
		if (wanted)
			continue;
		char *name = name_of_socket(fd);
		(void)error_set(err, THAW_ERR_CONFIG,
				"the service manager passes the socket %s, but no 'listen' has that address",
				name != NULL ? name : "a socket");
		free(name);
		return THAW_FAILED;
	}
	return THAW_OK;
}

static enum thaw_status open_all(struct listeners *listeners, const struct sources *from, struct thaw_error *err)
{
	const struct config *config = from->config;

	if (check_all_wanted(from->handed, config, err) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < listeners->count; i++)
		if (open_one(&listeners->items[i], &config->listens[i], from, err) != THAW_OK)
			return THAW_FAILED;
	if (config->admin == NULL)
		return THAW_OK;
	return open_one(&listeners->admin, config->admin, from, err);
}

enum thaw_status listeners_open(struct listeners *listeners, const struct config *config,
				const struct listeners *before, const struct handed *handed, struct thaw_error *err)
{
	struct sources from = {.config = config, .before = before, .handed = handed};

	*listeners = (struct listeners){.config = config, .admin.fd = -1};
	listeners->items = calloc(config->listen_count, sizeof(*listeners->items));
	if (listeners->items == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	for (size_t i = 0; i < config->listen_count; i++)
		listeners->items[i].fd = -1;
	listeners->count = config->listen_count;
	if (open_all(listeners, &from, err) == THAW_OK)
		return THAW_OK;
	listeners_withdraw(listeners, before);
	listeners_free(listeners);
	return THAW_FAILED;
}

/* ---- closing ---- */

static void close_one(struct listener *listener)
{
	if (listener->fd >= 0)
		(void)close(listener->fd);
	listener->fd = -1;
}

void listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		close_one(&listeners->items[i]);
	close_one(&listeners->admin);
}

static bool goes_on(const struct listeners *go_on, const struct config_listen *listen)
{
	if (go_on == NULL)
		return false;
	for (size_t i = 0; i < go_on->count; i++)
		if (same(&go_on->config->listens[i], listen))
			return true;
	return go_on->config->admin != NULL && same(go_on->config->admin, listen);
}

static void withdraw_one(struct listener *listener, const struct config_listen *listen, const struct listeners *go_on)
{
	/* Only the file of an open socket is removed: once closed, another process may use its path. */
	if (listener->fd >= 0 && listen->kind == CONFIG_LISTEN_UNIX && !listener->handed && !listener->borrowed &&
	    !goes_on(go_on, listen))
		(void)unlink(listen->path);
	close_one(listener);
}

void listeners_withdraw(struct listeners *listeners, const struct listeners *go_on)
{
	for (size_t i = 0; i < listeners->count; i++)
		withdraw_one(&listeners->items[i], &listeners->config->listens[i], go_on);
	if (listeners->admin.fd >= 0)
		withdraw_one(&listeners->admin, listeners->config->admin, go_on);
}

static bool listens_on(const struct listeners *listeners, const char *name)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (strcmp(listeners->items[i].name, name) == 0)
			return true;
	return listeners->admin.fd >= 0 && strcmp(listeners->admin.name, name) == 0;
}

void listeners_own(struct listeners *listeners, struct handover *handover)
{
	static const char unix_begin[] = "unix:";

	for (size_t i = 0; i < listeners->count; i++)
		listeners->items[i].borrowed = false;
	listeners->admin.borrowed = false;
	for (size_t i = 0; i < handover->count; i++) {
		char *name = name_of_socket(handover->sockets[i].fd);
		if (name != NULL && strncmp(name, unix_begin, strlen(unix_begin)) == 0 && !listens_on(listeners, name))
			(void)unlink(name + strlen(unix_begin));
		free(name);
	}
	handover_close(handover);
}

void listeners_free(struct listeners *listeners)
{
	listeners_close(listeners);
	for (size_t i = 0; i < listeners->count; i++)
		free(listeners->items[i].name);
	free(listeners->admin.name);
	free(listeners->items);
	*listeners = (struct listeners){.admin.fd = -1};
}

void handed_close(const struct handed *handed)
{
	for (unsigned i = 0; i < handed->count; i++)
		(void)close(handed->first + (int)i);
}
