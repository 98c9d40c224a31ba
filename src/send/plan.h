/* What is decided, without any I/O: how an upload begins, when its body may go out, and whether it may be tried again.
 */
#ifndef SEND_PLAN_H
#define SEND_PLAN_H

#include "thaw/types.h"

enum send_choice { SEND_AUTO, SEND_ALWAYS, SEND_NEVER };

/* How an attempt ended. */
enum send_cause {
	SEND_DONE,           /* 2xx behind the whole body */
	SEND_REFUSED,        /* another status */
	SEND_EARLY,          /* 2xx before the server had the whole body: it cannot be right */
	SEND_NO_HOST,        /* its name is not known */
	SEND_NO_WAY,         /* no connection */
	SEND_NO_TRUST,       /* the server's certificate is not accepted */
	SEND_NO_CERTIFICATE, /* the server refuses the client's certificate, or that there is none, by a TLS alert */
	SEND_NO_KEY,         /* the client's key made no signature */
	SEND_NO_TLS,         /* the handshake, or the TLS later, failed otherwise */
	SEND_LOST,           /* the connection ended before a whole response */
	SEND_STALLED,        /* nothing moved */
	SEND_TIMEOUT,        /* --timeout */
	SEND_UNPRIMED,       /* --prime always, and the connection cannot be primed */
	SEND_NO_BODY,        /* a file cannot be read: to be sent, of certificates or keys; or it has changed */
	SEND_NO_SENSE,       /* the URL is none, or what is wanted contradicts itself */
	SEND_NO_OUT,         /* the response cannot be written */
	SEND_NO_ROOM,        /* memory */
};

/* ---- the beginning ---- */

/* What is known of a server before the upload. */
struct send_known {
	bool https, credentials;
	bool tls_open;         /* no version was named */
	bool reached;          /* a priming request reached TLS: version is set */
	bool is_13;            /* on TLS 1.3 */
	long status;           /* of its answer; 0: none came */
	enum thaw_means asked; /* during it */
	bool kept;             /* the connection is there for the upload */
	bool head_has_body;    /* it answers HEAD with one, so that it cannot be primed */
	bool tried_12;
};

bool send_primes(enum send_choice prime, const struct send_known *known);

/*
 * Whether to prime once more, over TLS 1.2: a server whose TLS library cannot ask late over TLS 1.3 (Java's, Node's)
 * refuses there, or gives up the connection, without having asked.
 */
bool send_steps_down(const struct send_known *known);

/* ---- the body ---- */

/*
 * When the body may go out. The request's head does first, with Expect: 100-continue (RFC 9110 10.1.1): a server that
 * wants a certificate asks now, while no body is in the way. Some never say 100, whether they ask or not, so each wait
 * has an end, but for an ask that is not answered yet.
 */
enum send_gate { GATE_HEAD, GATE_ASKER, GATE_ASKED, GATE_ANSWERED, GATE_OPEN };
enum send_event { EVENT_CONTINUE, EVENT_ASKED, EVENT_ANSWERED, EVENT_TIME };

struct send_hold {
	enum send_gate gate;
	uint64_t deadline_ms;
	bool continued; /* a 100 has come */
};

bool send_expects(enum send_choice expect, const struct send_known *known);

/* expects false: the gate is open at once. */
void send_hold_begin(struct send_hold *hold, bool expects, const struct send_known *known, uint64_t now_ms);
void send_hold_event(struct send_hold *hold, enum send_event event, uint64_t now_ms);

/* ---- again ---- */

struct send_attempt {
	enum send_cause cause;
	long status;
	bool idempotent;        /* the method: PUT (RFC 9110 9.2.2) */
	bool touched;           /* bytes of the body went out */
	bool rewindable;        /* the body can be begun again */
	bool answered;          /* a final response began */
	uint64_t retry_after_s; /* the server says so; 0: it does not */
	unsigned alert;         /* the last one that the server sent; 0: none */
};

/* Whether an alert of a server that has asked for a certificate is about that (RFC 8446 6.2, RFC 5246 7.2.2). */
bool send_refuses_certificate(unsigned alert);

/* Whether sending the same again can do no harm, and may help. */
bool send_may_retry(const struct send_attempt *attempt);

/* How long to wait before it: twice as long each time, and as long as the server says. attempts: that were made. */
uint64_t send_pause_ms(unsigned attempts, uint64_t retry_after_s);

#endif
