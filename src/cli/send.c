#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/send_options.h"
#include "cli/send_report.h"
#include "cli/values.h"

#define STALL_DEFAULT 30000

/* ---- the upload ---- */

/* Before a pass phrase or a PIN is asked for, in vain. */
static bool can_read(const struct send_options *send, struct thaw_error *err)
{
	bool can = send->file == NULL || strcmp(send->file, "-") == 0 || cli_can_read(send->file, err);

	for (size_t i = 0; i < send->part_count && can; i++)
		can = send->parts[i].file == NULL || cli_can_read(send->parts[i].file, err);
	return can;
}

static int run(struct send_arguments *arguments)
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
		cli_identity_trust(&arguments->identity, arguments->quiet);
		send->ca = arguments->identity.trust;
		send->ca_folder = arguments->identity.trust_folder;
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
	static struct send_arguments arguments = {.send = {.stall_ms = STALL_DEFAULT}};
	int code = send_take_arguments(&arguments, argc, argv);

	code = code != CLI_GO_ON ? code : run(&arguments);
	free(arguments.url);
	free(arguments.prime_url);
	free(arguments.named_url);
	cli_route_free(&arguments.route);
	send_forget_user(&arguments);
	return code;
}
