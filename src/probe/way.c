#include "probe/way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/error.h"
#include "probe/no_proxy.h"

/* curl's default */
#define PROXY_PORT     "1080"
#define PROXY_PORT_TLS "443"

/* A part of an option: a host without brackets, or a port. */
struct span {
	const char *at;
	size_t len;
};

static struct span host_span(const char **text)
{
	struct span span = {*text, strcspn(*text, ":")};

	if (**text == '[') {
		span = (struct span){*text + 1, strcspn(*text + 1, "]")};
		*text = span.at + span.len + (span.at[span.len] == ']');
	} else {
		*text += span.len;
	}
	*text += **text == ':';
	return span;
}

static struct span port_span(const char **text)
{
	struct span span = {*text, strcspn(*text, ":/")};

	*text += span.len;
	*text += **text == ':';
	return span;
}

static bool means(struct span span, const char *name)
{
	return span.len == strlen(name) && strncasecmp(span.at, name, span.len) == 0;
}

/* The option was checked before; text that does not fit is cut. */
static void copy(char *to, size_t room, struct span span)
{
	(void)snprintf(to, room, "%.*s", (int)span.len, span.at);
}

/* The first match is used; an empty part matches everything, or changes nothing. */
static void connect_to(struct probe_way *way, const struct probe_routes *routes)
{
	for (size_t i = 0; i < routes->connect_to_count; i++) {
		const char *at = routes->connect_to[i];
		struct span host = host_span(&at), port = port_span(&at), to = host_span(&at), to_port = port_span(&at);
		if ((host.len > 0 && !means(host, way->host)) || (port.len > 0 && !means(port, way->port)))
			continue;
		if (to.len > 0)
			copy(way->host, sizeof(way->host), to);
		if (to_port.len > 0)
			copy(way->port, sizeof(way->port), to_port);
		return;
	}
}

/* The last entry for a host counts, and any for that host more than one for "*". "-HOST:PORT" takes it back. */
static void resolve(struct probe_way *way, const struct probe_routes *routes)
{
	const char *own = NULL, *any = NULL;

	for (size_t i = 0; i < routes->resolve_count; i++) {
		const char *at = routes->resolve[i];
		bool removes = *at == '-';
		at += removes || *at == '+';
		struct span host = host_span(&at), port = port_span(&at);
		if (!means(port, way->port))
			continue;
		if (means(host, "*"))
			any = removes ? NULL : at;
		else if (means(host, way->host))
			own = removes ? NULL : at;
	}
	way->addresses = own != NULL ? own : any;
}

/* As curl's, in place. */
static void decode(char *text)
{
	char *to = text;
	int byte;

	for (; *text != '\0'; text++) {
		byte = *text == '%' ? ascii_hex_byte(text + 1) : 0;
		*to++ = byte > 0 ? (char)byte : *text;
		text += byte > 0 ? 2 : 0;
	}
	*to = '\0';
}

/* "Proxy-Authorization: Basic ..." with its line end, or "". NULL: no memory. */
static char *make_login(const char *user)
{
	char *plain = strdup(user != NULL ? user : ""), *made = NULL;

	if (plain == NULL)
		return NULL;
	decode(plain);
	size_t len = strlen(plain);
	char *coded = calloc(1, BASE64_LEN(len) + 1);
	if (coded != NULL) {
		base64_encode((const uint8_t *)plain, len, coded);
		if (asprintf(&made, "%s%s%s", user != NULL ? "Proxy-Authorization: Basic " : "", coded,
			     user != NULL ? "\r\n" : "") < 0)
			made = NULL;
		explicit_bzero(coded, strlen(coded));
	}
	free(coded);
	explicit_bzero(plain, len);
	free(plain);
	return made;
}

static char *make_head(const struct probe_way *way, const struct probe_routes *routes)
{
	bool v6 = strchr(way->host, ':') != NULL, agent = routes->user_agent[0] != '\0';
	char *login = make_login(routes->proxy_user), *head = NULL;

	if (login == NULL)
		return NULL;
	if (asprintf(&head, "CONNECT %s%s%s:%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n%s%s%s%s\r\n", v6 ? "[" : "", way->host,
		     v6 ? "]" : "", way->port, v6 ? "[" : "", way->host, v6 ? "]" : "", way->port,
		     agent ? "User-Agent: " : "", routes->user_agent, agent ? "\r\n" : "", login) < 0)
		head = NULL;
	explicit_bzero(login, strlen(login));
	free(login);
	return head;
}

static enum thaw_status take_proxy(struct probe_way *way, const char *proxy, struct thaw_error *err)
{
	const char *colons = strstr(proxy, "://"), *at = colons != NULL ? colons + 3 : proxy;
	uint64_t port = 0;

	bool tls = strncasecmp(proxy, "https://", 8) == 0;

	if (colons != NULL && !tls && strncasecmp(proxy, "http://", 7) != 0)
		return error_set(err, THAW_ERR_USAGE, "the proxy's scheme must be http or https");
	if (strchr(at, '@') != NULL)
		return error_set(err, THAW_ERR_USAGE, "name the proxy's user with --proxy-user, not in its URL");
	bool closed = *at != '[' || strchr(at, ']') != NULL;
	struct span host = host_span(&at), number = port_span(&at);
	bool ok = closed && host.len > 0 && host.len <= PROBE_NAME_MAX && number.len <= 5 &&
		  (*at == '\0' || strcmp(at, "/") == 0);
	if (ok && number.len > 0)
		ok = ascii_number(number.at, number.len, 65535, &port) && port > 0;
	if (!ok)
		return error_set(err, THAW_ERR_USAGE, "proxy '%.200s' must be [SCHEME://]HOST[:PORT]", proxy);
	copy(way->host, sizeof(way->host), host);
	(void)snprintf(way->port, sizeof(way->port), "%s", tls ? PROXY_PORT_TLS : PROXY_PORT);
	if (number.len > 0)
		copy(way->port, sizeof(way->port), number);
	way->tls = tls;
	return THAW_OK;
}

bool probe_way_has_proxy(const struct probe_url *url, const struct probe_routes *routes)
{
	return routes->proxy != NULL && routes->proxy[0] != '\0' &&
	       (routes->no_proxy == NULL || !no_proxy_has(routes->no_proxy, url->host));
}

enum thaw_status probe_way_find(struct probe_way *way, const struct probe_url *url, const struct probe_routes *routes,
				char **proxy_head, struct thaw_error *err)
{
	*proxy_head = NULL;
	*way = (struct probe_way){.addresses = NULL};
	(void)snprintf(way->host, sizeof(way->host), "%s", url->host);
	(void)snprintf(way->port, sizeof(way->port), "%s", url->port);
	connect_to(way, routes);
	if (probe_way_has_proxy(url, routes)) {
		*proxy_head = make_head(way, routes);
		if (*proxy_head == NULL)
			return error_set(err, THAW_ERR_RESOURCE, "out of memory");
		if (take_proxy(way, routes->proxy, err) != THAW_OK)
			return THAW_FAILED;
	}
	resolve(way, routes);
	return THAW_OK;
}
