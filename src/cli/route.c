#include "cli/route.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "cli/options.h"
#include "cli/report.h"
#include "cli/values.h"
#include "thaw/thaw.h"

/* Skips a name, an address, or an IPv6 address in brackets. Returns NULL if there is none. */
static const char *past_host(const char *text)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL;

	if (text[0] == '[')
		return end != NULL ? end + 1 : NULL;
	return text + strcspn(text, ":");
}

/* Skips a port, which may be empty: any port, or the same port. */
static const char *past_port(const char *text)
{
	char digits[6] = "";
	size_t len = strspn(text, "0123456789");
	uint64_t port = 0;

	if (len >= sizeof(digits))
		return NULL;
	memcpy(digits, text, len);
	return len == 0 || cli_read_number(digits, 1, 65535, &port) ? text + len : NULL;
}

/* Skips "HOST:PORT". */
static const char *past_pair(const char *text)
{
	const char *at = past_host(text);

	return at != NULL && *at == ':' ? past_port(at + 1) : NULL;
}

/* As curl's: PORT2 may be left out together with its colon. */
static bool is_connect_to(const char *text)
{
	const char *at = past_pair(text);

	at = at != NULL && *at == ':' ? past_host(at + 1) : NULL;
	if (at != NULL && *at == ':')
		at = past_port(at + 1);
	return at != NULL && *at == '\0';
}

static bool is_address(const char *text, size_t len)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	bool bracket = len > 1 && text[0] == '[' && text[len - 1] == ']';

	text += bracket;
	len -= bracket ? 2 : 0;
	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	return inet_pton(AF_INET6, address, bytes) == 1 || (!bracket && inet_pton(AF_INET, address, bytes) == 1);
}

/* As curl's: "+" before it is for entries that time out, of which there are none here; "-HOST:PORT" takes back an
 * earlier one. */
static bool is_resolve(const char *text)
{
	bool removes = text[0] == '-';
	const char *host = text + (removes || text[0] == '+'), *at = past_pair(host);

	if (host[0] == ':' || at == NULL || at[-1] == ':')
		return false;
	if (removes)
		return at[0] == '\0';
	if (at[0] != ':')
		return false;
	do {
		size_t len = strcspn(at + 1, ",");
		if (!is_address(at + 1, len))
			return false;
		at += 1 + len;
	} while (at[0] == ',');
	return at[0] == '\0';
}

static int add(const char **list, size_t *count, const char *value)
{
	list[(*count)++] = value;
	return EX_OK;
}

static int no_memory(void)
{
	return cli_fail(&(struct thaw_error){.cls = THAW_ERR_RESOURCE, .text = "out of memory"});
}

static int take_user(const char *command, bool proxy, char **user, char *value)
{
	cli_secret_free(user);
	*user = strdup(value);
	cli_secret_hide(value);
	if (*user == NULL)
		return no_memory();
	if (**user == ':' || (proxy && strchr(*user, ':') == NULL))
		return cli_bad_usage(command, proxy ? "--proxy-user: allowed: NAME:PASSWORD"
						    : "--user: allowed: NAME or NAME:PASSWORD");
	return EX_OK;
}

static bool is_proxy_scheme(const char *text, size_t len, bool socks)
{
	static const char *const names[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
	size_t count = socks ? sizeof(names) / sizeof(names[0]) : 2;

	for (size_t i = 0; i < count; i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], text, len) == 0)
			return true;
	return false;
}

/* What is between "://" and "@" is the user, and no longer on the command line. */
static int take_proxy(struct cli_route *route, const char *command, char *value)
{
	char *from = strstr(value, "://"), *at = from != NULL ? from + 3 : value;
	char *end = memrchr(at, '@', strcspn(at, "/?#")), *user = NULL;

	free(route->proxy);
	route->proxy = NULL;
	bool socks = strcmp(command, "send") == 0;
	if (from != NULL && !is_proxy_scheme(value, (size_t)(from - value), socks))
		return cli_bad_usage(command, "--%s '%.*s': allowed: %s", "proxy", (int)(at - value), value,
				     socks ? "http://, https://, socks4://, socks4a://, socks5://, socks5h://"
					   : "http://, https://");
	if (end != NULL && !route->user_is_named) {
		bool password = memchr(at, ':', (size_t)(end - at)) != NULL;
		cli_secret_free(&route->proxy_user);
		if (asprintf(&user, "%.*s%s", (int)(end - at), at, password ? "" : ":") < 0)
			return no_memory();
		route->proxy_user = user;
	}
	if (asprintf(&route->proxy, "%.*s%s", (int)(at - value), value, end != NULL ? end + 1 : at) < 0)
		route->proxy = NULL;
	if (end != NULL)
		cli_secret_hide(at);
	return route->proxy != NULL ? EX_OK : no_memory();
}

int cli_route_take(struct cli_route *route, const char *command, int option, char *value)
{
	switch (option) {
	case CLI_CONNECT_TO:
		if (is_connect_to(value) && route->connect_to_count < CLI_ROUTES_MAX)
			return add(route->connect_to, &route->connect_to_count, value);
		return cli_bad_usage(command,
				     "--connect-to '%s': allowed: HOST1:PORT1:HOST2:PORT2 (IPv6 addresses in "
				     "brackets), up to 16 times",
				     value);
	case CLI_RESOLVE:
		if (is_resolve(value) && route->resolve_count < CLI_ROUTES_MAX)
			return add(route->resolve, &route->resolve_count, value);
		return cli_bad_usage(command,
				     "--resolve '%s': allowed: HOST:PORT:ADDRESS[,ADDRESS...] with IPv4 and IPv6 "
				     "addresses, up to 16 times",
				     value);
	case CLI_SNI:
		free(route->sni);
		return cli_take_name(command, "sni", value, &route->sni);
	case CLI_PROXY:
		return take_proxy(route, command, value);
	case CLI_PROXY_USER:
		route->user_is_named = true;
		return take_user(command, true, &route->proxy_user, value);
	case CLI_NOPROXY:
		route->no_proxy = value;
		return EX_OK;
	case CLI_PROXY_CA:
		route->proxy_ca = value;
		return EX_OK;
	case CLI_USER_AGENT:
		route->user_agent = value;
		if (value[0] == '\0' || cli_is_value(value))
			return EX_OK;
		return cli_bad_usage(command, "--user-agent: control characters are not allowed");
	default:
		return CLI_GO_ON;
	}
}

void cli_route_free(struct cli_route *route)
{
	free(route->sni);
	free(route->proxy);
	cli_secret_free(&route->proxy_user);
	route->sni = route->proxy = NULL;
}

const char *cli_route_agent(struct cli_route *route, const char *command)
{
	(void)snprintf(route->own_agent, sizeof(route->own_agent), "thaw-%s/%s", command, thaw_version());
	return route->user_agent != NULL ? route->user_agent : route->own_agent;
}

int cli_take_user(const char *command, char **user, char *value)
{
	return take_user(command, false, user, value);
}
