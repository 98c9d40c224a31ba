/* Makes the decisions for each kind of client: ClientHello, means, plan, verdict, course. */
#include "ask/plan.h"
#include "gateway/decide.h"
#include "gateway/preview.h"

struct kind {
	const char *name, *like;
	struct tls_hello hello;
	bool never_renegotiates;
};

static const struct kind kinds[GW_PREVIEW_KINDS] = {
	{"HTTP/2 browser",
	 "Chromium, Edge, Firefox",
	 {.tls12 = true, .tls13 = true, .h2 = true, .http1 = true, .extended_master = true, .kind = TLS_KIND_CHROMIUM},
	 false},
	{"TLS 1.3 with post-handshake authentication",
	 "curl, thaw send",
	 {.tls12 = true, .tls13 = true, .http1 = true, .post_handshake = true, .extended_master = true},
	 false},
	{"TLS 1.3 without it, or TLS 1.2",
	 "Node.js, Java HttpsURLConnection",
	 {.tls12 = true, .tls13 = true, .http1 = true, .extended_master = true},
	 false},
	{"TLS 1.3 only, without it",
	 "clients that are configured so",
	 {.tls13 = true, .http1 = true, .extended_master = true},
	 false},
	{"TLS 1.2 only", "older clients", {.tls12 = true, .http1 = true, .extended_master = true}, false},
	{"HTTP/2, no browser",
	 "Java HttpClient",
	 {.tls12 = true, .tls13 = true, .h2 = true, .http1 = true, .extended_master = true},
	 false},
	{"HTTP/2, no browser, no renegotiation",
	 "Go programs: kubectl, docker, Prometheus",
	 {.tls12 = true, .tls13 = true, .h2 = true, .http1 = true, .extended_master = true},
	 true},
};

/* The connection of one kind of client, and the decision about its request. */
struct visit {
	const struct gw_preview *preview;
	const struct gateway *gateway;
	const struct config_certificate *settings;
	struct tls_hello hello;
	struct gw_preview_client *client;
	bool demanded; /* a certificate is requested in the handshake, on demand */
	bool never_renegotiates;
};

static enum tls_version version_of(const struct visit *visit, const struct tls_policy *manner)
{
	bool tls12 = visit->hello.tls12 && !manner->no_tls12;

	bool tls13 = visit->hello.tls13 && !manner->no_tls13;

	visit->client->held_to_tls12 = tls13 && tls_holds_to_tls12(manner, &visit->hello, visit->demanded);
	if (tls13 && !visit->client->held_to_tls12)
		return TLS_VERSION_13;
	return tls12 ? TLS_VERSION_12 : TLS_VERSION_OTHER;
}

/* Sets the verdict on the client's certificate. */
static void settle(const struct visit *visit)
{
	const struct gw_preview *preview = visit->preview;
	struct gw_preview_client *client = visit->client;

	client->reason = THAW_REASON_NONE;
	if (!preview->appraised) {
		client->verdict = THAW_VERDICT_DECLINED;
		client->reason = THAW_REASON_NO_CERTIFICATE;
	} else if (preview->certificate.accepted) {
		client->verdict = THAW_VERDICT_ACCEPTED;
	} else {
		client->verdict = THAW_VERDICT_REJECTED;
		client->reason = THAW_REASON_UNTRUSTED;
	}
}

static void refuse(const struct visit *visit)
{
	struct gw_preview_client *client = visit->client;
	bool moved = client->verdict == THAW_VERDICT_IMPOSSIBLE && visit->settings->elsewhere != NULL;

	client->location = moved ? visit->settings->elsewhere : NULL;
	client->status = moved ? 307 : gw_problem_status(client->verdict, client->reason);
}

/* Applies the route's settings to the verdict. */
static void take_course(const struct visit *visit)
{
	struct gw_preview_client *client = visit->client;

	client->asked = true;
	switch (gw_course(visit->settings, client->verdict, client->reason)) {
	case GW_COURSE_ADMIT:
		client->allowed = client->with_identity = visit->preview->listed;
		if (!client->allowed) {
			client->verdict = THAW_VERDICT_REJECTED;
			client->reason = THAW_REASON_NOT_ALLOWED;
			refuse(visit);
		}
		break;
	case GW_COURSE_MARKED:
		client->allowed = client->unverified = true;
		break;
	case GW_COURSE_GO:
		client->allowed = true;
		break;
	case GW_COURSE_REFUSE:
		refuse(visit);
		break;
	}
}

/* OpenSSL ends the connection if the client answers with a no_renegotiation alert. */
static void end(const struct visit *visit)
{
	struct gw_preview_client *client = visit->client;

	client->asked = client->ends = true;
	client->verdict = THAW_VERDICT_IMPOSSIBLE;
	client->reason = THAW_REASON_REFUSED_RENEG;
}

/* Does the same as thaw_conn_ask(). */
static void ask(const struct visit *visit, const struct ask_facts *facts, const struct gw_decision *decision,
		enum thaw_reason why)
{
	const struct thaw_ask_options options = {.moment = decision->moment,
						 .body_follows = decision->body_follows,
						 .early = decision->early,
						 .unverified = visit->settings->require == CONFIG_OPTIONAL_UNVERIFIED};
	const struct ask_plan plan = ask_plan(facts, &options);
	struct gw_preview_client *client = visit->client;
	bool asked = visit->demanded || visit->preview->host->at_handshake != NULL;

