#include "gateway/admit.h"

#include "ask/identity.h"
#include "gateway/allow.h"
#include "gateway/answer.h"

bool gw_admit(struct gw_stream *stream)
{
	const struct config_certificate *settings = &stream->route->config->certificate;
	const struct tls_identity *identity = ask_accepted(stream->conn->ask);

	if (settings->allow_count > 0) {
		const struct tls_details *details = gw_conn_details(stream->conn);
		if (details == NULL) {
			(void)gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
			return false;
		}
		if (!gw_allow(settings, details, identity->sha256_hex)) {
			stream->story.report.verdict = THAW_VERDICT_REJECTED;
			stream->story.report.reason = THAW_REASON_NOT_ALLOWED;
			gw_account_enter(stream, GW_ACCOUNT_FINAL);
			(void)gw_refuse_verdict(stream, THAW_VERDICT_REJECTED, THAW_REASON_NOT_ALLOWED, "");
			return false;
		}
	}
	stream->identity = identity;
	return true;
}

void gw_mark(struct gw_stream *stream)
{
	stream->unverified = ask_presented(stream->conn->ask);
}
