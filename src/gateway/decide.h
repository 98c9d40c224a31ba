/* The decision table of docs/ARCHITECTURE.md: what a request's route and body mean for asking. A pure function. Whether
 * the whole body is drained before the client is asked is decided by ask/plan.h. */
#ifndef GATEWAY_DECIDE_H
#define GATEWAY_DECIDE_H

#include "config/config.h"
#include "thaw/types.h"

enum gw_action {
	GW_GO,          /* no certificate is wanted */
	GW_GO_ASK,      /* ask now, and go on by the verdict */
	GW_GO_THEN_ASK, /* answer, then ask: for the requests that follow */
	GW_GO_OR_AWAY,  /* go on with the certificate that is there; without one, the client is to come by HTTP/1.1 */
};

struct gw_facts {
	enum config_when when;
	bool has_body;
	bool expects;    /* Expect: 100-continue (RFC 9110 10.1.1) */
	bool body_here;  /* bytes of the body have come already */
	bool cannot_ask; /* HTTP/2 (RFC 9113 9.2.3) */
	bool demanded;   /* the handshake asked for this route's sake: its answer counts */
};

struct gw_decision {
	enum gw_action action;
	/* for GW_GO_ASK */
	enum thaw_moment moment;
	bool body_follows; /* without a 100 from us */
	bool early;
	/* for any */
	bool continue_now;  /* 100 at once: the client is asked only when its body is here */
	bool continue_then; /* 100 when the request goes on */
};

/* What a route's settings make of an ask's verdict. */
enum gw_course {
	GW_COURSE_ADMIT,  /* accepted: with the identity, if its allow rules let it */
	GW_COURSE_GO,     /* without an identity */
	GW_COURSE_MARKED, /* with the certificate, marked as unverified */
	GW_COURSE_REFUSE,
};

/* A body that will be drained whole, and is known to be too large, is refused before it is sent. length: 0: unknown. */
bool gw_drains_too_much(const struct config_certificate *settings, uint64_t length);

enum gw_course gw_course(const struct config_certificate *settings, enum thaw_verdict verdict, enum thaw_reason reason);

struct gw_decision gw_decide(const struct gw_facts *facts);

#endif
