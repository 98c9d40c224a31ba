#include "gateway/problem_words.h"

#define BUSY  "The server is busy"
#define RETRY "Wait a minute, then send your request again."

#define UNASKED "Your browser could not be asked for a certificate"
#define UNASKED_CURE                                                      \
	"Close all windows of this browser, then open this page again.\n" \
	"If that does not help, try another browser, or a newer version of this one."

static const struct gw_problem_words problems[] = {
	[GW_PROBLEM_MALFORMED] =
		{0, "malformed-request", NULL, "Send a valid HTTP request (RFC 9112).",
		 "The server could not read this request",
		 "Check the address for mistakes.\nIf you followed a link, tell the operator of the site that has it."},
	[GW_PROBLEM_NO_ROUTE] =
		{404, "no-route", "No route of this host matches this path and method.",
		 "Check the path; the operator finds the routes under 'hosts' in the configuration.",
		 "There is no such page",
		 "Check the address for mistakes.\nGo to the front page of this site and start from there."},
	[GW_PROBLEM_UNCLEAR_PATH] = {400, "unclear-path",
				     "Services may interpret this path or method differently, and the matching routes "
				     "have different requirements for clients.",
				     "Send the path in its normal form: no ';', no encoded slashes or letters, no "
				     "double slashes, and upper and lower case as in the route.",
				     "This address cannot be used",
				     "Check the address for mistakes: it may not have a semicolon, or two slashes in a "
				     "row.\nIf you followed a link, tell the operator of the site that has it."},
	[GW_PROBLEM_IDENTITY_SIZE] =
		{403, "certificate-too-large",
		 "The client certificate is too large for the header fields that pass it to the service (28 KiB in "
		 "total).",
		 "Use a certificate with fewer or shorter names and extensions; or ask the operator for a smaller set "
		 "of fields, or none ('identity' in the configuration).",
		 "Your certificate is too large",
		 "If you have another certificate for this site, close all windows of this browser, open this page "
		 "again, and choose that one.\nOtherwise, tell the operator."},
	[GW_PROBLEM_ADDRESS] = {403, "address-not-allowed",
				"Clients with this address are not allowed to use this path.",
				"Use a network that is allowed; the operator finds the lists under 'allow_from' and "
				"'deny_from' in the configuration.",
				"Your network does not have access to this page",
				"If this page is for members of an organization, use its network or its VPN.\n"
				"Otherwise, ask the operator for access."},
	[GW_PROBLEM_RATE] = {429, "too-many-requests", "This client address has sent too many requests.",
			     "Wait for the time in the Retry-After field, then send requests more slowly; the operator "
			     "finds the limit under 'rate' in the configuration.",
			     "Too many requests",
			     "Wait a minute, then load the page again.\nOther people in your network may have sent "
			     "requests, too."},
	[GW_PROBLEM_MISDIRECTED] = {421, "misdirected",
				    "The Host field differs from the server name in the TLS handshake (SNI).",
				    "Open a new connection for that host.", "This request reached the wrong site",
				    "Close this tab and open the address in a new one."},
	[GW_PROBLEM_PLAIN] =
		{400, "plain-http", "This port requires HTTPS, but the request was plain HTTP without TLS.",
		 "Send the request to https:// instead of http://.", "This address needs https",
		 "Write https:// instead of http:// in front of the address.\nIf you followed a link, tell "
		 "the operator of the site that has it."},
	[GW_PROBLEM_NO_HOST] = {421, "unknown-host", "The Host field does not name a host of this server.",
				"Use the name of the site; the operator finds the names under 'hosts' in the "
				"configuration.",
				"There is no such site here", "Check the address for mistakes."},
	[GW_PROBLEM_NO_CHALLENGE] =
		{404, "no-challenge", "There is no response for this ACME challenge.",
		 "Configure the ACME client to write its response below 'acme_webroot' of the configuration.",
		 "There is no such page", "Check the address for mistakes."},
	[GW_PROBLEM_SLOW_HEAD] = {408, "head-idle", "The request's head did not arrive in time.",
				  "Send the whole head at once.", "Your request did not arrive in time",
				  "Check your network connection, then load the page again."},
	[GW_PROBLEM_SLOW_BODY] = {408, "body-idle", "The request's body stopped before its end.",
				  "Send the body without long pauses.", "Your upload stopped",
				  "Check your network connection, then send it again."},
	[GW_PROBLEM_BODY_SIZE] = {413, "body-too-large", "The request's body is larger than this path accepts.",
				  "Send a smaller body. The operator sets the limit: 'max_request_body' in the "
				  "configuration.",
				  "Your upload is too large",
				  "Send a smaller file, or ask the operator for a higher limit."},
	[GW_PROBLEM_CUT_OFF] = {400, "connection", "The connection was ended before the request was complete.",
				"Keep the connection open until the response has come.",
				"Your request did not arrive in full",
				"Check your network connection, then send it again."},
	[GW_PROBLEM_GRPC] = {501, "grpc", "gRPC needs HTTP/2 to the service, and this gateway cannot use it there.",
			     "Use gRPC-Web, or a gateway that uses HTTP/2 to services for this path.",
			     "This service cannot be used in this way", "Tell the operator."},
	[GW_PROBLEM_UPSTREAM] =
		{502, "upstream",
		 "The service behind this gateway failed: it closed the connection, or sent an invalid HTTP response.",
		 "Try again later; the operator finds the cause in the gateway's log.",
		 "The service behind this site failed",
		 "Wait a minute, then load the page again.\nIf you sent something, find out first whether it arrived."},
	[GW_PROBLEM_UPSTREAM_AWAY] = {502, "upstream-unreachable",
				      "No server of the service behind this gateway could be reached.",
				      "Try again later; the operator finds the cause in the gateway's log.",
				      "The service behind this site cannot be reached",
				      "Wait a minute, then load the page again."},
	[GW_PROBLEM_UPSTREAM_SLOW] =
		{504, "upstream-timeout", "The service behind this gateway did not answer in time.",
		 "Try again later; the operator finds the limits under 'upstreams' in the configuration.",
		 "The service behind this site did not answer",
		 "Wait a minute, then load the page again.\nIf you sent something, find out first whether it arrived."},
	[GW_PROBLEM_MEMORY] = {503, "no-memory", "The gateway is out of memory for this request.", "Try again later.",
			       BUSY, RETRY},
	[GW_PROBLEM_STOPPING] =
		{503, "stopping",
		 "The gateway process that handled this request is stopping, and the request did not end in time.",
		 "Send the request again on a new connection.", BUSY, "Send your request again now."},
	[GW_PROBLEM_STOPPING_SENT] =
		{503, "stopping-sent",
		 "The gateway process that handled this request is stopping, and the service did not respond in time. "
		 "The service may have acted on the request.",
		 "Find out whether the request took effect before you send it again on a new connection.",
		 "The server stopped before it received an answer",
		 "Find out whether what you sent has arrived, before you send it again."},
	[GW_PROBLEM_CROWDED] =
		{503, "too-many-connections",
		 "The gateway is at its limit of connections, and closed this one to make room for another.",
		 "Send the request's head at once, or try again later.", BUSY, RETRY},
};

