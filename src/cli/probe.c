#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/route.h"
#include "cli/values.h"
#include "probe/probe.h"

#define BODY_DEFAULT  (16ULL << 20)
#define STALL_DEFAULT 5000
#define HOLD_DEFAULT  20000
#define LIMIT_DEFAULT 55000
#define FIELDS_MAX    8192

static const char help[] =
	"usage: thaw probe URL [OPTION...]\n"
	"\n"
	"Tests what an HTTPS server does when it asks for a client certificate late, after a request has begun: when "
	"and\n"
	"how it asks, up to which body size that works, where it freezes, and what to change in the server or the "
	"client.\n"
	"It takes less than a minute. Name a certificate that the server accepts; without one, the probe cannot show "
	"what\n"
	"happens after a certificate is sent.\n"
	"\n"
	"By default only safe methods are sent: GET, HEAD, and OPTIONS or GET with a body of NUL bytes. With --method\n"
	"PUT (or another method), about eighty requests of that method, or more, are sent to the URL, with bodies of\n"
	"up to --max-body. Use a path where they do no harm.\n"
	"\n" CLI_IDENTITY_HELP "\n" CLI_WAY_HELP "default: none, whatever the environment says\n" CLI_PROXY_HELP
	"thaw-probe/VERSION\n"
	"\n"
	"  --method METHOD  send this method with a body; prints a warning first\n"
	"  --header LINE    add a header field, 'Name: value', or replace Host; may be repeated\n"
	"  --max-body SIZE  the largest body: a number of bytes, or one with KiB, MiB or GiB; default: 16MiB; 0: none\n"
	"  --stall TIME     how long nothing is sent or received before a connection counts as stalled; default:\n"
	"                   5s\n"
	"  --hold TIME      how long to watch whether the server gives up a stalled connection; default: 20s; 0s: do\n"
	"                   not watch\n"
	"  --limit TIME     start no new test after this time; default: 55s\n"
	"  --tls VERSION    1.2, 1.3 or both; default: both\n"
	"  --json           print the report as JSON\n"
	"  --markdown       print the report as Markdown\n"
	"  --svg FILE       also draw the timeline of one upload, as an SVG picture\n"
	"  --quiet          print no progress on standard error; the warning of --method is still printed\n"
	"  --help           print this text\n"
	"\n"
	"Times are numbers with ms, s (default) or m. Ctrl-C ends the probe, and the report has what is known so far.\n"
	"\n"
	"Exit code: 0 no problem; 1 limited: bodies above a size, or some kinds of clients, are refused; 2 freezes at\n"
	"some size; 3 could not tell. If the server could not be tested: 64 wrong usage, 66 a file cannot be read, 68\n"
	"unknown host, 69 no connection, 71 system error, 75 no TLS handshake in time, 76 no TLS or no HTTP/1.1, 77 "
	"the\n"
	"server's certificate is not accepted.\n";

enum {
	OPT_METHOD = CLI_ROUTE_END,
	OPT_HEADER,
	OPT_MAX_BODY,
	OPT_STALL,
	OPT_HOLD,
	OPT_LIMIT,
	OPT_TLS,
	OPT_JSON,
	OPT_MARKDOWN,
	OPT_SVG,
	OPT_QUIET
};

struct arguments {
	struct probe_options probe;
	struct cli_identity identity;
	struct cli_route route;
	char fields[FIELDS_MAX];
	size_t fields_len;
	bool quiet;
	char *url; /* its host is in ASCII */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* The first signal ends the probe with a report, the second one kills it. */
static void mind_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* ---- values ---- */

/* Fields that the probe must set itself: framing, and those that the tests are about. */
static bool is_own_field(const char *line)
{
	static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Connection", "Expect",
					    "User-Agent",     "Upgrade",           "TE"};
	size_t len = strcspn(line, ":");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], line, len) == 0)
			return true;
	return false;
}

/* False if it is not a field, or if there are too many. */
static bool add_field(struct arguments *arguments, const char *line)
{
	int put =
		snprintf(arguments->fields + arguments->fields_len, FIELDS_MAX - arguments->fields_len, "%s\r\n", line);

	if (!cli_is_field(line) || is_own_field(line) || put < 0 || (size_t)put >= FIELDS_MAX - arguments->fields_len)
		return false;
	arguments->fields_len += (size_t)put;
	return true;
}

