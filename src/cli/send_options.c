#include "cli/send_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "cli/options.h"
#include "cli/report.h"
#include "cli/secret.h"
#include "cli/send_form.h"
#include "cli/values.h"

#define COUNT_MAX 100

static const char help[] =
	"usage: thaw send FILE... URL... [OPTION...]\n"
	"       thaw send --form NAME=@FILE [--form ...] URL... [OPTION...]\n"
	"\n"
	"Uploads files, or standard input (-), with a client certificate. A server that asks for the certificate "
	"late,\n"
	"after the request has begun, cannot freeze the upload: a HEAD request is sent first on the same connection, "
	"so\n"
	"that the server asks while there is no body (\"priming\"). If that is not possible, the body is not sent "
	"before\n"
	"the server has asked (Expect: 100-continue). The response's body goes to standard output.\n"
	"\n"
	"Each file is sent to each URL, one after another (2 files and 2 URLs make 4 uploads); uploads to one server "
	"share\n"
	"a connection. Arguments with :// are URLs. If the path of\n"
	"the URL of a PUT ends in '/', the file's name is appended.\n"
	"\n" CLI_IDENTITY_HELP "\n" CLI_WAY_HELP
	"default: https_proxy, http_proxy or all_proxy in the environment; \"\": none\n" CLI_PROXY_HELP
	"thaw-send/VERSION\n"
	"\n"
	"  --user NAME[:PASSWORD]  log in to the server; default for PASSWORD: ask on the terminal\n"
	"  --basic, --digest  how to log in: Basic (default) or Digest\n"
	"  --method METHOD  PUT (default), or POST (default with --form)\n"
	"  --form NAME=@FILE[;type=TYPE][;filename=NAME]  a file as a field of a form (multipart/form-data)\n"
	"  --form NAME=<FILE[;type=TYPE]  a field whose text is read from FILE\n"
	"  --form NAME=TEXT[;type=TYPE]  a field with this text; up to 16 fields in all\n"
	"  --header LINE    add a header field, 'Name: value'; up to 64 times\n"
	"  --prime WHEN     send a HEAD first: auto (the default): if the URL is https and there is a certificate;\n"
	"                   always: fail if it is not possible; never\n"
	"  --prime-url URL  send the HEAD to this URL of the same server; default: the URL of the upload\n"
	"  --expect WHEN    send the body after the 100 (Expect: 100-continue): auto (the default): if the server has "
	"not\n"
	"                   seen the certificate yet; always; never\n"
	"  --tls VERSION    1.2 or 1.3; default: both; if the server refuses over 1.3 and did not ask for a "
	"certificate,\n"
	"                   tries again over 1.2\n"
	"  --limit-rate SIZE  send at most this many bytes a second: a number, or one with KiB, MiB or GiB; default:\n"
	"                   no limit\n"
	"  --location       follow redirects with 307 and 308. Another server gets no certificate, no --user and no\n"
	"                   --header fields except Content-* and Accept*. Never from https to http\n"
	"  --location-trusted  the same, but any server gets the certificate, --user and all --header fields\n"
	"  --max-redirs N   follow at most N redirects; default: 10\n"
	"  --retry N        try again up to N times after a lost connection, 408, 429, 502, 503 or 504; a POST only if "
	"no\n"
	"                   byte of its body was sent; default: 0. Waits as long as Retry-After says, up to an hour\n"
	"  --resume         continue an interrupted PUT: compares what the server has, and sends only the rest\n"
	"  --stall TIME     fail if nothing is sent or received for this long; default: 30s\n"
	"  --response-timeout TIME  wait this long for the response once the server has the whole body; default: ten\n"
	"                   times --stall\n"
	"  --timeout TIME   fail after this time in all; default: no limit\n"
	"  --include, -i    print the head of the response before its body; with --json: as the key 'head'\n"
	"  --json           print the outcome as a JSON object, with the response's body in it; one object on a line\n"
	"                   for each of several uploads\n"
	"  --quiet          print no progress and no notes on standard error, only errors\n"
	"  --help           print this text\n"
	"\n"
	"Times are numbers with ms, s (default) or m.\n"
	"\n"
	"Exit code: 0 if the server answered 2xx after it had received the whole file. 64 wrong usage; 66 a file "
	"cannot be\n"
	"read or changed during the upload, or the private key could not sign; 68 unknown host; 69 no connection, or "
	"an\n"
	"HTTP error status; 74 standard output cannot be written; 75 stalled, timed out or connection lost; 76 TLS "
	"failed;\n"
	"77 status 401 or 403, or the client's or the server's certificate was not accepted. Of several uploads it is "
	"the\n"
	"code of the first that failed; the others are still sent.\n";

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
		return send_take_part(send, value);
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
		return cli_take_user("send", &arguments->user, value);
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
	return EX_OK;
}

static void take_route(struct send_options *send, struct cli_route *route)
{
	send->connect_to = route->connect_to;
	send->connect_to_count = route->connect_to_count;
	send->resolve = route->resolve;
	send->resolve_count = route->resolve_count;
	send->sni = route->sni;
	send->proxy = route->proxy;
	send->proxy_user = route->proxy_user;
	send->no_proxy = route->no_proxy;
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
}
