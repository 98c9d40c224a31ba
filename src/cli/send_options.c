#include "cli/send_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "cli/options.h"
#include "cli/report.h"
#include "cli/secret.h"
#include "cli/values.h"

#define COUNT_MAX 100

static const char help[] =
	"usage: thaw send FILE... URL... [OPTION...]\n"
	"       thaw send --form NAME=@FILE [--form ...] URL... [OPTION...]\n"
	"\n"
	"Uploads a file, or standard input (-), so that a server which asks for the client certificate late\n"
	"cannot freeze. First it primes the connection: it sends a HEAD, so that the server asks for the\n"
	"certificate before the upload, and sends the upload on that same connection. Where priming is not\n"
	"possible, it holds the body back until the server has asked (Expect: 100-continue). The body of the\n"
	"response is written to standard output. If the path of the URL of a PUT ends in '/', the file's name is\n"
	"appended.\n"
	"\n"
	"With several files or URLs, each file is sent to each URL, one after another. Uploads to the same server\n"
	"share one connection.\n"
	"\n" CLI_IDENTITY_HELP "\n" CLI_ROUTE_HELP
	"  --proxy [SCHEME://]HOST[:PORT]  use this proxy instead of the one in the environment; \"\": none\n"
	"  --proxy-user NAME:PASSWORD  user for the proxy\n"
	"  --noproxy HOSTS  hosts to connect to without a proxy: names, separated by commas, or *\n"
	"\n"
	"  --user NAME[:PASSWORD]  user for the server; without a password, it is asked for on the terminal\n"
	"  --basic, --digest  authentication scheme for --user: Basic (default) or Digest\n"
	"  --method METHOD  PUT (default), or POST (default with --form)\n"
	"  --form NAME=@FILE[;type=TYPE][;filename=NAME]  send a file as a form field (multipart/form-data)\n"
	"  --form NAME=TEXT[;type=TYPE]  send text as a form field; up to 16 fields in all\n"
	"  --header LINE    add a header field, 'Name: value'; up to 64 times\n"
	"  --prime WHEN     auto (default: with https and a certificate), always (fail if not possible), never\n"
	"  --prime-url URL  send the HEAD to this URL on the same server; default: the URL of the upload\n"
	"  --expect WHEN    auto (default: with a certificate that the server has not seen yet), always, never\n"
	"  --tls VERSION    1.2 or 1.3; default both, and 1.2 once more if 1.3 is refused without an ask\n"
	"  --limit-rate SIZE  bytes per second: a number, or a number with KiB, MiB or GiB\n"
	"  --location       follow redirects that ask for the same request elsewhere (307, 308), if the body can\n"
	"                   be sent again; to another server without certificate, user and --header fields; never\n"
	"                   from https to http\n"
	"  --location-trusted  the same, but with certificate, user and --header fields to any server\n"
	"  --max-redirs N   follow at most this many redirects in a row; default 10\n"
	"  --retry N        number of new attempts, where repeating the request is safe; default 0. Waits for the\n"
	"                   time in Retry-After\n"
	"  --resume         after an interrupted PUT, send only what the server does not have yet; for servers\n"
	"                   that keep incomplete uploads\n"
	"  --stall TIME     fail after this time without progress; default 30s\n"
	"  --response-timeout TIME  how long to wait for the response after the whole body; default 10 x --stall\n"
	"  --timeout TIME   limit for the whole upload; default none\n"
	"  --include, -i    print the head of the response before its body; with --json as the key 'head'\n"
	"  --json           print the outcome as JSON, including the response's body; one object per upload, each\n"
	"                   on a line of its own\n"
	"  --quiet          print neither progress nor notes on standard error; errors are still printed\n"
	"  --help           print this text\n"
	"\n"
	"Exit code: 0 the server answered 2xx to the whole file; with several uploads, the code of the first that\n"
	"failed (the others are still sent). 64 usage, 66 a file cannot be read or has changed meanwhile, or the\n"
	"certificate's key made no signature, 68 unknown host, 69 no connection, or refused by the server, 74\n"
	"standard output cannot be written, 75 stalled, timed out, or connection lost, 76 TLS failed, 77 refused\n"
	"with 401 or 403, or one of the two certificates was not accepted.\n";

