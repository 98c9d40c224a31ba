/* Decisions, without I/O: how an upload begins, when its body is sent, and whether it is tried again. */
#ifndef SEND_PLAN_H
#define SEND_PLAN_H

#include "thaw/types.h"

enum send_choice { SEND_AUTO, SEND_ALWAYS, SEND_NEVER };

/* How an attempt ended. */
enum send_cause {
	SEND_DONE,           /* 2xx after the whole body */
	SEND_REFUSED,        /* another status */
	SEND_EARLY,          /* 2xx before the server had the whole body: cannot be right */
	SEND_NO_HOST,        /* unknown host */
	SEND_NO_WAY,         /* no connection */
	SEND_NO_TRUST,       /* the server's certificate is not trusted */
	SEND_NO_CERTIFICATE, /* the server rejects the client's certificate, or its absence, with a TLS alert */
	SEND_NO_KEY,         /* the client's key could not sign */
	SEND_NO_TLS,         /* TLS failed otherwise, in the handshake or later */
	SEND_LOST,           /* the connection was closed before the end of the response */
	SEND_STALLED,        /* no progress */
	SEND_TIMEOUT,        /* --timeout */
	SEND_UNPRIMED,       /* --prime always, but the connection cannot be primed */
	SEND_NO_BODY,        /* a file cannot be read (upload, certificate or key), or it changed */
	SEND_NO_SENSE,       /* invalid URL, or contradicting options */
	SEND_NO_OUT,         /* the response cannot be written */
	SEND_NO_ROOM,        /* out of memory */
};

/* ---- the beginning ---- */

/* What is known about a server before the upload. */
struct send_known {
	bool https, credentials;
	bool tls_open;         /* no TLS version was requested */
	bool reached;          /* a priming request completed the TLS handshake */
	bool is_13;            /* on TLS 1.3 */
	long status;           /* of the response; 0: none */
	enum thaw_means asked; /* during the priming request */
	bool kept;             /* the connection is kept for the upload */
	bool head_has_body;    /* the response to HEAD has a body, so the connection cannot be primed */
	bool tried_12;
};

bool send_primes(enum send_choice prime, const struct send_known *known);

/*
 * Whether to prime again over TLS 1.2. A server whose TLS library cannot ask late over TLS 1.3 (Java, Node.js)
 * rejects the request or closes the connection without asking.
 */
bool send_steps_down(const struct send_known *known);

/* ---- the body ---- */

/*
 * When the body may be sent. The head is sent first, with Expect: 100-continue (RFC 9110 10.1.1), so that a server
 * that requires a certificate asks before the body. Some servers never send a 100, so every wait has a limit, except
 * while an ask is unanswered.
 */
enum send_gate { GATE_HEAD, GATE_ASKER, GATE_ASKED, GATE_ANSWERED, GATE_OPEN };
enum send_event { EVENT_CONTINUE, EVENT_ASKED, EVENT_ANSWERED, EVENT_TIME };

struct send_hold {
	enum send_gate gate;
	uint64_t deadline_ms;
	bool continued; /* a 100 was received */
};

bool send_expects(enum send_choice expect, const struct send_known *known);

/* expects false: the gate is open from the start. */
void send_hold_begin(struct send_hold *hold, bool expects, const struct send_known *known, uint64_t now_ms);
void send_hold_event(struct send_hold *hold, enum send_event event, uint64_t now_ms);

/* ---- again ---- */

struct send_attempt {
	enum send_cause cause;
	long status;
	bool idempotent;        /* the method is idempotent: PUT (RFC 9110 9.2.2) */
	bool touched;           /* bytes of the body were sent */
	bool rewindable;        /* the body can be read again from the beginning */
	bool answered;          /* a final response began */
	uint64_t retry_after_s; /* Retry-After; 0: none */
	unsigned alert;         /* last alert from the server; 0: none */
};

/* Whether an alert from a server that has asked for a certificate is about the certificate (RFC 8446 6.2, RFC 5246
 * 7.2.2). */
bool send_refuses_certificate(unsigned alert);

/* Whether a repetition is harmless and may succeed. */
bool send_may_retry(const struct send_attempt *attempt);

/* How long to wait before the next attempt: doubled each time, at least Retry-After. attempts: number made so far. */
uint64_t send_pause_ms(unsigned attempts, uint64_t retry_after_s);

#endif
