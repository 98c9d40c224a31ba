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

#define STALL_DEFAULT     30000
#define REDIRECTS_DEFAULT 10

/* ---- the uploads ---- */

/* Checked before asking for a pass phrase or PIN. */
static bool can_read(const struct send_arguments *arguments, struct thaw_error *err)
{
	const struct send_options *send = &arguments->send;
	bool can = true;

	for (size_t i = 0; i < arguments->file_count && can; i++)
		can = strcmp(arguments->files[i], "-") == 0 || cli_can_read(arguments->files[i], err);
	for (size_t i = 0; i < send->part_count && can; i++)
		can = send->parts[i].file == NULL || cli_can_read(send->parts[i].file, err);
	return can;
}

static struct send_result failed(const struct thaw_error *err)
{
	enum send_cause cause = err->cls == THAW_ERR_RESOURCE ? SEND_NO_ROOM : SEND_NO_BODY;

	return (struct send_result){.cause = cause, .total = -1, .err = *err};
}

/* Returns the exit code of the first upload that failed. */
static int send_all(struct send_arguments *arguments, struct send_report *report)
{
	struct send_session *session = NULL;
	int first = EX_OK;

	for (size_t i = 0; i < send_count(arguments); i++) {
		struct thaw_error err = {.cls = THAW_ERR_NONE};
		struct send_result result;
		char *url = NULL;
		if (send_choose(arguments, i, &url, &err))
			(void)send_run(&arguments->send, &session, &result);
		else
			result = failed(&err);
		int code = send_report_end(report, &arguments->send, &result);
		free(url);
		first = first != EX_OK ? first : code;
		if (result.cause == SEND_NO_OUT || result.cause == SEND_NO_ROOM)
			break; /* the others would fail in the same way */
	}
	send_session_end(&session);
	return first;
}

static int run(struct send_arguments *arguments)
{
	struct send_options *send = &arguments->send;
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct tls_credentials *credentials = NULL;
	char fault[TLS_FAULT_ROOM] = "";
	struct send_report *report =
		send_report_new(send, send_count(arguments) > 1, arguments->json, arguments->quiet, &err);
	int code;

	(void)signal(SIGPIPE, SIG_IGN);
	if (report == NULL)
		return cli_fail(&err);
	cli_identity_trust(&arguments->identity, arguments->quiet);
	send->ca = arguments->identity.trust;
	send->ca_folder = arguments->identity.trust_folder;
	send->insecure = arguments->identity.insecure;
	const char *proxy_ca = arguments->route.proxy_ca;

	if (cli_make_key_log(&err) && can_read(arguments, &err) && (proxy_ca == NULL || cli_can_read(proxy_ca, &err)) &&
	    cli_identity_can_trust(&arguments->identity, &err) &&
	    cli_identity_load(&arguments->identity, &credentials, &err)) {
		if (credentials != NULL)
			tls_credentials_fault(credentials, fault);
		send->credentials = credentials;
		send->fault = fault;
		code = send_all(arguments, report);
		send->fault = NULL;
		tls_credentials_free(&credentials);
	} else {
		struct send_result result = failed(&err);
		code = send_report_end(report, NULL, &result);
	}
	send_report_free(&report);
	return code;
}

int send_main(int argc, char **argv)
{
	static struct send_arguments arguments = {
		.send = {.stall_ms = STALL_DEFAULT, .follow_max = REDIRECTS_DEFAULT},
	};
	int code = send_take_arguments(&arguments, argc, argv);

	code = code != CLI_GO_ON ? code : run(&arguments);
	send_arguments_free(&arguments);
	return code;
}