enum {
	OPT_METHOD = CLI_ROUTE_END,
	OPT_FORM,
	OPT_HEADER,
	OPT_PRIME,
	OPT_PRIME_URL,
	OPT_EXPECT,
	OPT_TLS,
	OPT_LIMIT_RATE,
	OPT_LOCATION,
	OPT_LOCATION_TRUSTED,
	OPT_MAX_REDIRS,
	OPT_RETRY,
	OPT_RESUME,
	OPT_STALL,
	OPT_RESPONSE_TIMEOUT,
	OPT_TIMEOUT,
	OPT_USER,
	OPT_BASIC,
	OPT_DIGEST,
	OPT_PROXY,
	OPT_PROXY_USER,
	OPT_NOPROXY,
	OPT_JSON,
	OPT_QUIET
};

static int bad(const char *option, const char *value, const char *allowed)
{
	return cli_bad_usage("send", "--%s '%s': allowed: %s", option, value, allowed);
}

/* ---- options ---- */

static int take_choice(const char *option, const char *value, enum send_choice *choice)
{
	static const char *const names[] = {[SEND_AUTO] = "auto", [SEND_ALWAYS] = "always", [SEND_NEVER] = "never"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], value) == 0) {
			*choice = (enum send_choice)i;
			return EX_OK;
		}
	return bad(option, value, "auto, always, never");
}

static int take_tls(struct send_options *send, const char *value)
{
	if (strcmp(value, "1.2") != 0 && strcmp(value, "1.3") != 0)
		return bad("tls", value, "1.2, 1.3");
	send->tls = value[2] == '2' ? SEND_TLS_12 : SEND_TLS_13;
	return EX_OK;
}

/* Finds the next ";type=" or ";filename="; NULL if there is none. */
static char *next_attribute(char *text)
{
	for (char *at = strchr(text, ';'); at != NULL; at = strchr(at + 1, ';'))
		if (strncasecmp(at, ";type=", 6) == 0 || strncasecmp(at, ";filename=", 10) == 0)
			return at;
	return NULL;
}

/* Removes the quotes of a quoted value ("a;b") in place. *end: the text after it. False if the quote is not closed. */
static bool take_quoted(char *text, char **end)
{
	char *to = text, *from = text + 1;

	for (; *from != '\0' && *from != '"'; from++) {
		if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		*to++ = *from;
	}
	if (*from == '\0')
		return false;
	*end = from + 1;
	*to = '\0';
	return true;
}

/* Takes a value up to the next attribute or the end of the text; *end is there. */
static bool take_until(char *text, char **end)
{
	static char none[] = "";

	if (text[0] == '"')
		return take_quoted(text, end) && (**end == '\0' || next_attribute(*end) == *end);
	*end = next_attribute(text);
	if (*end == NULL)
		*end = none;
	return true;
}

static bool take_attributes(struct send_part *part, char *at)
{
	while (*at != '\0') {
		bool type = strncasecmp(at, ";type=", 6) == 0;
		char *value = at + (type ? 6 : 10);
		*at = '\0';
		if (!take_until(value, &at) || !cli_is_value(value))
			return false;
		*(type ? &part->type : &part->shown) = value;
	}
	return true;
}

/* Parses NAME=@FILE or NAME=TEXT with attributes, as curl does; modifies the text. */
static bool take_field(struct send_part *part, char *value)
{
	char *equals = strchr(value, '='), *at;

	if (equals == NULL || equals == value)
		return false;
	bool file = equals[1] == '@';
	char *content = equals + (file ? 2 : 1);
	*equals = '\0';
	if (!take_until(content, &at))
		return false;
	*part = (struct send_part){.name = value, .file = file ? content : NULL, .text = file ? NULL : content};
	return take_attributes(part, at) && (file ? content[0] != '\0' : part->shown == NULL);
}

static int take_part(struct send_options *send, char *value)
{
	if (send->part_count == BODY_PARTS_MAX || !take_field(&send->parts[send->part_count], value))
		return cli_bad_usage("send", "--form: allowed: NAME=@FILE[;type=TYPE][;filename=NAME] or "
					     "NAME=TEXT[;type=TYPE], up to 16 times");
	send->part_count++;
	return EX_OK;
}

