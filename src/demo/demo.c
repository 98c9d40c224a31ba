#include "demo/demo.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "demo/frozen.h"
#include "demo/relay.h"
#include "demo/stage.h"
#include "demo/writer.h"

#define SUBJECT  "CN=Thaw Demo Client"
#define STEP_MS  100
#define READ_MS  2000
#define RUN_MS   120000 /* limit for one run */
#define TEXT_MAX 32768

enum who { CURL, CURL_EXPECT, WRITER };

struct run {
	enum who who;
	enum tls_client_version version;
	bool to_thaw;
	bool must_freeze; /* otherwise the demo proves nothing */
	/* the outcome */
	bool frozen;
	int exit_code;
	unsigned status; /* 0: no response */
	double seconds;
	uint64_t before; /* bytes received before the certificate; for a frozen run: before the freeze */
	const char *means;
	const char *wrong; /* NULL: as expected */
	char text[TEXT_MAX];
};

static const char *const who_names[] = {
	[CURL] = "curl",
	[CURL_EXPECT] = "curl, Expect: 100-continue",
	[WRITER] = "write-first client",
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* On Ctrl-C all processes and files are removed. */
static void mind_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

static enum thaw_status start_curl(struct child *child, const struct stage *stage, const struct run *run, uint16_t port,
				   struct thaw_error *err)
{
	char url[64], ca[PATH_MAX + 16], certificate[PATH_MAX + 16], key[PATH_MAX + 16], file[PATH_MAX];
	bool v12 = run->version == TLS_CLIENT_12;
	/* "Expect:" removes the field, "Expect: 100-continue" forces it. */
	const char *argv[] = {"curl",
			      "-q", /* ignore .curlrc; must be the first option */
			      "-sS",
			      "--ipv4",
			      "--noproxy",
			      "*",
			      "--cacert",
			      ca,
			      "--cert",
			      certificate,
			      "--key",
			      key,
			      v12 ? "--tls-max" : "--tlsv1.3",
			      v12 ? "1.2" : "--tlsv1.3",
			      "-H",
			      run->who == CURL_EXPECT ? "Expect: 100-continue" : "Expect:",
			      "-T",
			      file,
			      "-w",
			      "\n%{http_code}\n",
			      url,
			      NULL};

	(void)snprintf(url, sizeof(url), "https://localhost:%u/late", port);
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", stage->pki);
	(void)snprintf(certificate, sizeof(certificate), "%s/client.pem", stage->pki);
	(void)snprintf(key, sizeof(key), "%s/client.key", stage->pki);
	(void)snprintf(file, sizeof(file), "%s", stage->file);
	return child_spawn(child, argv, CHILD_STDOUT, err);
}

static enum thaw_status start_client(struct child *child, const struct stage *stage, const struct run *run,
				     uint16_t port, struct thaw_error *err)
{
	struct writer_options options = {port, stage->pki, stage->file, run->version};

	if (run->who != WRITER)
		return start_curl(child, stage, run, port, err);
	return child_fork(child, writer_run, &options, err);
}

/* Runs until the client has ended, or until nothing has moved for freeze_ms. */
static void watch(struct run *run, struct relay *relay, struct child *client, uint64_t freeze_ms)
{
	while (!interrupted && !run->frozen && !child_ended(client, &run->exit_code)) {
		relay_step(relay, STEP_MS);
		run->frozen = relay_idle_ms(relay) >= freeze_ms || relay_age_ms(relay) >= RUN_MS;
	}
	run->seconds = (double)relay_age_ms(relay) / 1000;
}

/* The last line is the status, the lines before it are the response's body. */
static void read_response(struct run *run, struct child *client)
{
	size_t len = child_read(client, run->text, sizeof(run->text), NULL, READ_MS);

	while (len > 0 && run->text[len - 1] == '\n')
		run->text[--len] = '\0';
	char *line = strrchr(run->text, '\n');
	if (line == NULL)
		return;
	*line = '\0';
	run->status = (unsigned)strtoul(line + 1, NULL, 10);
}

/* Checks the response of builtin:inspect: the same bytes, and the right identity. */
static const char *judge(struct run *run, const struct stage *stage)
{
	json_t *answer = json_loads(run->text, 0, NULL);
	const char *subject = NULL, *sha256 = NULL, *means = NULL, *wrong = NULL;
	json_int_t before = 0;

	if (run->status != 200)
		wrong = "the response is not 200";
	else if (json_unpack(answer, "{s:s, s:{s:s, s:s, s:I}}", "body_sha256", &sha256, "certificate", "subject",
			     &subject, "means", &means, "body_bytes_before_verdict", &before) != 0)
		wrong = "the response names no certificate";
	else if (strcmp(sha256, stage->sha256) != 0)
		wrong = "the file arrived changed";
	else if (strcmp(subject, SUBJECT) != 0)
		wrong = "the identity is wrong";
	else if (strcmp(means, thaw_means_name(run->version == TLS_CLIENT_12 ? THAW_MEANS_RENEGOTIATION
									     : THAW_MEANS_POST_HANDSHAKE)) != 0)
		wrong = "the client was asked by the wrong means";
	run->before = (uint64_t)before;
	json_decref(answer);
	return wrong;
}

static enum thaw_status upload(struct run *run, const struct stage *stage, const struct demo_options *options,
			       struct thaw_error *err)
{
	struct frozen_options frozen = {stage->frozen_listener, stage->pki, FROZEN_READ_AHEAD, FROZEN_LIMIT_S};
	struct child server = {.out = -1}, client = {.out = -1};
	struct relay *relay = relay_new(run->to_thaw ? stage->thaw_port : stage->frozen_port, err);
	enum thaw_status status = relay != NULL ? THAW_OK : THAW_FAILED;

	if (status == THAW_OK && !run->to_thaw)
		status = child_fork(&server, frozen_run, &frozen, err);
	if (status == THAW_OK)
		status = start_client(&client, stage, run, relay_port(relay), err);
	if (status == THAW_OK) {
		watch(run, relay, &client, options->freeze_ms);
		if (interrupted)
			status = error_set(err, THAW_ERR_SYSTEM, "interrupted");
		else if (run->exit_code == 127 && run->who != WRITER)
			status = error_set(err, THAW_ERR_SYSTEM, "curl is not installed");
		if (run->frozen)
			run->before = relay_up(relay);
		else
			read_response(run, &client);
	}
	child_end(&client);
	child_end(&server);
	relay_free(&relay);
	if (status != THAW_OK)
		return status;
	if (run->to_thaw)
		run->wrong = run->frozen ? "the upload froze" : judge(run, stage);
	else if (run->must_freeze && !run->frozen)
		run->wrong = "the upload did not freeze, although it must with this client";
	return THAW_OK;
}

static void outcome_text(const struct run *run, char *text, size_t room)
{
	if (run->frozen)
		(void)snprintf(text, room, "frozen");
	else if (run->status != 0)
		(void)snprintf(text, room, "%u", run->status);
	else
		(void)snprintf(text, room, "no response");
}

static void before_text(const struct run *run, char *text, size_t room)
{
	if (run->to_thaw || run->frozen)
		(void)snprintf(text, room, "%.1f MiB%s", (double)run->before / 1048576,
			       run->frozen ? ", no certificate" : "");
	else
		(void)snprintf(text, room, "only by chance: the certificate came in time");
}

static void print_head(const struct demo_options *options)
{
	(void)printf(
		"Each row is one upload of %" PRIu64
		" MiB. Both servers request the client's certificate once they have read the\n"
		"request's headers. Thaw keeps reading the body meanwhile, into memory and then to disk. The other\n"
		"server, built in for comparison, stops reading until the certificate arrives, much as IIS does.\n"
		"frozen: no progress for %.0f s.\n\n"
		"%-26s  %-3s  %-12s  %-11s  %7s  %s\n",
		options->upload >> 20, (double)options->freeze_ms / 1000, "client", "TLS", "server", "outcome",
		"seconds", "body read before the certificate");
}

static void print_run(const struct run *run)
{
	char outcome[32], before[48];

	outcome_text(run, outcome, sizeof(outcome));
	before_text(run, before, sizeof(before));
	(void)printf("%-26s  %-3s  %-12s  %-11s  %7.2f  %s\n", who_names[run->who],
		     run->version == TLS_CLIENT_12 ? "1.2" : "1.3", run->to_thaw ? "Thaw" : "other server", outcome,
		     run->seconds, before);
	if (run->wrong != NULL)
		(void)printf("    wrong: %s (exit code of the client: %d)\n", run->wrong, run->exit_code);
	(void)fflush(stdout);
}

static json_t *run_json(const struct run *run)
{
	char outcome[32];

	outcome_text(run, outcome, sizeof(outcome));
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:f, s:I, s:s?}", "schema", JSON_SCHEMA, "client",
			 who_names[run->who], "tls", run->version == TLS_CLIENT_12 ? "1.2" : "1.3", "server",
			 run->to_thaw ? "thaw" : "frozen", "outcome", outcome, "seconds", run->seconds,
			 run->frozen ? "bytes_before_freeze" : "bytes_before_certificate", (json_int_t)run->before,
			 "wrong", run->wrong);
}