	client->means = facts->means;
	client->moment = plan.moment;
	client->drains = plan.step == ASK_STEP_DRAIN_FIRST;
	if (facts->means == THAW_MEANS_RENEGOTIATION && visit->never_renegotiates &&
	    (plan.step == ASK_STEP_REQUEST || plan.step == ASK_STEP_DRAIN_FIRST)) {
		end(visit);
		return;
	}
	switch (plan.step) {
	case ASK_STEP_ACCEPT:
	case ASK_STEP_VERIFY:
		client->means = THAW_MEANS_HANDSHAKE;
		if (asked) {
			settle(visit);
			break;
		}
		client->verdict = THAW_VERDICT_DECLINED;
		client->reason = THAW_REASON_NO_CERTIFICATE;
		break;
	case ASK_STEP_REQUEST:
		settle(visit);
		break;
	case ASK_STEP_DRAIN_FIRST:
		settle(visit);
		if (gw_drains_too_much(visit->settings, visit->preview->head.length)) {
			client->verdict = THAW_VERDICT_OVER_LIMIT;
			client->reason = THAW_REASON_BODY_SIZE;
		}
		break;
	case ASK_STEP_IMPOSSIBLE:
		client->means = THAW_MEANS_NONE;
		client->verdict = THAW_VERDICT_IMPOSSIBLE;
		client->reason = why;
		break;
	}
	take_course(visit);
}

/* Whether a certificate from the handshake is not trusted, and is passed on as unverified. */
static bool goes_marked(const struct visit *visit)
{
	return gw_course(visit->settings, THAW_VERDICT_REJECTED, THAW_REASON_UNTRUSTED) == GW_COURSE_MARKED &&
	       !visit->preview->certificate.accepted;
}

static void decide(const struct visit *visit, const struct tls_negotiated *negotiated)
{
	const struct http_request *head = &visit->preview->head;
	struct gw_preview_client *client = visit->client;
	const struct gw_facts facts = {
		.when = visit->settings->when,
		.has_body = head->framing == HTTP_BODY_CHUNKED || head->length > 0,
		.expects = head->expect_continue,
		.cannot_ask = negotiated->http2,
		.demanded = visit->demanded,
	};
	const struct gw_decision decision = gw_decide(&facts);
	enum thaw_reason why = THAW_REASON_NONE;
	struct ask_facts known = {.means = tls_means(negotiated, &why)};

	/* The handshake may use a different trust than the route, but the certificate is the same. */
	known.present = visit->preview->host->at_handshake != NULL && visit->preview->appraised;
	known.trusted = known.present && visit->preview->certificate.accepted;
	switch (decision.action) {
	case GW_GO:
		client->allowed = true;
		break;
	case GW_GO_THEN_ASK:
		if (known.present && goes_marked(visit)) {
			client->means = THAW_MEANS_HANDSHAKE;
			client->moment = THAW_MOMENT_HANDSHAKE;
			settle(visit);
			take_course(visit);
			break;
		}
		client->moment = known.trusted ? THAW_MOMENT_HANDSHAKE : THAW_MOMENT_RESPONSE;
		client->means = known.trusted ? THAW_MEANS_HANDSHAKE : known.means;
		client->verdict = known.trusted ? THAW_VERDICT_ACCEPTED : THAW_VERDICT_NONE;
		client->reason = known.trusted ? THAW_REASON_NONE : why;
		client->asked = client->allowed = true;
		if (known.trusted)
			take_course(visit);
		break;
	case GW_GO_OR_AWAY:
		if (known.trusted || (known.present && goes_marked(visit)))
			ask(visit, &known, &decision, why);
		else
			client->sent_away = true;
		break;
	case GW_GO_ASK:
		ask(visit, &known, &decision, why);
		break;
	}
}

static void visit(struct visit *visit)
{
	const struct gateway *gateway = visit->gateway;
	const struct tls_policy *manner =
		tls_server_policy(gateway->tls, (int)(visit->preview->host - gateway->routes.hosts));
	const struct tls_negotiated negotiated = {
		.version = version_of(visit, manner),
		.http2 = tls_offers_http2(manner, &visit->hello),
		.post_handshake = visit->hello.post_handshake,
		.secure_renegotiation = true,
	};

	if (negotiated.version == TLS_VERSION_OTHER)
		return;
	visit->client->tls = negotiated.version == TLS_VERSION_13 ? "TLSv1.3" : "TLSv1.2";
	visit->client->http = negotiated.http2 ? "2.0" : "1.1";
	decide(visit, &negotiated);
}

void gw_preview_clients(struct gw_preview *preview, const struct gateway *gateway)
{
	preview->client_count = GW_PREVIEW_KINDS;
	for (size_t i = 0; i < GW_PREVIEW_KINDS; i++) {
		struct gw_preview_client *client = &preview->clients[i];
		struct visit first = {.preview = preview,
				      .gateway = gateway,
				      .settings = &preview->found.route->config->certificate,
				      .hello = kinds[i].hello,
				      .client = client,
				      .never_renegotiates = kinds[i].never_renegotiates};
		*client = (struct gw_preview_client){.name = kinds[i].name, .like = kinds[i].like};
		visit(&first);
		if (!client->sent_away || !tls_kind_retries(first.hello.kind))
			continue;
		struct visit second = first; /* it retries with HTTP/1.1 only, and its note identifies it */
		second.hello.h2 = false;
		second.demanded = tls_may_follow(
			tls_server_policy(gateway->tls, (int)(preview->host - gateway->routes.hosts)), &second.hello);
		client->comes_back = true;
		visit(&second);
	}
}