static int take_header(struct send_options *send, const char *value)
{
	static const char *const ours[] = {"content-length:", "transfer-encoding:", "expect:", "connection:"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strncasecmp(value, ours[i], strlen(ours[i])) == 0)
			return cli_bad_usage("send", "--header '%s': thaw send sets this field itself", value);
	bool no_host = strncasecmp(value, "host:", 5) == 0 && value[5 + strspn(value + 5, " \t")] == '\0';

	if (no_host || !cli_is_field(value) || send->header_count == SEND_HEADERS_MAX)
		return bad("header", value, "'Name: value', up to 64 times");
	send->headers[send->header_count++] = value;
	return EX_OK;
}

static int take_count(const char *option, const char *value, unsigned *count)
{
	uint64_t number = 0;

	if (!cli_read_number(value, 0, COUNT_MAX, &number))
		return bad(option, value, "0 to 100");
	*count = (unsigned)number;
	return EX_OK;
}

static int take_time(const char *option, const char *value, uint32_t *ms)
{
	return cli_read_time(value, ms) && *ms >= 100 ? EX_OK : bad(option, value, "100ms to 1h, such as 30s");
}

static int take_value(struct send_options *send, int option, char *value)
{
	switch (option) {
	case OPT_METHOD:
		send->method = value;
		return strcmp(value, "PUT") == 0 || strcmp(value, "POST") == 0 ? EX_OK
									       : bad("method", value, "PUT, POST");
	case OPT_FORM:
		return take_part(send, value);
	case OPT_HEADER:
		return take_header(send, value);
	case OPT_PRIME:
		return take_choice("prime", value, &send->prime);
	case OPT_PRIME_URL:
		send->prime_url = value;
		return EX_OK;
	case OPT_EXPECT:
		return take_choice("expect", value, &send->expect);
	case OPT_TLS:
		return take_tls(send, value);
	case OPT_LIMIT_RATE:
		return cli_read_size(value, &send->limit_rate) ? EX_OK
							       : bad("limit-rate", value, "a size, such as 500KiB");
	case OPT_RETRY:
		return take_count("retry", value, &send->retries);
	case OPT_MAX_REDIRS:
		return take_count("max-redirs", value, &send->follow_max);
	case OPT_STALL:
		return take_time("stall", value, &send->stall_ms);
	case OPT_RESPONSE_TIMEOUT:
		return take_time("response-timeout", value, &send->response_ms);
	case OPT_PROXY:
		send->proxy = value;
		return EX_OK;
	case OPT_NOPROXY:
		send->no_proxy = value;
		return EX_OK;
	default:
		return take_time("timeout", value, &send->timeout_ms);
	}
}

static int take_option(void *arg, int option, char *value)
{
	struct send_arguments *arguments = arg;
	int code = cli_route_take(&arguments->route, "send", option, value);

	if (code != CLI_GO_ON || cli_identity_take(&arguments->identity, option, value))
		return code != CLI_GO_ON ? code : EX_OK;
	switch (option) {
	case OPT_USER:
	case OPT_PROXY_USER:
		return cli_take_user("send", option == OPT_PROXY_USER,
				     option == OPT_PROXY_USER ? &arguments->proxy_user : &arguments->user, value);
	case OPT_BASIC:
	case OPT_DIGEST:
		arguments->send.login = option == OPT_BASIC ? SEND_LOGIN_BASIC : SEND_LOGIN_DIGEST;
		return EX_OK;
	case 'i':
		arguments->send.include = true;
		return EX_OK;
	case OPT_LOCATION:
	case OPT_LOCATION_TRUSTED:
		arguments->follows = true;
		arguments->send.follow_trusting = arguments->send.follow_trusting || option == OPT_LOCATION_TRUSTED;
		return EX_OK;
	case OPT_RESUME:
		arguments->send.resume = true;
		return EX_OK;
	case OPT_JSON:
		arguments->json = true;
		return EX_OK;
	case OPT_QUIET:
		arguments->quiet = true;
		return EX_OK;
	default:
		return take_value(&arguments->send, option, value);
	}
}

