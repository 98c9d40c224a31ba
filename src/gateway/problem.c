#include "gateway/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/text.h"
#include "http/response.h"

#define RETRY_AFTER_S 10 /* a budget is given back as soon as some other ask ends */

struct words {
	unsigned status; /* 0: by the verdict */
	const char *name, *detail, *cure;
};

static const struct words problems[] = {
	[GW_PROBLEM_MALFORMED] = {0, "malformed-request", NULL, "Send a request that RFC 9112 allows."},
	[GW_PROBLEM_NO_ROUTE] = {404, "no-route", "No route of this host covers this path and method.",
				 "Check the path; the operator finds the routes under 'hosts' in the configuration."},
	[GW_PROBLEM_UNCLEAR_PATH] =
		{400, "unclear-path",
		 "Services read this path or method in different ways, and the routes for these ways ask for different "
		 "client certificates.",
		 "Send the plain form of the path: no ';', no encoded slashes or letters, no double slashes, and the "
		 "case "
		 "that the route has."},
	[GW_PROBLEM_IDENTITY_SIZE] = {403, "certificate-too-large",
				      "The client certificate is too large for the header fields that tell the service "
				      "who the client is; they "
				      "hold 28 KiB in all.",
				      "Use a certificate with fewer or shorter names and extensions; or ask the "
				      "operator for a smaller set of "
				      "fields, or none ('identity' in the configuration)."},
	[GW_PROBLEM_MISDIRECTED] = {421, "misdirected",
				    "The Host field names another host than the TLS handshake (SNI) did.",
				    "Open a new connection for that host."},
	[GW_PROBLEM_SLOW_HEAD] = {408, "head-idle", "The request's head did not arrive in time.",
				  "Send the whole head at once."},
	[GW_PROBLEM_SLOW_BODY] = {408, "body-idle", "The request's body stopped before its end.",
				  "Send the body without long pauses."},
	[GW_PROBLEM_CUT_OFF] = {400, "connection", "The connection was ended before the request was complete.",
				"Keep the connection open until the response has come."},
	[GW_PROBLEM_UPSTREAM] = {502, "upstream",
				 "The service behind this gateway failed: it ended the connection, or answered with "
				 "something that is not HTTP.",
				 "Try again later; the operator finds the cause in the gateway's log."},
	[GW_PROBLEM_UPSTREAM_AWAY] = {502, "upstream-unreachable",
				      "No server of the service behind this gateway could be reached.",
				      "Try again later; the operator finds the cause in the gateway's log."},
	[GW_PROBLEM_UPSTREAM_SLOW] = {504, "upstream-timeout",
				      "The service behind this gateway did not answer in time.",
				      "Try again later; the operator finds the limits under 'upstreams' in the "
				      "configuration."},
	[GW_PROBLEM_MEMORY] = {503, "no-memory", "The gateway has no memory left for this request.",
			       "Try again later."},
	[GW_PROBLEM_STOPPING] = {503, "stopping",
				 "The gateway process that took this request stops, and the request did not end in "
				 "the time that was left for it.",
				 "Send the request again on a new connection."},
	[GW_PROBLEM_STOPPING_SENT] = {503, "stopping-sent",
				      "The gateway process that took this request stops, and the service did not "
				      "answer in the time that was left. The service may have acted on the request.",
				      "Find out whether the request took effect before you send it again on a new "
				      "connection."},
	[GW_PROBLEM_CROWDED] = {503, "too-many-connections",
				"The gateway has as many connections as it may, and closed this one for another.",
				"Send the request's head at once, or try again later."},
};

