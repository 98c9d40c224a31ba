#include "cli/frozen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/socket.h"
#include "cli/report.h"
#include "cli/throwaway.h"
#include "demo/frozen.h"
#include "tls/pki.h"

#define LISTEN "127.0.0.1:8444"

/* False: it is no number within min and max. */
static bool read_number(const char *text, unsigned long min, unsigned long max, unsigned long *number)
{
	char *end = NULL;

	if (*text < '0' || *text > '9')
		return false;
	*number = strtoul(text, &end, 10);
	return *end == '\0' && *number >= min && *number <= max;
}

static void explain(const char *host, uint16_t port, const struct frozen_options *options)
{
	bool v6 = strchr(host, ':') != NULL;
	char behind[8];

	(void)snprintf(behind, sizeof(behind), ":%u", port);
	(void)fprintf(stderr, "thaw: listening on %s%s%s%s\n", v6 ? "[" : "", host, v6 ? "]" : "", behind);
	(void)fprintf(
		stderr,
		"thaw: this server freezes: every path but / asks for a client certificate, and waits for it while it\n"
		"thaw: holds %zu bytes of body at most. Try:\n",
		options->read_ahead);
	throwaway_try(stderr, options->pki, NULL, behind);
}

static int serve(const struct config_listen *listen, struct frozen_options *options)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (listen->kind != CONFIG_LISTEN_TCP)
		return cli_bad_usage("demo", "--listen '%s': allowed: HOST:PORT, [V6]:PORT", listen->address);
	if (tls_pki_make(options->pki, &err) != THAW_OK)
		return cli_fail(&err);
	options->listener = socket_listen(listen->host, listen->port, &err);
	if (options->listener < 0)
		return cli_fail(&err);
	explain(listen->host, socket_port(options->listener), options);
	int code = frozen_run(options);
	(void)close(options->listener);
	return code;
}

int frozen_serve(const struct frozen_settings *settings)
{
	const char *listen = settings->listen != NULL ? settings->listen : LISTEN;
	unsigned long read_ahead = FROZEN_READ_AHEAD, give_up = FROZEN_LIMIT_S;
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (settings->read_ahead != NULL && !read_number(settings->read_ahead, 0, FROZEN_READ_AHEAD_MAX, &read_ahead))
		return cli_bad_usage("demo", "--read-ahead '%s': allowed: 0 to %d (bytes)", settings->read_ahead,
				     FROZEN_READ_AHEAD_MAX);
	if (settings->give_up != NULL && !read_number(settings->give_up, 1, FROZEN_LIMIT_MAX_S, &give_up))
		return cli_bad_usage("demo", "--give-up '%s': allowed: 1 to %d (seconds)", settings->give_up,
				     FROZEN_LIMIT_MAX_S);
	struct frozen_options options = {
		.pki = settings->pki != NULL ? settings->pki : THROWAWAY_PKI,
		.read_ahead = read_ahead,
		.limit_s = (unsigned)give_up,
	};
	struct config *config = throwaway_listens(&listen, 1, &err);
	if (config == NULL)
		return cli_bad_usage("demo", "%s", err.text);
	int code = serve(&config->listens[0], &options);
	config_free(&config);
	return code;
}
