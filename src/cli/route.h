/*
 * The options for connecting to a server, and the User-Agent; shared by `thaw send` and `thaw probe`. Their names
 * and meanings are curl's. A command adds CLI_ROUTE_OPTIONS to its table and CLI_ROUTE_HELP to its help.
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
	const char *user_agent; /* NULL: the default of the command */
	const char *proxy_ca;   /* NULL: the system's CAs */
	char *sni;              /* in ASCII; NULL: the host of the URL */
	char own_agent[48];
};

/* Return values of getopt_long(); a command's own values start after them. */
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
	"  --connect-to HOST1:PORT1:HOST2:PORT2  connect to HOST2 instead of HOST1; SNI, Host and the name in the\n"  \
	"                   certificate stay HOST1's; an empty part means any, or unchanged; up to 16 times\n"        \
	"  --resolve HOST:PORT:ADDRESS[,ADDRESS...]  use these addresses for a host; up to 16 times\n"                \
	"  --sni NAME       name to send in SNI and to expect in the server's certificate; default: the URL's host\n" \
	"  --proxy-ca FILE  CA certificates to verify an https:// proxy with (PEM); default: the system's\n"          \
	"  --user-agent TEXT  value of the User-Agent field; default thaw-COMMAND/VERSION\n"

/* Returns CLI_GO_ON if the option is not one of these; else EX_OK, or EX_USAGE after printing an error. */
int cli_route_take(struct cli_route *route, const char *command, int option, const char *value);

void cli_route_free(struct cli_route *route);

/* The value of --user-agent, or "thaw-COMMAND/VERSION"; owned by the route. */
const char *cli_route_agent(struct cli_route *route, const char *command);

/* Copies the value of --user or --proxy-user and wipes it on the command line, which other users can see. Returns
 * EX_OK, or the exit code after printing an error. */
int cli_take_user(const char *command, bool proxy, char **user, char *value);

#endif