/* By reason; those that never end a request are left out. */
static const struct words reasons[] = {
	[THAW_REASON_NO_POST_HANDSHAKE] =
		{0, NULL,
		 "This path needs a client certificate, and the client speaks TLS 1.3 without offering post-handshake "
		 "authentication (RFC 8446 4.2.6), so it cannot be asked on this connection.",
		 "Turn on post-handshake authentication in the client, let it speak TLS 1.2, or use a host that asks "
		 "at the "
		 "handshake."},
	[THAW_REASON_NO_SECURE_RENEG] =
		{0, NULL,
		 "This path needs a client certificate, and the client's TLS 1.2 has no secure renegotiation (RFC "
		 "5746), so "
		 "it cannot be asked on this connection.",
		 "Use a client with TLS 1.3 and post-handshake authentication, or a host that asks at the handshake."},
	[THAW_REASON_NO_EXTENDED_MASTER] =
		{0, NULL,
		 "This path needs a client certificate, and the client's TLS 1.2 session was resumed without extended "
		 "master secret (RFC 7627), on top of which no certificate can be trusted.",
		 "Open a new connection without resuming a session, or use a client with extended master secret."},
	[THAW_REASON_VERSION] = {0, NULL, "A client certificate cannot be asked for in this version of TLS.",
				 "Use TLS 1.2 or 1.3."},
	[THAW_REASON_HTTP2] = {0, NULL, "HTTP/2 allows no late client certificate (RFC 9113 9.2.3).", "Use HTTP/1.1."},
	[THAW_REASON_OUTSTANDING] = {0, NULL,
				     "An earlier request for a certificate was never answered on this connection.",
				     "Open a new connection, and answer the request for the certificate."},
	[THAW_REASON_REFUSED_RENEG] = {0, NULL, "The client refused to renegotiate.",
				       "Allow renegotiation in the client (Go: tls.RenegotiateOnceAsClient)."},
	[THAW_REASON_NO_CERTIFICATE] =
		{0, NULL, "This path needs a client certificate, and the client gave none when it was asked.",
		 "Configure a certificate and its key in the client, issued by a CA that this server trusts."},
	[THAW_REASON_UNTRUSTED] = {0, NULL, "The client's certificate was not accepted",
				   "Use a certificate that is valid now, meant for client authentication, and issued "
				   "by a CA that this server "
				   "trusts."},
	[THAW_REASON_IDENTITY_CHANGED] =
		{0, NULL, "The client gave another certificate than the one accepted before on this connection.",
		 "Use one connection for one identity."},
	[THAW_REASON_NOT_ALLOWED] = {0, NULL, "The client's certificate is valid, but not on the list for this path.",
				     "Ask the operator to allow this certificate, or use another one."},
	[THAW_REASON_NO_ANSWER] = {0, NULL, "The request for a certificate was not answered in time.",
				   "Answer it while the body is sent: read while writing, or ask for the certificate "
				   "first with a GET (prime) "
				   "or 'Expect: 100-continue'."},
	[THAW_REASON_BODY_IDLE] = {0, NULL, "The request's body stopped before its end.",
				   "Send the body without long pauses."},
	[THAW_REASON_BODY_SIZE] = {0, NULL, "The body is larger than what is held while a certificate is awaited.",
				   "Give the certificate first: a GET or HEAD on the same connection (prime), or "
				   "'Expect: 100-continue'; then "
				   "the body may be of any size."},
	[THAW_REASON_PIPELINED] = {0, NULL, "Too much was sent behind a request that still waits for its certificate.",
				   "Wait for the response before the next requests are sent."},
	[THAW_REASON_BUDGET_CLIENT] =
		{0, NULL, "This client address holds its share of the spool already.",
		 "Try again when its other uploads are done, or give the certificate first (prime)."},
	[THAW_REASON_BUDGET_WORKER] = {0, NULL, "The spool is in use by other uploads.",
				       "Try again later, or give the certificate first (prime)."},
	[THAW_REASON_BUDGET_TOTAL] = {0, NULL, "The spool is in use by other uploads.",
				      "Try again later, or give the certificate first (prime)."},
	[THAW_REASON_BUDGET_PRESSURE] =
		{0, NULL, "The spool is nearly full, and this request had waited longest for a certificate.",
		 "Try again, and answer the request for a certificate at once."},
	[THAW_REASON_NO_MEMORY] = {0, NULL, "The gateway has no memory left for this request.", "Try again later."},
	[THAW_REASON_DISK_FULL] = {0, NULL, "The gateway's spool has no room left on its disk.",
				   "Try again later, or give the certificate first (prime)."},
	[THAW_REASON_DISK_ERROR] = {0, NULL, "The gateway's spool could not use its disk.",
				    "Try again later, or give the certificate first (prime)."},
};

unsigned gw_problem_status(enum thaw_verdict verdict, enum thaw_reason reason)
{
	if (verdict == THAW_VERDICT_TIMED_OUT)
		return 408;
	if (verdict != THAW_VERDICT_OVER_LIMIT)
		return 403;
	if (reason == THAW_REASON_BODY_SIZE)
		return 413;
	return reason == THAW_REASON_PIPELINED ? 400 : 503;
}

/* Takes over no string. */
static bool fill(struct gw_reply *reply, unsigned status, const char *reason, const char *detail, const char *cure)
{
	char type[64];

	(void)snprintf(type, sizeof(type), "urn:thaw:problem:%s", reason);
	json_t *problem = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "type", type, "title", http_status_phrase(status),
				    "status", (int)status, "detail", detail, "reason", reason, "cure", cure);
	size_t len = 0;
	char *text = problem != NULL ? gw_text_dump(problem, JSON_INDENT(2), &len) : NULL;
	json_decref(problem);
	if (text == NULL)
		return false;
	reply->status = status;
	reply->content_type = "application/problem+json";
	reply->body = text;
	reply->body_len = len;
	reply->retry_after_s = status == 503 ? RETRY_AFTER_S : 0;
	return true;
}

const char *gw_problem_name(enum gw_problem problem)
{
	return problems[problem].name;
}

bool gw_problem_reply(enum gw_problem problem, const struct http_refusal *refusal, struct gw_reply *reply)
{
	const struct words *words = &problems[problem];

	*reply = (struct gw_reply){0};
	if (problem == GW_PROBLEM_MALFORMED)
		return fill(reply, refusal->status, words->name, refusal->why,
			    refusal->cure != NULL ? refusal->cure : words->cure);
	return fill(reply, words->status, words->name, words->detail, words->cure);
}

bool gw_problem_verdict(enum thaw_verdict verdict, enum thaw_reason reason, const char *detail, const char *elsewhere,
			struct http_span target, struct gw_reply *reply)
{
	bool known = (size_t)reason < sizeof(reasons) / sizeof(reasons[0]) && reasons[reason].detail != NULL;
	const struct words *words = &reasons[known ? reason : THAW_REASON_NO_CERTIFICATE];
	bool moved = verdict == THAW_VERDICT_IMPOSSIBLE && elsewhere != NULL;
	char text[512];

	*reply = (struct gw_reply){0};
	if (detail[0] != '\0')
		(void)snprintf(text, sizeof(text), "%s: %s.", words->detail, detail);
	else
		(void)snprintf(text, sizeof(text), "%s", words->detail);
	if (!fill(reply, moved ? 307 : gw_problem_status(verdict, reason), thaw_reason_name(reason), text, words->cure))
		return false;
	if (!moved)
		return true;
	size_t room = strlen(elsewhere) + target.len + 1;
	reply->location = malloc(room);
	if (reply->location == NULL) {
		gw_reply_free(reply);
		return false;
	}
	(void)snprintf(reply->location, room, "%s%.*s", elsewhere, (int)target.len, target.at);
	return true;
}
