#include "probe/address.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/socket.h"

#define SCHEME "https://"

static enum thaw_status bad(struct thaw_error *err, const char *text, const char *why)
{
	return error_set(err, THAW_ERR_USAGE, "'%.200s': %s", text, why);
}

/* Copies path and query as allowed in a request line (RFC 9112 3.2.1): visible ASCII. The caller checked the length. */
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
	uint64_t port = 0;

	if (len > 5 || !ascii_number(from, len, 65535, &port) || port == 0)
		return false;
	(void)snprintf(url->port, sizeof(url->port), "%u", (unsigned)port);
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
		return bad(err, text, "the URL must begin with https://");
	size_t len = strcspn(at, "/?#");
	if (memchr(at, '@', len) != NULL)
		return error_set(err, THAW_ERR_USAGE,
				 "the URL must not contain a user"); /* do not print the password */
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
		return bad(err, text, "its host is not a valid name or address");
	if (port + 1 < end && !copy_port(url, port + 1, (size_t)(end - port - 1)))
		return bad(err, text, "its port must be between 1 and 65535");
	if (url->port[0] == '\0')
		memcpy(url->port, "443", sizeof("443"));
	bool usual = strcmp(url->port, "443") == 0;
	(void)snprintf(url->authority, sizeof(url->authority), "%s%s%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "",
		       usual ? "" : ":", usual ? "" : url->port);
	if (strcspn(end, "#") >= PROBE_TARGET_MAX)
		return bad(err, text, "its path is too long");
	return copy_target(url, end)
		       ? THAW_OK
		       : bad(err, text, "its path contains spaces or non-ASCII bytes (write them as %XX)");
}

#define TURN_MS 100 /* interval for checking for interrupts */

/* The time left, at most TURN_MS; 0: none, or interrupted. */
static uint32_t turn_ms(const struct probe_patience *patience, uint64_t until_ms)
{
	uint64_t now_ms = clock_now_ms();

	until_ms = until_ms < patience->until_ms ? until_ms : patience->until_ms;
	if (now_ms >= until_ms || (patience->interrupted != NULL && *patience->interrupted))
		return 0;
	return until_ms - now_ms < TURN_MS ? (uint32_t)(until_ms - now_ms) : TURN_MS;
}

/* ---- the name ---- */

struct question {
	struct gaicb request;
	struct addrinfo hints;
	char name[PROBE_NAME_MAX + 1], port[6];
};

/* RFC 6761 6.3: localhost and names below it are this machine, even without an entry in a hosts file. */
static bool is_local(const char *host)
{
	static const char local[] = "localhost";
	const size_t local_len = sizeof(local) - 1;
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	return len >= local_len && strncasecmp(host + len - local_len, local, local_len) == 0 &&
	       (len == local_len || host[len - local_len - 1] == '.');
}

static struct question *new_question(const struct probe_way *way)
{
	struct question *question = calloc(1, sizeof(*question));

	if (question == NULL)
		return NULL;
	(void)snprintf(question->name, sizeof(question->name), "%s", way->host);
	(void)snprintf(question->port, sizeof(question->port), "%s", way->port);
	question->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	question->request = (struct gaicb){
		.ar_name = is_local(way->host) ? NULL : question->name, /* NULL: the loopback addresses */
		.ar_service = question->port,
		.ar_request = &question->hints};
	return question;
}

/*
 * getaddrinfo() can take as long as the name servers are silent, so it runs asynchronously. 0: *found;
 * EAI_INPROGRESS: timed out. A lookup that cannot be cancelled keeps its question until it ends.
 */
