#include "gateway/decide.h"

struct gw_decision gw_decide(const struct gw_facts *facts)
{
	/* RFC 9110 10.1.1: no 100 is needed once the body has started to arrive. */
	bool waits = facts->has_body && facts->expects && !facts->body_here;
	struct gw_decision decision = {.action = GW_GO_ASK, .continue_then = waits};

	bool late = facts->when != CONFIG_WHEN_NEVER && facts->when != CONFIG_WHEN_HANDSHAKE;
	if (late && (facts->cannot_ask || facts->demanded)) {
		decision.action = facts->demanded ? GW_GO_ASK : GW_GO_OR_AWAY;
		decision.moment = THAW_MOMENT_HANDSHAKE;
		return decision;
	}
	switch (facts->when) {
	case CONFIG_WHEN_NEVER:
		decision.action = GW_GO;
		break;
	case CONFIG_WHEN_HANDSHAKE:
		decision.moment = THAW_MOMENT_HANDSHAKE;
		break;
	case CONFIG_WHEN_REQUEST:
		decision.moment = THAW_MOMENT_HEADERS;
		decision.body_follows = facts->has_body && !waits;
		break;
	case CONFIG_WHEN_REQUEST_EARLY:
		decision.moment = THAW_MOMENT_HEADERS;
		decision.body_follows = facts->has_body && !waits;
		decision.early = true;
		break;
	case CONFIG_WHEN_BODY:
		decision.moment = THAW_MOMENT_BODY;
		decision.body_follows = facts->has_body;
		decision.continue_now = waits;
		decision.continue_then = false;
		break;
	case CONFIG_WHEN_RESPONSE:
		decision.action = GW_GO_THEN_ASK;
		break;
	}
	return decision;
}

bool gw_drains_too_much(const struct config_certificate *settings, uint64_t length)
{
	return length > settings->max_body;
}

/* An `allow` rule relies on the CA, so it matches no unverified certificate. */
static bool goes_unverified(const struct config_certificate *settings, enum thaw_reason reason)
{
	return settings->require == CONFIG_OPTIONAL_UNVERIFIED && reason == THAW_REASON_UNTRUSTED &&
	       settings->allow_count == 0;
}

enum gw_course gw_course(const struct config_certificate *settings, enum thaw_verdict verdict, enum thaw_reason reason)
{
	switch (verdict) {
	case THAW_VERDICT_ACCEPTED:
		return GW_COURSE_ADMIT;
	case THAW_VERDICT_DECLINED:
	case THAW_VERDICT_IMPOSSIBLE:
		return settings->require == CONFIG_REQUIRED ? GW_COURSE_REFUSE : GW_COURSE_GO;
	case THAW_VERDICT_REJECTED:
		return goes_unverified(settings, reason) ? GW_COURSE_MARKED : GW_COURSE_REFUSE;
	case THAW_VERDICT_TIMED_OUT:
	case THAW_VERDICT_OVER_LIMIT:
	case THAW_VERDICT_CANCELLED:
	case THAW_VERDICT_NONE:
	case THAW_VERDICT_PENDING:
		break;
	}
	return GW_COURSE_REFUSE;
}