/* By reason. Reasons that never end a request have no entry. */
static const struct gw_problem_words reasons[] = {
	[THAW_REASON_NO_POST_HANDSHAKE] =
		{0, NULL,
		 "This path needs a client certificate, and the client speaks TLS 1.3 without offering post-handshake "
		 "authentication (RFC 8446 4.2.6), so it cannot be asked on this connection.",
		 "Turn on post-handshake authentication in the client, let it speak TLS 1.2, or use a host that asks "
		 "at the handshake.",
		 UNASKED, UNASKED_CURE},
	[THAW_REASON_NO_SECURE_RENEG] =
		{0, NULL,
		 "This path needs a client certificate, and the client's TLS 1.2 has no secure renegotiation (RFC "
		 "5746), so it cannot be asked on this connection.",
		 "Use a client with TLS 1.3 and post-handshake authentication, or a host that asks at the handshake.",
		 UNASKED, UNASKED_CURE},
	[THAW_REASON_NO_EXTENDED_MASTER] =
		{0, NULL,
		 "This path needs a client certificate, and the client's TLS 1.2 session was resumed without extended "
		 "master secret (RFC 7627), so a certificate cannot be accepted securely.",
		 "Open a new connection without resuming a session, or use a client with extended master secret.",
		 UNASKED, UNASKED_CURE},
	[THAW_REASON_VERSION] = {0, NULL, "A client certificate cannot be asked for in this version of TLS.",
				 "Use TLS 1.2 or 1.3.", UNASKED, UNASKED_CURE},
	[THAW_REASON_HTTP2] = {0, NULL, "HTTP/2 allows no late client certificate (RFC 9113 9.2.3).", "Use HTTP/1.1.",
			       UNASKED, UNASKED_CURE},
	[THAW_REASON_OUTSTANDING] = {0, NULL, "An earlier certificate request on this connection was not answered.",
				     "Open a new connection, and answer the certificate request.", UNASKED,
				     UNASKED_CURE},
	[THAW_REASON_REFUSED_RENEG] = {0, NULL, "The client refused to renegotiate.",
				       "Allow renegotiation in the client (Go: tls.RenegotiateOnceAsClient).", UNASKED,
				       UNASKED_CURE},
	[THAW_REASON_NO_CERTIFICATE] =
		{0, NULL, "This path needs a client certificate, but the client sent none.",
		 "Configure a certificate and its key in the client, issued by a CA that this server trusts.",
		 "This page needs a client certificate",
		 "If you have a certificate: close all windows of this browser, open this page again, and choose the "
		 "certificate when the browser asks.\nIf the browser does not ask: check that the certificate is "
		 "installed in this browser together with its private key, or that your smart card is "
		 "inserted.\nBrowsers show only certificates that have not expired and that come from an issuer that "
		 "this site accepts. If yours is not one of them, or you have none: ask the operator how to get one."},
	[THAW_REASON_UNTRUSTED] = {0, NULL, "The client's certificate was not accepted",
				   "Use a certificate that is valid now, meant for client authentication, and issued "
				   "by a CA that this server trusts.",
				   "Your certificate was not accepted",
				   "Check that you chose the right certificate, and that it has not expired.\nTo "
				   "choose another one, close all windows of this browser and open this page "
				   "again.\nIf it was the right one, tell the operator."},
	[THAW_REASON_IDENTITY_CHANGED] =
		{0, NULL, "The client sent a different certificate than the one accepted before on this connection.",
		 "Use one connection for one identity.", "Your certificate has changed",
		 "Close all windows of this browser, open this page again, and choose one certificate."},
	[THAW_REASON_NOT_ALLOWED] =
		{0, NULL, "The client's certificate is valid, but not allowed for this path.",
		 "Ask the operator to allow this certificate, or use another one.",
		 "Your certificate does not give access to this page",
		 "If you have another certificate for this page, close all windows of this browser, open this page "
		 "again, and choose that one.\nOtherwise, ask the operator for access."},
	[THAW_REASON_NO_ANSWER] = {0, NULL, "The certificate request was not answered in time.",
				   "Answer it while sending the body: read while writing. Or send the certificate "
				   "before the body, with a GET first (prime) or 'Expect: 100-continue'.",
				   "No certificate was chosen in time",
				   "Load the page again, and choose a certificate when the browser asks.\nIf your "
				   "certificate is on a smart card, insert and unlock it first."},
	[THAW_REASON_BODY_IDLE] = {0, NULL, "The request's body stopped before its end.",
				   "Send the body without long pauses.", "Your upload stopped",
				   "Check your network connection, then send it again."},
	[THAW_REASON_BODY_SIZE] = {0, NULL, "The body is larger than the limit for bodies that wait for a certificate.",
				   "Send the certificate before the body: with a GET or HEAD on the same connection "
				   "(prime), or 'Expect: 100-continue'. Then this limit does not apply.",
				   "Your upload is too large to be sent before your certificate",
				   "Open a page of this site for which the browser asks for your certificate. Then "
				   "send the upload again in the same window."},
	[THAW_REASON_PIPELINED] = {0, NULL,
				   "Too much data was sent after a request that still waits for its certificate.",
				   "Wait for the response before you send further requests.",
				   "Your browser sent too much at once",
				   "Close all windows of this browser, then open this page again."},
	[THAW_REASON_BUDGET_CLIENT] =
		{0, NULL, "This client address already uses its share of the spool.",
		 "Try again when its other uploads have ended, or send the certificate before the body (prime).",
		 "Your network has too many uploads under way",
		 "Wait until other uploads have ended, then send yours again."},
	[THAW_REASON_BUDGET_WORKER] = {0, NULL, "The spool is in use by other uploads.",
				       "Try again later, or send the certificate before the body (prime).", BUSY,
				       RETRY},
	[THAW_REASON_BUDGET_TOTAL] = {0, NULL, "The spool is in use by other uploads.",
				      "Try again later, or send the certificate before the body (prime).", BUSY, RETRY},
	[THAW_REASON_BUDGET_PRESSURE] =
		{0, NULL, "The spool is nearly full, and this request had waited longest for its certificate.",
		 "Try again, and answer the certificate request at once.", BUSY,
		 "Send your request again, and choose a certificate as soon as the browser asks."},
	[THAW_REASON_NO_MEMORY] = {0, NULL, "The gateway is out of memory for this request.", "Try again later.", BUSY,
				   RETRY},
	[THAW_REASON_DISK_FULL] = {0, NULL, "The gateway's spool has no space left on its disk.",
				   "Try again later, or send the certificate before the body (prime).", BUSY, RETRY},
	[THAW_REASON_DISK_ERROR] = {0, NULL, "The gateway's spool could not read or write its disk.",
				    "Try again later, or send the certificate before the body (prime).", BUSY, RETRY},
};

const struct gw_problem_words *gw_problem_words(enum gw_problem problem)
{
	return &problems[problem];
}

const struct gw_problem_words *gw_reason_words(enum thaw_reason reason)
{
	bool known = (size_t)reason < sizeof(reasons) / sizeof(reasons[0]) && reasons[reason].detail != NULL;

	return &reasons[known ? reason : THAW_REASON_NO_CERTIFICATE];
}