/* Host replaces the host of the URL. */
static bool take_host(struct probe_options *probe, const char *line)
{
	if (!cli_is_field(line) || strncasecmp(line, "Host:", 5) != 0 || line[5 + strspn(line + 5, " \t")] == '\0')
		return false;
	probe->host = line + 5 + strspn(line + 5, " \t");
	return true;
}

static int bad(const char *option, const char *value, const char *allowed)
{
	return cli_bad_usage("probe", "--%s '%.100s': allowed: %s", option, value, allowed);
}

/* ---- options ---- */

static int take_tls(struct probe_options *probe, const char *value)
{
	static const struct {
		const char *name;
		enum probe_tls versions;
	} names[] = {{"1.2", PROBE_TLS_12}, {"1.3", PROBE_TLS_13}, {"both", PROBE_TLS_BOTH}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, value) == 0) {
			probe->versions = names[i].versions;
			return EX_OK;
		}
	return bad("tls", value, "1.2, 1.3, both");
}

static int take_value(struct arguments *arguments, int option, const char *value)
{
	static const char time_allowed[] = "a time of at most one hour, such as 5s, 500ms or 2m";
	struct probe_options *probe = &arguments->probe;

	switch (option) {
	case OPT_METHOD:
		probe->method = value;
		return cli_is_token(value) && strcmp(value, "CONNECT") != 0
			       ? EX_OK
			       : bad("method", value, "a method such as PUT or POST, but not CONNECT");
	case OPT_HEADER:
		if (take_host(probe, value))
			return EX_OK;
		return add_field(arguments, value) ? EX_OK
						   : bad("header", value,
							 "'Name: value', except User-Agent, Expect and the fields for "
							 "framing (Content-Length and the like); 8 KiB in all");
	case OPT_MAX_BODY:
		return cli_read_size(value, &probe->max_body) ? EX_OK
							      : bad("max-body", value, "0 to 1024GiB, such as 16MiB");
	case OPT_STALL:
		return cli_read_time(value, &probe->stall_ms) && probe->stall_ms >= 100
			       ? EX_OK
			       : bad("stall", value, "100ms to 1h, such as 5s");
	case OPT_HOLD:
		return cli_read_time(value, &probe->hold_ms) ? EX_OK : bad("hold", value, time_allowed);
	case OPT_LIMIT:
		return cli_read_time(value, &probe->limit_ms) && probe->limit_ms > 0
			       ? EX_OK
			       : bad("limit", value, time_allowed);
	default:
		return take_tls(probe, value);
	}
}

static int take_option(void *arg, int option, char *value)
{
	struct arguments *arguments = arg;

	int code = cli_route_take(&arguments->route, "probe", option, value);

	if (code != CLI_GO_ON || cli_identity_take(&arguments->identity, option, value))
		return code != CLI_GO_ON ? code : EX_OK;
	switch (option) {
	case OPT_JSON:
		arguments->probe.form = PROBE_JSON;
		return EX_OK;
	case OPT_MARKDOWN:
		arguments->probe.form = PROBE_MARKDOWN;
		return EX_OK;
	case OPT_SVG:
		arguments->probe.svg = value;
		return EX_OK;
	case OPT_QUIET:
		arguments->quiet = true;
		return EX_OK;
	default:
		return take_value(arguments, option, value);
	}
}

static int take_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {CLI_IDENTITY_OPTIONS,
						CLI_ROUTE_OPTIONS,
						{"method", required_argument, NULL, OPT_METHOD},
						{"header", required_argument, NULL, OPT_HEADER},
						{"max-body", required_argument, NULL, OPT_MAX_BODY},
						{"stall", required_argument, NULL, OPT_STALL},
						{"hold", required_argument, NULL, OPT_HOLD},
						{"limit", required_argument, NULL, OPT_LIMIT},
						{"tls", required_argument, NULL, OPT_TLS},
						{"json", no_argument, NULL, OPT_JSON},
						{"markdown", no_argument, NULL, OPT_MARKDOWN},
						{"svg", required_argument, NULL, OPT_SVG},
						{"quiet", no_argument, NULL, OPT_QUIET},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const struct cli_options walk = {"probe", help, options, ":h", take_option, arguments};
	int code = cli_take_options(&walk, argc, argv);

	if (code != CLI_GO_ON)
		return code;
	if (optind == argc)
		return cli_bad_usage("probe", "no URL given");
	if (optind + 1 < argc)
		return cli_bad_usage("probe", "unexpected argument '%s': only one URL is allowed", argv[optind + 1]);
	arguments->probe.url = argv[optind];
	code = cli_take_url("probe", &arguments->probe.url, &arguments->url);
	if (code == EX_OK)
		code = cli_identity_check("probe", &arguments->identity);
	return code == EX_OK ? CLI_GO_ON : code;
}

