/* Describes a scenario in words. */
#include <stdio.h>

#include "scenario.h"

static const char *const servers[] = {
	[SERVER_GATEWAY] = "the gateway",
	[SERVER_ENGINE] = "a small server around libthaw",
	[SERVER_CONTROL] = "a control that stops reading",
	[SERVER_CONTROL_TIMEOUT] = "a control that stops reading for two minutes",
};
static const char *const versions[] = {"TLS 1.2 and 1.3", "TLS 1.2", "TLS 1.3"};
static const char *const readings[] = {"reads while it writes", "writes its whole request before it reads",
				       "reads slowly"};
static const char *const answers[] = {
	[ANSWER_GOOD] = "gives its certificate",
	[ANSWER_EMPTY] = "gives none",
	[ANSWER_WRONG_CA] = "gives one of an unknown CA",
	[ANSWER_EXPIRED] = "gives an expired one",
	[ANSWER_NEVER] = "never answers",
	[ANSWER_EMPTY_ONCE] = "gives none at first",
	[ANSWER_OTHER] = "gives the other CA's where that is named",
	[ANSWER_REFUSES] = "refuses to renegotiate",
};
static const char *const endings[] = {
	[ENDING_NORMAL] = "closes when all is done",
	[ENDING_IDLE] = "stays when all is done",
	[ENDING_STOPS] = "stops sending",
	[ENDING_NOTIFY] = "closes",
	[ENDING_HALF_CLOSE] = "half-closes",
	[ENDING_RESET] = "resets",
};
static const char *const framings[] = {"no body", "Content-Length", "chunked"};
static const char *const waits[] = {"", ", Expect, waiting", ", Expect, impatient", ", Expect, at once"};

static void describe_relay(FILE *out, const char *name, const struct relay_limits *limits)
{
	(void)fprintf(out, " %s: %zu bytes, %llu us", name, limits->buffer, (unsigned long long)limits->delay_us);
	if (limits->bytes_per_s > 0)
		(void)fprintf(out, ", %llu bytes/s", (unsigned long long)limits->bytes_per_s);
	(void)fprintf(out, ";");
}

static void describe_habits(FILE *out, const struct conn_plan *plan)
{
	if (plan->answer_after_ms > 0)
		(void)fprintf(out, " after %llu ms", (unsigned long long)plan->answer_after_ms);
	if (plan->reading == READS_SLOWLY)
		(void)fprintf(out, ", %zu bytes each %llu ms", plan->read_max, (unsigned long long)plan->read_pause_ms);
	if (plan->record_max < 16384)
		(void)fprintf(out, ", records of %zu", plan->record_max);
	if (plan->trickle_ms > 0)
		(void)fprintf(out, ", one each %llu ms", (unsigned long long)plan->trickle_ms);
	if (plan->careless)
		(void)fprintf(out, ", careless");
	if (plan->interleaves)
		(void)fprintf(out, ", interleaves");
	if (plan->renegotiates)
		(void)fprintf(out, ", renegotiates at %llu", (unsigned long long)plan->renegotiates_at);
	(void)fprintf(out, ", %s", endings[plan->ending]);
	if (plan->ending > ENDING_IDLE && plan->ending_at == SIM_NEVER)
		(void)fprintf(out, " in the handshake");
	else if (plan->ending > ENDING_IDLE)
		(void)fprintf(out, " at %llu", (unsigned long long)plan->ending_at);
	(void)fprintf(out, "\n");
}

static void describe_stream(FILE *out, const struct request_plan *request)
{
	static const char *const units[] = {
		[CANCEL_NOT] = "", [CANCEL_LATER] = "ms", [CANCEL_SENT] = "bytes sent", [CANCEL_HEARD] = "bytes heard"};

	(void)fprintf(out, ", at %llu ms", (unsigned long long)request->start_ms);
	if (request->pad > 0)
		(void)fprintf(out, ", for %llu bytes", (unsigned long long)request->pad);
	if (request->pause_ms > 0)
		(void)fprintf(out, ", %zu each %llu ms", request->chunk, (unsigned long long)request->pause_ms);
	if (request->cancel != CANCEL_NOT)
		(void)fprintf(out, ", cancelled after %llu %s", (unsigned long long)request->cancel_at,
			      units[request->cancel]);
}

static void describe_windows(FILE *out, const struct window_plan *windows)
{
	static const char *const grants[] = {"given back at once", "given back slowly", "not given back"};

	(void)fprintf(out, "     HTTP/2, windows of %u and %u bytes, %s", windows->stream, windows->connection,
		      grants[windows->grants]);
	if (windows->grants == GRANTS_DRIBBLE)
		(void)fprintf(out, ": %u each %llu ms", windows->grant_max,
			      (unsigned long long)windows->grant_pause_ms);
	(void)fprintf(out, "%s\n", windows->withholds_connection ? ", nor the connection's" : "");
}

