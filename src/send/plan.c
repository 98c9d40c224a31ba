#include "send/plan.h"

#define WAIT_MS           1000 /* how long to wait for a 100 if the server may not ask; the same as libcurl */
#define ASKER_MS          10000 /* the same if the server asks for certificates: it may have to fetch a CRL, for example */
#define PAUSE_MS          500 /* before the first retry; doubled for each further one */
#define PAUSE_MAX_MS      30000
#define RETRY_AFTER_MAX_S 3600 /* a longer Retry-After is not waited for */

#define BEHIND_MS 1000 /* after the exchange; then the server reads on, even if it sends no 100 */

bool send_primes(enum send_choice prime, const struct send_known *known)
{
	bool may_help = known->https && known->credentials && !known->head_has_body;

	return prime == SEND_ALWAYS || (prime == SEND_AUTO && may_help);
}

bool send_steps_down(const struct send_known *known)
{
	static const long statuses[] = {0,   400, 401, 403,
					495, 496, 500}; /* 500: Node.js, when the ask throws an exception */
	bool refused = false;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		refused = refused || known->status == statuses[i];

	return known->tls_open && !known->tried_12 && known->credentials && known->reached && known->is_13 && refused &&
	       known->asked == THAW_MEANS_NONE;
}

/* ---- the body ---- */

#define BIT(gate) (1U << (gate))

static const struct {
	const char *name;
	unsigned next;
	uint64_t limit_ms; /* until the gate opens */
} gates[] = {
	[GATE_HEAD] = {"head", BIT(GATE_ASKED) | BIT(GATE_OPEN), WAIT_MS},
	[GATE_ASKER] = {"asker", BIT(GATE_ASKED) | BIT(GATE_OPEN), ASKER_MS},
	[GATE_ASKED] = {"asked", BIT(GATE_ANSWERED) | BIT(GATE_OPEN), THAW_NEVER},
	[GATE_ANSWERED] = {"answered", BIT(GATE_ASKED) | BIT(GATE_OPEN), BEHIND_MS},
	[GATE_OPEN] = {"open", 0, THAW_NEVER},
};

/* The only function that changes hold->gate. */
static void enter(struct send_hold *hold, enum send_gate gate, uint64_t now_ms)
{
	hold->gate = gate;
	hold->deadline_ms = gates[gate].limit_ms == THAW_NEVER ? THAW_NEVER : now_ms + gates[gate].limit_ms;
}

bool send_expects(enum send_choice expect, const struct send_known *known)
{
	bool has_it = known->asked == THAW_MEANS_HANDSHAKE || (known->kept && known->asked != THAW_MEANS_NONE);
	bool may_ask = known->https && known->credentials && !has_it;

	return expect == SEND_ALWAYS || (expect == SEND_AUTO && may_ask);
}

void send_hold_begin(struct send_hold *hold, bool expects, const struct send_known *known, uint64_t now_ms)
{
	enum send_gate shut = known->asked != THAW_MEANS_NONE && !known->kept ? GATE_ASKER : GATE_HEAD;

	hold->continued = false;
	enter(hold, expects ? shut : GATE_OPEN, now_ms);
}

void send_hold_event(struct send_hold *hold, enum send_event event, uint64_t now_ms)
{
	static const enum send_gate leads[] = {
		[EVENT_CONTINUE] = GATE_OPEN,
		[EVENT_ASKED] = GATE_ASKED,
		[EVENT_ANSWERED] = GATE_ANSWERED,
		[EVENT_TIME] = GATE_OPEN,
	};
	enum send_gate to = leads[event];

	hold->continued = hold->continued || event == EVENT_CONTINUE;
	if (event == EVENT_TIME && now_ms < hold->deadline_ms)
		return;
	if ((gates[hold->gate].next & BIT(to)) != 0)
		enter(hold, to, now_ms);
}

/* ---- again ---- */

bool send_refuses_certificate(unsigned alert)
{
	return (alert >= 40 && alert <= 46) || alert == 48 || alert == 49 || alert == 51 || alert == 116;
}

/* An alert that would be sent again. Not: bad record, internal error, user cancelled, close_notify. */
static bool is_permanent(unsigned alert)
{
	return alert != 0 && alert != 20 && alert != 80 && alert != 90;
}

/* Statuses that are temporary and not caused by the request (RFC 9110 15.5.9, 15.6; RFC 6585 4). */
static bool passes(long status, uint64_t retry_after_s)
{
	if (retry_after_s > RETRY_AFTER_MAX_S)
		return false;
	if (status == 413 && retry_after_s > 0) /* RFC 9110 15.5.14 */
		return true;
	return status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

bool send_may_retry(const struct send_attempt *attempt)
{
	if (attempt->touched && !attempt->rewindable)
		return false;
	/* Servers ignore an incomplete request, unless the method takes effect before the end of the body. */
	bool harmless = attempt->idempotent || !attempt->touched;

	switch (attempt->cause) {
	case SEND_NO_HOST:
	case SEND_NO_WAY:
		return true;
	case SEND_LOST:
	case SEND_STALLED:
		return harmless && !attempt->answered && !is_permanent(attempt->alert);
	case SEND_REFUSED:
		return harmless && passes(attempt->status, attempt->retry_after_s);
	case SEND_DONE:
	case SEND_EARLY:
	case SEND_NO_TRUST:
	case SEND_NO_CERTIFICATE:
	case SEND_NO_KEY:
	case SEND_NO_TLS:
	case SEND_TIMEOUT:
	case SEND_UNPRIMED:
	case SEND_NO_BODY:
	case SEND_NO_SENSE:
	case SEND_NO_OUT:
	case SEND_NO_ROOM:
		break;
	}
	return false;
}

uint64_t send_pause_ms(unsigned attempts, uint64_t retry_after_s)
{
	uint64_t ms = (uint64_t)PAUSE_MS << (attempts < 8 ? attempts - 1 : 7);

	ms = ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
	return ms > retry_after_s * 1000 ? ms : retry_after_s * 1000;
}