static enum thaw_status run_all(const struct stage *stage, const struct demo_options *options, json_t *all,
				bool *some_passed, struct thaw_error *err)
{
	static const struct run runs[] = {
		{.who = CURL, .version = TLS_CLIENT_13, .to_thaw = true},
		{.who = CURL, .version = TLS_CLIENT_12, .to_thaw = true},
		{.who = CURL_EXPECT, .version = TLS_CLIENT_13, .to_thaw = true},
		{.who = CURL_EXPECT, .version = TLS_CLIENT_12, .to_thaw = true},
		{.who = WRITER, .version = TLS_CLIENT_13, .to_thaw = true},
		{.who = WRITER, .version = TLS_CLIENT_12, .to_thaw = true},
		{.who = CURL, .version = TLS_CLIENT_13},
		{.who = CURL, .version = TLS_CLIENT_12},
		{.who = WRITER, .version = TLS_CLIENT_13, .must_freeze = true},
		{.who = WRITER, .version = TLS_CLIENT_12, .must_freeze = true},
	};
	static struct run run;
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		run = runs[i];
		if (upload(&run, stage, options, err) != THAW_OK)
			return THAW_FAILED;
		wrong += run.wrong != NULL;
		*some_passed |= !run.to_thaw && !run.frozen;
		if (all == NULL)
			print_run(&run);
		else if (json_array_append_new(all, run_json(&run)) != 0)
			return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	}
	if (wrong > 0)
		return error_set(err, THAW_ERR_USAGE, "%u of %zu uploads did not have the expected outcome", wrong,
				 sizeof(runs) / sizeof(runs[0]));
	return THAW_OK;
}

enum thaw_status demo_run(const struct demo_options *options, struct thaw_error *err)
{
	static struct stage stage;
	json_t *all = options->json ? json_array() : NULL;

	bool some_passed = false;
	mind_signals();
	enum thaw_status status = stage_set(&stage, options, err);

	if (status == THAW_OK) {
		if (all == NULL)
			print_head(options);
		status = run_all(&stage, options, all, &some_passed, err);
	}
	stage_clear(&stage);
	if (all != NULL)
		(void)json_dumpf(all, stdout, JSON_INDENT(2));
	json_decref(all);
	if (status == THAW_OK && options->json)
		(void)putchar('\n');
	else if (status == THAW_OK)
		(void)printf("\nEvery upload to Thaw arrived whole, with the client's certificate. The %s froze\n"
			     "at the other server.\n",
			     some_passed ? "uploads of the write-first client" : "same uploads");
	return status;
}
