#include "probe/address.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/error.h"
#include "base/socket.h"

#define SCHEME "https://"

static enum thaw_status bad(struct thaw_error *err, const char *text, const char *why)
{
	return error_set(err, THAW_ERR_USAGE, "'%.200s': %s", text, why);
}

/* A path and query as they may stand in a request line (RFC 9112 3.2.1): visible ASCII. They fit. */
static bool copy_target(struct probe_url *url, const char *from)
{
	size_t len = strcspn(from, "#");
	size_t at = from[0] == '/' ? 0 : 1;

	url->target[0] = '/';
	for (size_t i = 0; i < len; i++) {
		if (from[i] <= ' ' || from[i] > '~')
			return false;
		url->target[at + i] = from[i];
	}
	url->target[len + at] = '\0';
	return true;
}

static bool copy_port(struct probe_url *url, const char *from, size_t len)
{
	unsigned port = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)from[i]) || i > 4)
			return false;
		port = port * 10 + (unsigned)(from[i] - '0');
	}
	if (port == 0 || port > 65535)
		return false;
	(void)snprintf(url->port, sizeof(url->port), "%u", port);
	return true;
}

static bool copy_host(struct probe_url *url, const char *from, size_t len)
{
	if (len == 0 || len > PROBE_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)from[i]) && strchr("-._:%", from[i]) == NULL)
			return false;
	memcpy(url->host, from, len);
	url->host[len] = '\0';
	return true;
}

enum thaw_status probe_url_parse(struct probe_url *url, const char *text, struct thaw_error *err)
{
	const char *at = text + strlen(SCHEME);

	memset(url, 0, sizeof(*url));
	if (strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
		return bad(err, text, "a URL that begins with https:// is expected");
	size_t len = strcspn(at, "/?#");
	if (memchr(at, '@', len) != NULL)
		return error_set(err, THAW_ERR_USAGE,
				 "a URL without a user is expected"); /* his password is not told */
	const char *end = at + len, *host = at, *host_end, *port;
	bool v6 = *at == '[';
	if (v6) {
		host = at + 1;
		host_end = memchr(host, ']', (size_t)(end - host));
		port = host_end != NULL ? host_end + 1 : NULL;
	} else {
		host_end = memchr(host, ':', len);
		host_end = host_end != NULL ? host_end : end;
		port = host_end;
	}
	if (port == NULL || (port < end && *port != ':') || !copy_host(url, host, (size_t)(host_end - host)))
		return bad(err, text, "its host is neither a name nor an address");
	if (port + 1 < end && !copy_port(url, port + 1, (size_t)(end - port - 1)))
		return bad(err, text, "its port is none of 1 to 65535");
	if (url->port[0] == '\0')
		memcpy(url->port, "443", sizeof("443"));
	bool usual = strcmp(url->port, "443") == 0;
	(void)snprintf(url->authority, sizeof(url->authority), "%s%s%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "",
		       usual ? "" : ":", usual ? "" : url->port);
	if (strcspn(end, "#") >= PROBE_TARGET_MAX)
		return bad(err, text, "its path is too long");
	return copy_target(url, end) ? THAW_OK
				     : bad(err, text, "its path has blanks or bytes beyond ASCII (write them as %XX)");
}

/* 0: connected, else an errno. */
static int try_address(const struct sockaddr_storage *address, uint32_t timeout_ms)
{
	int fd = socket_connect_address(address);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	int error;

	if (fd < 0)
		return errno;
	error = poll(&wait, 1, (int)timeout_ms) > 0 ? socket_connect_outcome(fd) : ETIMEDOUT;
	(void)close(fd);
	return error;
}

/* RFC 6761 6.3: names below localhost are this machine, whether or not the system knows that. */
static bool is_local(const char *host)
{
	static const char suffix[] = ".localhost";
	size_t len = strlen(host);

	return len > sizeof(suffix) - 1 && strcasecmp(host + len - (sizeof(suffix) - 1), suffix) == 0;
}

enum thaw_status probe_find_address(const struct probe_url *url, struct sockaddr_storage *address, uint32_t timeout_ms,
				    bool *refused, struct thaw_error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int failed = getaddrinfo(is_local(url->host) ? "localhost" : url->host, url->port, &hints, &found),
	    error = ENETUNREACH;

	*refused = failed == 0;
	if (failed != 0)
		return error_set(err, THAW_ERR_SYSTEM, "%s: %s", url->host,
				 failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
	for (const struct addrinfo *each = found; each != NULL && error != 0; each = each->ai_next) {
		memset(address, 0, sizeof(*address));
		memcpy(address, each->ai_addr, each->ai_addrlen);
		error = try_address(address, timeout_ms);
	}
	freeaddrinfo(found);
	return error == 0 ? THAW_OK : error_system(err, error, "%s, port %s", url->host, url->port);
}
