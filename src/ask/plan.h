/* Decides what an ask does, from what is known before anything is sent. A pure function. */
#ifndef ASK_PLAN_H
#define ASK_PLAN_H

#include "thaw/ask.h"

enum ask_step {
	ASK_STEP_ACCEPT,      /* the connection's certificate is accepted */
	ASK_STEP_VERIFY,      /* do not ask: verify the certificate of the handshake */
	ASK_STEP_REQUEST,     /* request the certificate now */
	ASK_STEP_DRAIN_FIRST, /* request the certificate when the body has ended */
	ASK_STEP_IMPOSSIBLE,
};

struct ask_facts {
	enum thaw_means means; /* NONE, POST_HANDSHAKE or RENEGOTIATION, as negotiated */
	bool trusted;          /* the connection has a certificate that this trust verifies */
	bool outstanding;      /* an earlier request on this connection was not answered */
	bool present;          /* the connection has a certificate, verified or not */
};

struct ask_plan {
	enum ask_step step;
	enum thaw_moment moment; /* when the client will actually be asked */
};

struct ask_plan ask_plan(const struct ask_facts *facts, const struct thaw_ask_options *options);

#endif
