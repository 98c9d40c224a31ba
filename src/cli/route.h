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
	const char *user_agent; /* NULL: the command's own; "": no such field */
	char *proxy;            /* without its user; NULL: not named */
	char *proxy_user;       /* "NAME:PASSWORD", percent-encoded as curl takes it; wiped from the command line */
	const char *no_proxy;   /* NULL: not named */
	const char *proxy_ca;   /* NULL: the system's CA certificates */
	char *sni;              /* in ASCII; NULL: the URL's host */
	bool user_is_named;     /* by --proxy-user, which counts more than the proxy's URL */
	char own_agent[48];
};

/* Return values of getopt_long(); a command's own values start after them. */
enum cli_route_option {
	CLI_CONNECT_TO = CLI_IDENTITY_END,
	CLI_RESOLVE,
	CLI_SNI,
	CLI_PROXY,
	CLI_PROXY_USER,
	CLI_NOPROXY,
	CLI_PROXY_CA,
	CLI_USER_AGENT,
	CLI_ROUTE_END
};

#define CLI_ROUTE_OPTIONS                                                                                           \
	{"connect-to", required_argument, NULL, CLI_CONNECT_TO}, {"resolve", required_argument, NULL, CLI_RESOLVE}, \
		{"sni", required_argument, NULL, CLI_SNI}, {"proxy", required_argument, NULL, CLI_PROXY},           \
		{"proxy-user", required_argument, NULL, CLI_PROXY_USER},                                            \
		{"noproxy", required_argument, NULL, CLI_NOPROXY},                                                  \
		{"proxy-ca", required_argument, NULL, CLI_PROXY_CA},                                                \
	{                                                                                                           \
		"user-agent", required_argument, NULL, CLI_USER_AGENT                                               \
	}

/* default_proxy: where the proxy comes from without --proxy. */
/* Each ends before the default of its last option. */
#define CLI_WAY_HELP                                                                                                   \
	"  --connect-to HOST1:PORT1:HOST2:PORT2  connect to HOST2 instead of HOST1; SNI, the Host field and the "      \
	"name\n"                                                                                                       \
	"                   in the certificate stay those of HOST1. An empty HOST1 or PORT1 matches any, an empty\n"   \
	"                   HOST2 or PORT2 changes nothing. Up to 16 times\n"                                          \
	"  --resolve HOST:PORT:ADDRESS[,ADDRESS...]  the addresses of this host for this port; HOST may be *. Up to\n" \
	"                   16 times\n"                                                                                \
	"  --sni NAME       the name sent in SNI and checked in the server's certificate; default: the URL's host\n"   \
	"  --proxy [SCHEME://][USER:PASSWORD@]HOST[:PORT]  connect through this proxy (CONNECT); SCHEME is http\n"     \
	"                   (default) or https; "

#define CLI_PROXY_HELP                                                                                               \
	"  --proxy-user NAME:PASSWORD  log in to the proxy\n"                                                        \
	"  --noproxy HOSTS  connect to these hosts without the proxy: names, addresses and networks, separated by\n" \
	"                   commas, or *; default: no_proxy in the environment\n"                                    \
	"  --proxy-ca FILE  CA certificates to verify an https:// proxy with (PEM); default: the system's\n"         \
	"  --user-agent TEXT  the User-Agent field, or \"\" for none; default: "

/* CLI_GO_ON: the option is not one of these. Else EX_OK, or the exit code after an error message. */
int cli_route_take(struct cli_route *route, const char *command, int option, char *value);

void cli_route_free(struct cli_route *route);

/* The value of --user-agent, or "thaw-COMMAND/VERSION"; owned by the route. */
const char *cli_route_agent(struct cli_route *route, const char *command);

/* The value of --user: a copy, since other users can see the command line, from which it is wiped. EX_OK; or the exit
 * code, after an error message. */
int cli_take_user(const char *command, char **user, char *value);

#endif
