/* The decision table of docs/ARCHITECTURE.md: when to ask, depending on the route and the body. A pure function.
 * ask/plan.h decides whether the whole body is drained first. */
#ifndef GATEWAY_DECIDE_H
#define GATEWAY_DECIDE_H

#include "config/config.h"
#include "thaw/types.h"

enum gw_action {
	GW_GO,          /* no certificate is required */
	GW_GO_ASK,      /* ask now, and continue after the verdict */
	GW_GO_THEN_ASK, /* respond first, then ask, for the following requests */
	GW_GO_OR_AWAY,  /* continue with the existing certificate; without one, the client must retry over HTTP/1.1 */
};

struct gw_facts {
	enum config_when when;
	bool has_body;
	bool expects;    /* Expect: 100-continue (RFC 9110 10.1.1) */
	bool body_here;  /* bytes of the body have already arrived */
	bool cannot_ask; /* HTTP/2 (RFC 9113 9.2.3) */
	bool demanded;   /* the handshake asked because of this route: its result counts */
};

struct gw_decision {
	enum gw_action action;
	/* for GW_GO_ASK */
	enum thaw_moment moment;
	bool body_follows; /* without a 100 from us */
	bool early;
	/* for any */
	bool continue_now;  /* send 100 at once: the client is asked after its body */
	bool continue_then; /* send 100 when the request may proceed */
};

/* What to do after the verdict of an ask. */
enum gw_course {
	GW_COURSE_ADMIT,  /* accepted: with the identity, if the allow rules match */
	GW_COURSE_GO,     /* without an identity */
	GW_COURSE_MARKED, /* with the certificate, marked as unverified */
	GW_COURSE_REFUSE,
};

/* Whether a body that would be drained completely is known to be too large, so that it is refused before it is sent.
 * length 0: unknown. */
bool gw_drains_too_much(const struct config_certificate *settings, uint64_t length);

enum gw_course gw_course(const struct config_certificate *settings, enum thaw_verdict verdict, enum thaw_reason reason);

struct gw_decision gw_decide(const struct gw_facts *facts);

#endif
