#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/identity.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/send_report.h"
#include "cli/values.h"

#define STALL_DEFAULT 30000
#define RETRIES_MAX   100

static const char help[] =
	"usage: thaw send FILE URL [OPTION...]\n"
	"       thaw send --form NAME=@FILE [--form ...] URL [OPTION...]\n"
	"\n"
	"Uploads a file, or standard input (-), in a way that a server which asks for the client certificate late "
	"cannot\n"
	"freeze: the connection is primed with a HEAD first, and the upload takes that connection or none; where that\n"
	"cannot be, the body waits until the server has asked (Expect: 100-continue). The response's body goes to\n"
	"standard output.\n"
	"\n" CLI_IDENTITY_HELP "\n"
	"  --method METHOD  PUT (default), or POST (default of a form)\n"
	"  --form NAME=@FILE  a file as a field of a form (multipart/form-data); up to 16 times\n"
	"  --header LINE    another header field, 'Name: value'; up to 64 times\n"
	"  --prime WHEN     auto (default: with https and a certificate), always (or fail), never\n"
	"  --prime-url URL  what the HEAD is sent to, on the same server; default URL\n"
	"  --expect WHEN    auto (default: with a certificate that the server has not seen yet), always, never\n"
	"  --tls VERSION    1.2 or 1.3; default both, and 1.2 once more where 1.3 is refused without an ask\n"
	"  --limit-rate SIZE  bytes a second: a number, or with KiB, MiB, GiB behind\n"
	"  --retry N        new attempts, where the same once more can do no harm; default 0\n"
	"  --resume         send only what a server that keeps what it got of an interrupted PUT does not have\n"
	"  --stall TIME     nothing moves for so long: it fails; default 30s\n"
	"  --response-timeout TIME  for the response, once the server has the whole body; default ten times --stall\n"
	"  --timeout TIME   for all of it; default none\n"
	"  --json           the outcome as JSON on standard output, the response's body in it\n"
	"  --quiet          neither progress nor notes on standard error; what went wrong is said all the same\n"
	"  --help           this text\n"
	"\n"
	"Exit code: 0 when the server has answered 2xx to the whole file. 64 wrong usage, 66 a file cannot be read or\n"
	"changed meanwhile, or the certificate's key made no signature, 68 unknown host, 69 no connection, or refused "
	"by\n"
	"the server, 74 standard output, 75 stalled, out of time, or the connection was lost, 76 TLS failed, 77 "
	"refused\n"
	"with 401 or 403, or one of the two certificates is not accepted.\n";

enum {
	OPT_METHOD = CLI_IDENTITY_END,
	OPT_FORM,
	OPT_HEADER,
	OPT_PRIME,
	OPT_PRIME_URL,
	OPT_EXPECT,
	OPT_TLS,
	OPT_LIMIT_RATE,
	OPT_RETRY,
	OPT_RESUME,
	OPT_STALL,
	OPT_RESPONSE_TIMEOUT,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_QUIET
};

