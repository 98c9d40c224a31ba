#include "cli/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static bool is_connect_to(const char *text)
{
	const char *at = past_pair(text);

	at = at != NULL && *at == ':' ? past_pair(at + 1) : NULL;
	return at != NULL && *at == '\0';
}

static bool is_resolve(const char *text)
{
	const char *at = past_pair(text);

	return text[0] != ':' && at != NULL && at[-1] != ':' && at[0] == ':' && at[1] != '\0' &&
	       at[1 + strspn(at + 1, "0123456789abcdefABCDEF.:,[]")] == '\0';
}

static int add(const char **list, size_t *count, const char *value)
{
	list[(*count)++] = value;
	return EX_OK;
}

int cli_route_take(struct cli_route *route, const char *command, int option, const char *value)
{
	switch (option) {
	case CLI_CONNECT_TO:
		if (is_connect_to(value) && route->connect_to_count < CLI_ROUTES_MAX)
			return add(route->connect_to, &route->connect_to_count, value);
		return cli_bad_usage(command, "--connect-to '%s': allowed: HOST1:PORT1:HOST2:PORT2, up to 16 times",
				     value);
	case CLI_RESOLVE:
		if (is_resolve(value) && route->resolve_count < CLI_ROUTES_MAX)
			return add(route->resolve, &route->resolve_count, value);
		return cli_bad_usage(command, "--resolve '%s': allowed: HOST:PORT:ADDRESS[,ADDRESS...], up to 16 times",
				     value);
	case CLI_SNI:
		free(route->sni);
		return cli_take_name(command, "sni", value, &route->sni);
	case CLI_PROXY_CA:
		route->proxy_ca = value;
		return EX_OK;
	case CLI_USER_AGENT:
		route->user_agent = value;
		return cli_is_value(value)
			       ? EX_OK
			       : cli_bad_usage(command, "--user-agent must not be empty or contain control characters");
	default:
		return CLI_GO_ON;
	}
}

void cli_route_free(struct cli_route *route)
{
	free(route->sni);
	route->sni = NULL;
}

const char *cli_route_agent(struct cli_route *route, const char *command)
{
	(void)snprintf(route->own_agent, sizeof(route->own_agent), "thaw-%s/%s", command, thaw_version());
	return route->user_agent != NULL ? route->user_agent : route->own_agent;
}

int cli_take_user(const char *command, bool proxy, char **user, char *value)
{
	cli_secret_free(user);
	*user = strdup(value);
	cli_secret_hide(value);
	if (*user == NULL)
		return cli_fail(&(struct thaw_error){.cls = THAW_ERR_RESOURCE, .text = "out of memory"});
	if (**user == ':' || (proxy && strchr(*user, ':') == NULL))
		return cli_bad_usage(command, proxy ? "--proxy-user: allowed: NAME:PASSWORD"
						    : "--user: allowed: NAME or NAME:PASSWORD");
	return EX_OK;
}