/* Asks for the password if --user has none. */
static int ask_password(struct send_arguments *arguments)
{
	char secret[TLS_SECRET_MAX] = "", *whole = NULL;
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (arguments->user != NULL && strchr(arguments->user, ':') == NULL) {
		if (cli_secret_ask(NULL, "the password for the server", secret, sizeof(secret), &err) != THAW_OK)
			return cli_fail(&err);
		if (asprintf(&whole, "%s:%s", arguments->user, secret) < 0)
			whole = NULL;
		explicit_bzero(secret, sizeof(secret));
		cli_secret_free(&arguments->user);
		arguments->user = whole;
		if (whole == NULL)
			return cli_fail(&(struct thaw_error){.cls = THAW_ERR_RESOURCE, .text = "out of memory"});
	}
	arguments->send.user = arguments->user;
	arguments->send.proxy_user = arguments->proxy_user;
	return EX_OK;
}

static void take_route(struct send_options *send, struct cli_route *route)
{
	send->connect_to = route->connect_to;
	send->connect_to_count = route->connect_to_count;
	send->resolve = route->resolve;
	send->resolve_count = route->resolve_count;
	send->sni = route->sni;
	send->proxy_ca = route->proxy_ca;
	send->user_agent = cli_route_agent(route, "send");
}

static int check(struct send_arguments *arguments, char **words, size_t count)
{
	struct send_options *send = &arguments->send;
	int code = EX_OK;

	if (send->method == NULL)
		send->method = send->part_count > 0 ? "POST" : "PUT";
	if (send->prime_url != NULL && send->prime == SEND_NEVER)
		return cli_bad_usage("send", "--prime-url and --prime never cannot be used together");
	if (!arguments->follows)
		send->follow_max = 0;
	if (send->prime_url != NULL)
		code = cli_take_url("send", &send->prime_url, &arguments->prime_url);
	if (code == EX_OK)
		code = send_take_targets(arguments, words, count);
	if (code == EX_OK)
		code = cli_identity_check("send", &arguments->identity);
	return code == EX_OK ? ask_password(arguments) : code;
}

int send_take_arguments(struct send_arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {CLI_IDENTITY_OPTIONS,
						CLI_ROUTE_OPTIONS,
						{"method", required_argument, NULL, OPT_METHOD},
						{"form", required_argument, NULL, OPT_FORM},
						{"header", required_argument, NULL, OPT_HEADER},
						{"prime", required_argument, NULL, OPT_PRIME},
						{"prime-url", required_argument, NULL, OPT_PRIME_URL},
						{"expect", required_argument, NULL, OPT_EXPECT},
						{"tls", required_argument, NULL, OPT_TLS},
						{"limit-rate", required_argument, NULL, OPT_LIMIT_RATE},
						{"location", no_argument, NULL, OPT_LOCATION},
						{"location-trusted", no_argument, NULL, OPT_LOCATION_TRUSTED},
						{"max-redirs", required_argument, NULL, OPT_MAX_REDIRS},
						{"retry", required_argument, NULL, OPT_RETRY},
						{"resume", no_argument, NULL, OPT_RESUME},
						{"stall", required_argument, NULL, OPT_STALL},
						{"response-timeout", required_argument, NULL, OPT_RESPONSE_TIMEOUT},
						{"timeout", required_argument, NULL, OPT_TIMEOUT},
						{"user", required_argument, NULL, OPT_USER},
						{"basic", no_argument, NULL, OPT_BASIC},
						{"digest", no_argument, NULL, OPT_DIGEST},
						{"proxy", required_argument, NULL, OPT_PROXY},
						{"proxy-user", required_argument, NULL, OPT_PROXY_USER},
						{"noproxy", required_argument, NULL, OPT_NOPROXY},
						{"include", no_argument, NULL, 'i'},
						{"json", no_argument, NULL, OPT_JSON},
						{"quiet", no_argument, NULL, OPT_QUIET},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const struct cli_options walk = {"send", help, options, ":hi", take_option, arguments};
	int code = cli_take_options(&walk, argc, argv);

	if (code != CLI_GO_ON)
		return code;
	take_route(&arguments->send, &arguments->route);
	code = check(arguments, argv + optind, (size_t)(argc - optind));
	return code == EX_OK ? CLI_GO_ON : code;
}

void send_arguments_free(struct send_arguments *arguments)
{
	for (size_t i = 0; i < arguments->url_count; i++)
		free(arguments->urls[i]);
	free(arguments->urls);
	free(arguments->files);
	free(arguments->prime_url);
	cli_route_free(&arguments->route);
	cli_secret_free(&arguments->user);
	cli_secret_free(&arguments->proxy_user);
}