struct arguments {
	struct send_options send;
	struct cli_identity identity;
	char *url, *prime_url; /* with their hosts in ASCII */
	bool json, quiet;
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

/* Cuts the value in two at its first '='. */
static int take_part(struct send_options *send, char *value)
{
	char *equals = strchr(value, '=');

	if (equals == NULL || equals == value || equals[1] != '@' || equals[2] == '\0' ||
	    send->part_count == BODY_PARTS_MAX)
		return bad("form", value, "NAME=@FILE, up to 16 times");
	*equals = '\0';
	send->parts[send->part_count++] = (struct send_part){.name = value, .file = equals + 2};
	return EX_OK;
}

static int take_header(struct send_options *send, const char *value)
{
	static const char *const ours[] = {"content-length:", "transfer-encoding:", "expect:", "connection:"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strncasecmp(value, ours[i], strlen(ours[i])) == 0)
			return cli_bad_usage("send", "--header '%s': thaw send sees to this one itself", value);
	bool no_host = strncasecmp(value, "host:", 5) == 0 && value[5 + strspn(value + 5, " \t")] == '\0';

	if (no_host || !cli_is_field(value) || send->header_count == SEND_HEADERS_MAX)
		return bad("header", value, "'Name: value', up to 64 times");
	send->headers[send->header_count++] = value;
	return EX_OK;
}

static int take_retries(struct send_options *send, const char *value)
{
	uint64_t number = 0;

	if (!cli_read_number(value, 0, RETRIES_MAX, &number))
		return bad("retry", value, "0 to 100");
	send->retries = (unsigned)number;
	return EX_OK;
}

static int take_time(const char *option, const char *value, uint32_t *ms)
{
	return cli_read_time(value, ms) && *ms >= 100 ? EX_OK : bad(option, value, "100ms to an hour, such as 30s");
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
		return take_retries(send, value);
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
	struct arguments *arguments = arg;

	if (cli_identity_take(&arguments->identity, option, value))
		return EX_OK;
	switch (option) {
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

static int check(struct arguments *arguments)
{
	struct send_options *send = &arguments->send;
	int code = cli_take_url("send", &send->url, &arguments->url);
	if (code == EX_OK && send->prime_url != NULL)
		code = cli_take_url("send", &send->prime_url, &arguments->prime_url);
	if (code != EX_OK)
		return code;
	bool https = strncasecmp(send->url, "https://", 8) == 0;

	if (!https && strncasecmp(send->url, "http://", 7) != 0)
		return cli_bad_usage("send", "'%s': a URL begins with https:// or http://", send->url);
	if (send->prime_url != NULL && strncasecmp(send->prime_url, https ? "https://" : "http://", https ? 8 : 7) != 0)
		return cli_bad_usage("send", "--prime-url '%s': it is not on the server of '%s'", send->prime_url,
				     send->url);
	if (send->prime_url != NULL && send->prime == SEND_NEVER)
		return cli_bad_usage("send", "--prime-url and --prime never contradict each other");
	if (send->method == NULL)
		send->method = send->part_count > 0 ? "POST" : "PUT";
	return cli_identity_check("send", &arguments->identity);
}

static int take_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {CLI_IDENTITY_OPTIONS,
						{"method", required_argument, NULL, OPT_METHOD},
						{"form", required_argument, NULL, OPT_FORM},
						{"header", required_argument, NULL, OPT_HEADER},
						{"prime", required_argument, NULL, OPT_PRIME},
						{"prime-url", required_argument, NULL, OPT_PRIME_URL},
						{"expect", required_argument, NULL, OPT_EXPECT},
						{"tls", required_argument, NULL, OPT_TLS},
						{"limit-rate", required_argument, NULL, OPT_LIMIT_RATE},
						{"retry", required_argument, NULL, OPT_RETRY},
						{"resume", no_argument, NULL, OPT_RESUME},
						{"stall", required_argument, NULL, OPT_STALL},
						{"response-timeout", required_argument, NULL, OPT_RESPONSE_TIMEOUT},
						{"timeout", required_argument, NULL, OPT_TIMEOUT},
						{"json", no_argument, NULL, OPT_JSON},
						{"quiet", no_argument, NULL, OPT_QUIET},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const struct cli_options walk = {"send", help, options, ":h", take_option, arguments};
	int code = cli_take_options(&walk, argc, argv);

	if (code != CLI_GO_ON)
		return code;
	int wanted = arguments->send.part_count > 0 ? 1 : 2;
	if (argc - optind < wanted)
		return cli_bad_usage("send", wanted == 1 ? "a URL is missing" : "a file (or -) and a URL are expected");
	if (argc - optind > wanted)
		return cli_bad_usage("send", "'%s' is too much", argv[optind + wanted]);
	arguments->send.file = wanted == 2 ? argv[optind] : NULL;
	arguments->send.url = argv[optind + wanted - 1];
	code = check(arguments);
	return code == EX_OK ? CLI_GO_ON : code;
}

/* ---- the upload ---- */

/* Before a pass phrase or a PIN is asked for, in vain. */
static bool can_read(const struct send_options *send, struct thaw_error *err)
{
	bool can = send->file == NULL || strcmp(send->file, "-") == 0 || cli_can_read(send->file, err);

	for (size_t i = 0; i < send->part_count && can; i++)
		can = cli_can_read(send->parts[i].file, err);
	return can;
}

/* --ca, or what curl and OpenSSL take from the environment. Says so, since a variable is easily forgotten. */
static void choose_trust(struct send_options *send, const struct cli_identity *identity, bool quiet)
{
	static const char *const files[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};
	const char *name = NULL, *value = NULL, *folder = getenv("SSL_CERT_DIR");

	send->ca = identity->ca;
	if (identity->ca != NULL || identity->insecure)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && (value == NULL || *value == '\0'); i++) {
		name = files[i];
		value = getenv(name);
	}
	if (value != NULL && *value != '\0')
		send->ca = value;
	if (folder != NULL && *folder != '\0')
		send->ca_folder = folder;
	if (send->ca != NULL && !quiet)
		(void)fprintf(stderr, "trusting the CAs of %s (%s)\n", send->ca, name);
	if (send->ca_folder != NULL && !quiet)
		(void)fprintf(stderr, "trusting the CAs in %s (SSL_CERT_DIR)\n", send->ca_folder);
}

static int run(struct arguments *arguments)
{
	struct send_options *send = &arguments->send;
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct tls_credentials *credentials = NULL;
	char fault[TLS_FAULT_ROOM] = "";
	struct send_result result;
	struct send_report *report = send_report_new(send, arguments->json, arguments->quiet, &err);

	(void)signal(SIGPIPE, SIG_IGN);
	if (report == NULL)
		return cli_fail(&err);
	if (can_read(send, &err) && cli_identity_load(&arguments->identity, &credentials, &err)) {
		if (credentials != NULL)
			tls_credentials_fault(credentials, fault);
		send->credentials = credentials;
		send->fault = fault;
		choose_trust(send, &arguments->identity, arguments->quiet);
		send->insecure = arguments->identity.insecure;
		(void)send_run(send, &result);
		tls_credentials_free(&credentials);
	} else {
		enum send_cause cause = err.cls == THAW_ERR_RESOURCE ? SEND_NO_ROOM : SEND_NO_BODY;
		result = (struct send_result){.cause = cause, .total = -1, .err = err};
	}
	int code = send_report_end(report, &result);
	send_report_free(&report);
	return code;
}

int send_main(int argc, char **argv)
{
	static struct arguments arguments = {.send = {.stall_ms = STALL_DEFAULT}};
	int code = take_arguments(&arguments, argc, argv);

	code = code != CLI_GO_ON ? code : run(&arguments);
	free(arguments.url);
	free(arguments.prime_url);
	return code;
}