static void describe_conn(FILE *out, const struct conn_plan *plan, unsigned index)
{
	(void)fprintf(out, "  #%u from address %u at %llu ms,", index, plan->address,
		      (unsigned long long)plan->start_ms);
	if (plan->retire_ms > 0)
		(void)fprintf(out, " retired after %llu ms,", (unsigned long long)plan->retire_ms);
	if (plan->dismiss_ms > 0)
		(void)fprintf(out, " dismissed %llu ms later,", (unsigned long long)plan->dismiss_ms);
	if (plan->resumes >= 0)
		(void)fprintf(out, " resumes #%d,", plan->resumes);
	describe_relay(out, "up", &plan->up);
	describe_relay(out, "down", &plan->down);
	(void)fprintf(out, "\n     %s, %s%s%s%s%s; %s, %s", plan->stack == STACK_GNUTLS ? "GnuTLS" : "OpenSSL",
		      versions[plan->versions], plan->post_handshake ? " with post-handshake" : "",
		      plan->no_extended_master ? ", no EMS" : "",
		      plan->no_secure_renegotiation ? ", no secure renegotiation" : "",
		      plan->handshake_host ? ", to the handshake host" : "", readings[plan->reading],
		      answers[plan->answer]);
	describe_habits(out, plan);
	if (plan->http2)
		describe_windows(out, &plan->windows);
	for (unsigned i = 0; i < plan->request_count; i++) {
		const struct request_plan *request = &plan->requests[i];
		(void)fprintf(out, "     %s %s %s, %llu bytes", request->method,
			      config_when_name(route_when(request->route)), route_path(request->route),
			      (unsigned long long)request->body);
		(void)fprintf(out, ", %s", framings[request->framing]);
		if (request->framing == FRAMING_CHUNKED)
			(void)fprintf(out, " of %zu%s", request->chunk, request->trailers ? " with trailers" : "");
		if (plan->http2)
			describe_stream(out, request);
		(void)fprintf(out, "%s%s%s\n", waits[request->expect], request->close ? ", Connection: close" : "",
			      plan->pipelined ? ", pipelined" : "");
	}
}

static void describe_origin(FILE *out, const struct origin_plan *plan)
{
	static const char *const habits[] = {
		[ORIGIN_HONEST] = "is honest",
		[ORIGIN_AWAY] = "refuses connections",
		[ORIGIN_SLOW] = "is slow",
		[ORIGIN_CLOSES_IDLE] = "closes after each response",
		[ORIGIN_CLOSES] = "closes",
		[ORIGIN_RESETS] = "resets",
		[ORIGIN_EARLY] = "answers early",
		[ORIGIN_GARBAGE] = "sends garbage",
		[ORIGIN_CUTS] = "ends in the middle of its response",
		[ORIGIN_SILENT] = "falls silent",
		[ORIGIN_EVENTS] = "answers in small pieces",
	};
	static const char *const bodies[] = {"Content-Length", "chunks", "bodies that end with the connection"};

	(void)fprintf(out, "  an upstream that sends %s and %s after %llu bytes;", bodies[plan->body],
		      habits[plan->habit], (unsigned long long)plan->at);
	describe_relay(out, "up", &plan->up);
	describe_relay(out, "down", &plan->down);
	(void)fprintf(out, "\n");
}

void scenario_describe(const struct scenario *scenario, FILE *out)
{
	(void)fprintf(out,
		      "  %s; require %s, timeout %llu ms, grace %llu ms, max_body %llu, %s%s\n"
		      "  spool: %llu in memory, %llu on disk, %u%% a client, %llu in memory a request\n",
		      servers[scenario->server], scenario->require ? "true" : "false",
		      (unsigned long long)scenario->timeout_ms, (unsigned long long)scenario->grace_ms,
		      (unsigned long long)scenario->max_body,
		      scenario->hold_to_tls12 ? "held to TLS 1.2" : "not held to TLS 1.2",
		      scenario->elsewhere ? ", elsewhere" : "", (unsigned long long)scenario->memory,
		      (unsigned long long)scenario->disk, scenario->per_client_percent,
		      (unsigned long long)scenario->request_memory);
	if (scenario->proxied)
		describe_origin(out, &scenario->origin);
	for (unsigned i = 0; i < scenario->conn_count; i++)
		describe_conn(out, &scenario->conns[i], i);
}
