/*
 * A trial: one connection that follows its script and records the outcome. It does no I/O and is passed the time, so
 * that tests can run both ends in memory.
 */
#ifndef PROBE_TRIAL_H
#define PROBE_TRIAL_H

#include "probe/meter.h"
#include "probe/reply.h"
#include "probe/timeline.h"
#include "tls/client.h"

/* How a client uploads. */
enum trial_style {
	TRIAL_READS,        /* reads while it writes, and answers an ask at once */
	TRIAL_WRITES_FIRST, /* reads nothing before its last byte is written, as many clients do */
};

enum trial_expect { TRIAL_NO_EXPECT, TRIAL_WAITS, TRIAL_EAGER }; /* Expect: 100-continue; EAGER: does not wait */

struct trial_script {
	const char *method, *target, *authority; /* borrowed, like all text here; must outlive the trial */
	const char *agent;                       /* the User-Agent field; NULL: thaw-probe */
	const char *fields;                      /* additional field lines, each with its CRLF; may be "" */
	const char *prime; /* send a HEAD for this target first, on the same connection; NULL: do not */
	bool has_body;
	uint64_t length;
	enum trial_style style;
	enum trial_expect expect;
	bool pauses;       /* pause between head and body, until the server asks or for settle_ms */
	bool lingers;      /* wait after the response for an ask, for settle_ms */
	bool withholds;    /* use a context that does not answer an ask */
	bool renegotiates; /* try to renegotiate, and send no request */
	bool asks_late;    /* the server is known to ask late for such a request: a stall may be a freeze */
	bool http2;        /* use HTTP/2 */
	uint32_t stall_ms; /* time without progress after which it is stalled */
	uint32_t settle_ms;
	uint32_t hold_ms;  /* how long to watch for the server to give up, from the last progress; 0: do not */
	uint32_t slow_ms;  /* additional time for the response after the whole request */
	uint32_t limit_ms; /* for everything except the hold */
};

enum trial_outcome {
	TRIAL_PENDING,
	TRIAL_ANSWERED, /* a final response with any status */
	/* No progress, the server asked late or is known to do so, and bytes are left to send, or the exchange of
	 * the certificate is not complete. */
	TRIAL_FREEZE,
	TRIAL_SILENCE,      /* no progress, but this side has nothing left to do; or no ask is known */
	TRIAL_ALERTED,      /* the server sent an alert */
	TRIAL_CLOSED,       /* the server closed the connection without a response */
	TRIAL_RESET,        /* the server reset it */
	TRIAL_GARBLED,      /* invalid TLS or HTTP: see detail */
	TRIAL_WITHHELD,     /* the certificate was withheld, as in the script: held_ms, gave_up */
	TRIAL_UNPRIMED,     /* the connection was closed after priming */
	TRIAL_NO_HTTP2,     /* HTTP/2 was not chosen */
	TRIAL_H2_RESET,     /* HTTP/2: the stream was reset; see h2_error */
	TRIAL_RENEGOTIATED, /* the server allowed the client to renegotiate */
	TRIAL_NOT_RENEGOTIATED,
	/* before any request */
	TRIAL_UNREACHABLE, /* detail: the system's error */
	TRIAL_NOT_TLS,
	TRIAL_SHAKE_STALL,  /* no progress in the handshake */
	TRIAL_SHAKE_FAILED, /* detail, perhaps alert */
	TRIAL_UNTRUSTED,    /* the server's certificate is not trusted: detail */
	TRIAL_NO_MEMORY,
	TRIAL_KEY_FAILED, /* this side's key could not sign: detail */
};

/* When the certificate request was received. */
enum trial_moment {
	TRIAL_NEVER,
	TRIAL_AT_HANDSHAKE,
	TRIAL_AT_PRIMING,
	TRIAL_AT_HEADERS,  /* before the first byte of the body */
	TRIAL_DURING_BODY, /* while the body was sent */
	TRIAL_AFTER_BODY,
	TRIAL_AFTER_RESPONSE,
};

#define TRIAL_ISSUERS_MAX 8
#define TRIAL_NAME_MAX    160
#define TRIAL_DETAIL_MAX  200

struct trial_result {
	enum trial_outcome outcome;
	unsigned status;    /* of the final response; 0: none */
	unsigned alert;     /* for ALERTED and SHAKE_FAILED; 0: none (close_notify does not count) */
	unsigned version;   /* 12, 13; 0: no handshake */
	bool wrong_version; /* the two sides have no version in common */
	bool resumed;
	char alpn[16];
	/* the ask */
	enum trial_moment asked;
	enum thaw_means means;
	bool given, declined; /* the answer to the ask */
	uint32_t key_ms;      /* longest time for one signature of this side's key */
	bool unread_ask;      /* write-first client: the ask was unread when it stalled */
	size_t issuer_count;
	char issuers[TRIAL_ISSUERS_MAX][TRIAL_NAME_MAX];
	char subject[TRIAL_NAME_MAX]; /* of our certificate; "": none */
	/* the body */
	uint64_t body_out;   /* bytes of it written into TLS */
	uint64_t body_taken; /* those acknowledged by the server's system */
	bool continued;      /* a 100 was received */
	/* the end */
	bool gave_up;       /* the server gave up after a stall, within hold_ms */
	uint32_t held_ms;   /* from the last progress to that, or to the end of hold_ms */
	bool taken_whole;   /* at the stall nothing was left to send, and no exchange was incomplete */
	bool answered_late; /* the response arrived after a stall of held_ms */
	uint32_t ms;        /* total duration */
	uint32_t h2_error;
	char server[REPLY_SERVER_KEPT], type[REPLY_TYPE_KEPT], keep_alive[REPLY_TYPE_KEPT];
	char location[REPLY_LOCATION_KEPT];
	char body[REPLY_BODY_KEPT + 1];
	bool cookie_of_f5;
	const char *distrust; /* why the server's certificate is not trusted; NULL: it is trusted */
	char detail[TRIAL_DETAIL_MAX];
};

struct trial;

/*
 * The observer must be trial_observer() or trial_withholder(). name: for SNI and the server's certificate; memory
 * may be NULL. All arguments must outlive it. NULL: out of memory.
 */
struct trial *trial_new(const struct trial_script *script, struct tls_client_context *context, const char *name,
			struct tls_client_memory *memory, struct transport below, uint64_t now_ms);
void trial_free(struct trial **trial);

/* For tls_client_options.observer. */
const struct tls_observer *trial_observer(void);
const struct tls_observer *trial_withholder(void);

/* Continues as far as possible. unacked: bytes written that the peer's system has not acknowledged. True: it is
 * over. */
bool trial_step(struct trial *trial, uint64_t now_ms, uint64_t unacked);

struct trial_wants {
	bool read, write;
	uint64_t deadline_ms;
};
void trial_wants(const struct trial *trial, struct trial_wants *wants);

/* Turns a silence into a freeze: larger bodies froze with bytes left, and this one fits into the buffers on the way. */
void trial_is_frozen(struct trial *trial);

/* Stops it in its current state. */
void trial_stop(struct trial *trial, uint64_t now_ms);

const struct trial_script *trial_script(const struct trial *trial);
const struct trial_result *trial_result(const struct trial *trial);
const struct timeline *trial_timeline(const struct trial *trial);

/* "freeze", "answered" and so on; "headers", "after-body", ... The names are stable. */
const char *trial_outcome_name(enum trial_outcome outcome);
const char *trial_moment_name(enum trial_moment moment);

#endif
