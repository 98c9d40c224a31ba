/*
 * A check: one connection that follows its script and records the outcome. It does no I/O and is passed the time, so
 * that tests can run both ends in memory.
 */
#ifndef PROBE_CHECK_H
#define PROBE_CHECK_H

#include "probe/meter.h"
#include "probe/reply.h"
#include "probe/timeline.h"
#include "tls/client.h"

/* How a client uploads. */
enum check_style {
	CHECK_READS,        /* reads while it writes, and answers an ask at once */
	CHECK_WRITES_FIRST, /* reads nothing before its last byte is written, as many clients do */
};

enum check_expect { CHECK_NO_EXPECT, CHECK_WAITS, CHECK_EAGER }; /* Expect: 100-continue; EAGER: does not wait */

struct check_script {
	const char *method, *target, *authority; /* borrowed, like all text here; must outlive the check */
	const char *agent;                       /* the User-Agent field; NULL: thaw-probe */
	const char *fields;                      /* additional field lines, each with its CRLF; may be "" */
	const char *prime; /* send a HEAD for this target first, on the same connection; NULL: do not */
	bool has_body;
	uint64_t length;
	enum check_style style;
	enum check_expect expect;
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

enum check_outcome {
	CHECK_PENDING,
	CHECK_ANSWERED, /* a final response with any status */
	/* No progress, the server asked late or is known to do so, and bytes are left to send, or the exchange of
	 * the certificate is not complete. */
	CHECK_FREEZE,
	CHECK_SILENCE,      /* no progress, but this side has nothing left to do; or no ask is known */
	CHECK_ALERTED,      /* the server sent an alert */
	CHECK_CLOSED,       /* the server closed the connection without a response */
	CHECK_RESET,        /* the server reset it */
	CHECK_GARBLED,      /* invalid TLS or HTTP: see detail */
	CHECK_WITHHELD,     /* the certificate was withheld, as in the script: held_ms, gave_up */
	CHECK_UNPRIMED,     /* the connection was closed after priming */
	CHECK_NO_HTTP2,     /* HTTP/2 was not chosen */
	CHECK_H2_RESET,     /* HTTP/2: the stream was reset; see h2_error */
	CHECK_RENEGOTIATED, /* the server allowed the client to renegotiate */
	CHECK_NOT_RENEGOTIATED,
	/* before any request */
	CHECK_UNREACHABLE, /* detail: the system's error */
	CHECK_NOT_TLS,
	CHECK_SHAKE_STALL,  /* no progress in the handshake */
	CHECK_SHAKE_FAILED, /* detail, perhaps alert */
	CHECK_UNTRUSTED,    /* the server's certificate is not trusted: detail */
	CHECK_NO_MEMORY,
	CHECK_KEY_FAILED, /* this side's key could not sign: detail */
};

/* When the certificate request was received. */
enum check_moment {
	CHECK_NEVER,
	CHECK_AT_HANDSHAKE,
	CHECK_AT_PRIMING,
	CHECK_AT_HEADERS,  /* before the first byte of the body */
	CHECK_DURING_BODY, /* while the body was sent */
	CHECK_AFTER_BODY,
	CHECK_AFTER_RESPONSE,
};

#define CHECK_ISSUERS_MAX 8
#define CHECK_NAME_MAX    160
#define CHECK_DETAIL_MAX  200

struct check_result {
	enum check_outcome outcome;
	unsigned status;    /* of the final response; 0: none */
	unsigned alert;     /* for ALERTED and SHAKE_FAILED; 0: none (close_notify does not count) */
	unsigned version;   /* 12, 13; 0: no handshake */
	bool wrong_version; /* the two sides have no version in common */
	bool resumed;
	char alpn[16];
	/* the ask */
	enum check_moment asked;
	enum thaw_means means;
	bool given, declined; /* the answer to the ask */
	uint32_t key_ms;      /* longest time for one signature of this side's key */
	bool unread_ask;      /* write-first client: the ask was unread when it stalled */
	size_t issuer_count;
	char issuers[CHECK_ISSUERS_MAX][CHECK_NAME_MAX];
	char subject[CHECK_NAME_MAX]; /* of our certificate; "": none */
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
	char detail[CHECK_DETAIL_MAX];
};

struct check;

/*
 * The observer must be check_observer() or check_withholder(). name: for SNI and the server's certificate; memory
 * may be NULL. All arguments must outlive it. NULL: out of memory.
 */
struct check *check_new(const struct check_script *script, struct tls_client_context *context, const char *name,
			struct tls_client_memory *memory, struct transport below, uint64_t now_ms);
void check_free(struct check **check);

/* For tls_client_options.observer. */
const struct tls_observer *check_observer(void);
const struct tls_observer *check_withholder(void);

/* Continues as far as possible. unacked: bytes written that the peer's system has not acknowledged. True: it is
 * over. */
bool check_step(struct check *check, uint64_t now_ms, uint64_t unacked);

struct check_wants {
	bool read, write;
	uint64_t deadline_ms;
};
void check_wants(const struct check *check, struct check_wants *wants);

/* Turns a silence into a freeze: larger bodies froze with bytes left, and this one fits into the buffers on the way. */
void check_is_frozen(struct check *check);

/* Stops it in its current state. */
void check_stop(struct check *check, uint64_t now_ms);

const struct check_script *check_script(const struct check *check);
const struct check_result *check_result(const struct check *check);
const struct timeline *check_timeline(const struct check *check);

/* "freeze", "answered" and so on; "headers", "after-body", ... The names are stable. */
const char *check_outcome_name(enum check_outcome outcome);
const char *check_moment_name(enum check_moment moment);

#endif