/* ---- the probe ---- */

static int exit_code(enum probe_failure failure, enum probe_verdict verdict)
{
	static const int codes[] = {
		[PROBE_BAD_USAGE] = EX_USAGE,   [PROBE_NO_HOST] = EX_NOHOST,   [PROBE_UNREACHABLE] = EX_UNAVAILABLE,
		[PROBE_PROTOCOL] = EX_PROTOCOL, [PROBE_STALLED] = EX_TEMPFAIL, [PROBE_DISTRUST] = EX_NOPERM,
		[PROBE_BAD_FILE] = EX_NOINPUT,  [PROBE_SYSTEM] = EX_OSERR,
	};

	return failure == PROBE_FINE ? (int)verdict : codes[failure];
}

/* Printed even with --quiet, since the requests may change data. */
static void announce(const struct probe_options *probe, const struct cli_identity *identity)
{
	if (cli_identity_on_token(identity))
		(void)fprintf(stderr, "thaw probe: the token signs once for each connection on which the server asks: "
				      "touch it when it waits for a touch\n");
	if (probe->method != NULL)
		(void)fprintf(
			stderr,
			"thaw probe: will send 80 or more %s requests to %s, with bodies of up to %llu NUL bytes\n",
			probe->method, probe->url, (unsigned long long)probe->max_body);
}

/* As curl has it. */
static const char *no_proxy_of_environment(void)
{
	const char *lower = getenv("no_proxy");

	return lower != NULL ? lower : getenv("NO_PROXY");
}

static void take_routes(struct arguments *arguments)
{
	struct cli_route *route = &arguments->route;
	struct probe_routes *routes = &arguments->probe.routes;

	routes->connect_to = route->connect_to;
	routes->connect_to_count = route->connect_to_count;
	routes->resolve = route->resolve;
	routes->resolve_count = route->resolve_count;
	routes->proxy = route->proxy;
	routes->proxy_user = route->proxy_user;
	routes->no_proxy = route->no_proxy != NULL ? route->no_proxy : no_proxy_of_environment();
	routes->sni = route->sni;
	routes->proxy_ca = route->proxy_ca;
	routes->user_agent = cli_route_agent(route, "probe");
}

static int run(struct arguments *arguments)
{
	const char *key_log = getenv("SSLKEYLOGFILE");
	struct probe_options *probe = &arguments->probe;
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct tls_credentials *credentials = NULL;
	enum probe_verdict verdict = PROBE_UNTOLD;

	if (!cli_identity_load(&arguments->identity, &credentials, &err)) {
		(void)cli_fail(&err);
		return EX_NOINPUT;
	}
	take_routes(arguments);
	cli_identity_trust(&arguments->identity, arguments->quiet);
	probe->tls = (struct tls_client_options){.ca = arguments->identity.trust,
						 .ca_folder = arguments->identity.trust_folder,
						 .key_log = key_log != NULL && *key_log != '\0' ? key_log : NULL,
						 .credentials = credentials,
						 .skip_verification = arguments->identity.insecure};
	probe->has_certificate = credentials != NULL;
	probe->fields = arguments->fields;
	probe->out = stdout;
	probe->progress = arguments->quiet ? NULL : stderr;
	probe->live = isatty(STDERR_FILENO) == 1;
	probe->interrupted = &interrupted;
	mind_signals();
	announce(probe, &arguments->identity);
	enum probe_failure failure = probe_run(probe, &verdict, &err);
	tls_credentials_free(&credentials);
	if (failure != PROBE_FINE)
		(void)cli_fail(&err);
	return exit_code(failure, verdict);
}

int probe_main(int argc, char **argv)
{
	static struct arguments arguments = {
		.probe = {.max_body = BODY_DEFAULT,
			  .stall_ms = STALL_DEFAULT,
			  .hold_ms = HOLD_DEFAULT,
			  .limit_ms = LIMIT_DEFAULT},
	};
	int code = take_arguments(&arguments, argc, argv);

	code = code != CLI_GO_ON ? code : run(&arguments);
	free(arguments.url);
	cli_route_free(&arguments.route);
	return code;
}
