/*
 * The options that say how a command gets to a server, and what it calls itself; shared by `thaw send` and `thaw
 * probe`. Names and meanings are curl's. A command puts CLI_ROUTE_OPTIONS into its table and CLI_ROUTE_HELP into its
 * help.
 */
#ifndef CLI_ROUTE_H
#define CLI_ROUTE_H

#include <getopt.h>
#include <stddef.h>

#include "cli/identity.h"
#include "cli/secret.h"

#define CLI_ROUTES_MAX 16

struct cli_route {
	const char *connect_to[CLI_ROUTES_MAX], *resolve[CLI_ROUTES_MAX];
	size_t connect_to_count, resolve_count;
	const char *user_agent; /* NULL: the command's own */
	const char *proxy_ca;   /* NULL: whom the system believes */
	char *sni;              /* in ASCII; NULL: the URL's host */
	char own_agent[48];
};

/* getopt_long()'s results; a command's own begin behind them. */
enum cli_route_option {
	CLI_CONNECT_TO = CLI_IDENTITY_END,
	CLI_RESOLVE,
	CLI_SNI,
	CLI_PROXY_CA,
	CLI_USER_AGENT,
	CLI_ROUTE_END
};

#define CLI_ROUTE_OPTIONS                                                                                           \
	{"connect-to", required_argument, NULL, CLI_CONNECT_TO}, {"resolve", required_argument, NULL, CLI_RESOLVE}, \
		{"sni", required_argument, NULL, CLI_SNI}, {"proxy-ca", required_argument, NULL, CLI_PROXY_CA},     \
	{                                                                                                           \
		"user-agent", required_argument, NULL, CLI_USER_AGENT                                               \
	}

#define CLI_ROUTE_HELP                                                                                                \
	"  --connect-to HOST1:PORT1:HOST2:PORT2  connect to HOST2 in place of HOST1; SNI, Host and the name in the\n" \
	"                   certificate stay HOST1's; an empty part means any, or the same; up to 16 times\n"         \
	"  --resolve HOST:PORT:ADDRESS[,ADDRESS...]  the addresses of a host; up to 16 times\n"                       \
	"  --sni NAME       the name in SNI, and in the server's certificate; default the host of the URL\n"          \
	"  --proxy-ca FILE  CA certificates to verify an https:// proxy with (PEM); default: the system's\n"          \
	"  --user-agent TEXT  the User-Agent field; default thaw-COMMAND/VERSION\n"

/* CLI_GO_ON: the option is not one of these. Else EX_OK, or EX_USAGE after telling what is wrong. */
int cli_route_take(struct cli_route *route, const char *command, int option, const char *value);

void cli_route_free(struct cli_route *route);

/* --user-agent, or "thaw-COMMAND/VERSION"; belongs to the route. */
const char *cli_route_agent(struct cli_route *route, const char *command);

/* The value of --user or --proxy-user: a copy, since other users can see the command line, from which it is wiped.
 * EX_OK; or the exit code after telling what is wrong. */
int cli_take_user(const char *command, bool proxy, char **user, char *value);

#endif
