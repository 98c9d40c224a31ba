#include "cli/frozen.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/socket.h"
#include "cli/report.h"
#include "cli/throwaway.h"
#include "tls/pki.h"

static void explain(const char *host, uint16_t port, const struct frozen_options *options)
{
	bool v6 = strchr(host, ':') != NULL;
	char behind[8];

	(void)snprintf(behind, sizeof(behind), ":%u", port);
	(void)fprintf(stderr, "thaw: listening on %s%s%s%s\n", v6 ? "[" : "", host, v6 ? "]" : "", behind);
	(void)fprintf(stderr,
		      "thaw: this server freezes: every path except / asks for a client certificate, and the server "
		      "waits for\n"
		      "thaw: it after at most %zu bytes of the body. Try:\n",
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

int frozen_serve(const char *address, struct frozen_options *options)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct config *config = throwaway_listens(&address, 1, &err);

	if (config == NULL)
		return cli_bad_usage("demo", "%s", err.text);
	if (options->pki == NULL)
		options->pki = THROWAWAY_PKI;
	int code = serve(&config->listens[0], options);
	config_free(&config);
	return code;
}
