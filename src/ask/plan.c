#include "ask/plan.h"

struct ask_plan ask_plan(const struct ask_facts *facts, const struct thaw_ask_options *options)
{
	if (facts->trusted && !options->again)
		return (struct ask_plan){ASK_STEP_ACCEPT, THAW_MOMENT_HANDSHAKE};
	if (options->moment == THAW_MOMENT_HANDSHAKE || (options->unverified && facts->present && !options->again))
		return (struct ask_plan){ASK_STEP_VERIFY, THAW_MOMENT_HANDSHAKE};
	if (facts->means == THAW_MEANS_NONE || facts->outstanding)
		return (struct ask_plan){ASK_STEP_IMPOSSIBLE, THAW_MOMENT_NONE};
	if (!options->body_follows)
		return (struct ask_plan){ASK_STEP_REQUEST, options->moment};
	if (options->moment == THAW_MOMENT_BODY)
		return (struct ask_plan){ASK_STEP_DRAIN_FIRST, THAW_MOMENT_BODY};
	/* Some clients continue to send the body in the middle of a renegotiation, and OpenSSL then fails the
	 * connection. */
	if (facts->means == THAW_MEANS_RENEGOTIATION && options->moment == THAW_MOMENT_HEADERS && !options->early)
		return (struct ask_plan){ASK_STEP_DRAIN_FIRST, THAW_MOMENT_BODY};
	return (struct ask_plan){ASK_STEP_REQUEST, options->moment};
}