static int look_up(const struct probe_way *way, const struct probe_patience *patience, struct addrinfo **found)
{
	struct question *question = new_question(way);
	struct gaicb *list[1];
	const struct gaicb *waited[1];
	uint32_t left_ms;

	if (question == NULL)
		return EAI_MEMORY;
	list[0] = &question->request;
	waited[0] = &question->request;
	int failed = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	if (failed == 0)
		failed = gai_error(list[0]);
	while (failed == EAI_INPROGRESS && (left_ms = turn_ms(patience, THAW_NEVER)) > 0) {
		(void)gai_suspend(waited, 1, &(struct timespec){.tv_nsec = (long)left_ms * 1000000});
		failed = gai_error(list[0]);
	}
	*found = question->request.ar_result;
	if (failed != EAI_INPROGRESS || gai_cancel(list[0]) == EAI_CANCELED)
		free(question);
	return failed;
}

/* ---- the address ---- */

/* 0: connected, else an errno. */
static int try_address(const struct sockaddr_storage *address, const struct probe_patience *patience)
{
	uint64_t until_ms = clock_now_ms() + patience->each_ms;
	int fd = socket_connect_address(address), ready = 0;
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	uint32_t left_ms;

	if (fd < 0)
		return errno;
	while (ready <= 0 && (left_ms = turn_ms(patience, until_ms)) > 0)
		ready = poll(&wait, 1, (int)left_ms);
	int error = ready > 0 ? socket_connect_outcome(fd) : ETIMEDOUT;
	(void)close(fd);
	return error;
}

static enum thaw_status name_failed(const char *host, int failed, struct thaw_error *err)
{
	if (failed == EAI_INPROGRESS)
		return error_set(err, THAW_ERR_TIMEOUT, "%s: the name lookup timed out (use a higher --limit)", host);
	if (failed == EAI_AGAIN)
		return error_set(err, THAW_ERR_SYSTEM,
				 "%s: no response from a name server: check this machine's network and DNS", host);
	return error_set(err, THAW_ERR_SYSTEM, "%s: %s: check the name, or set its address with --resolve", host,
			 gai_strerror(failed));
}

static enum thaw_status not_connected(const struct probe_way *way, int error, struct thaw_error *err)
{
	const char *cure = "check this machine's network, or use a proxy with --proxy";

	if (error == ECONNREFUSED)
		cure = "check host and port, and that the server runs";
	else if (error == ETIMEDOUT)
		cure = "no answer in time: check host and port; a firewall may drop the packets";
	return error_set(err, THAW_ERR_SYSTEM, "%s, port %s: %s: %s", way->host, way->port, strerror(error), cure);
}

static enum thaw_status find_one(const struct probe_way *way, const struct probe_patience *patience,
				 struct sockaddr_storage *address, bool *named, struct thaw_error *err)
{
	struct addrinfo *found = NULL;
	int failed = look_up(way, patience, &found), error = ENETUNREACH;

	*named = failed == 0;
	if (failed != 0)
		return name_failed(way->host, failed, err);
	for (const struct addrinfo *each = found; each != NULL && error != 0; each = each->ai_next) {
		memset(address, 0, sizeof(*address));
		memcpy(address, each->ai_addr, each->ai_addrlen);
		error = try_address(address, patience);
	}
	freeaddrinfo(found);
	return error == 0 ? THAW_OK : not_connected(way, error, err);
}

enum thaw_status probe_find_address(const struct probe_way *way, const struct probe_patience *patience,
				    struct sockaddr_storage *address, bool *named, struct thaw_error *err)
{
	struct probe_way one = *way;
	enum thaw_status status = THAW_FAILED;

	if (way->addresses == NULL)
		return find_one(way, patience, address, named, err);
	for (const char *at = way->addresses; *at != '\0' && status != THAW_OK; at += *at == ',') {
		size_t len = strcspn(at, ","), bracket = *at == '[';
		size_t inner = len - bracket - (bracket && len > 1 && at[len - 1] == ']');
		(void)snprintf(one.host, sizeof(one.host), "%.*s", (int)inner, at + bracket);
		err->cls = THAW_ERR_NONE;
		status = find_one(&one, patience, address, named, err);
		at += len;
	}
	return status;
}
