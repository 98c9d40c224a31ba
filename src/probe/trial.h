/*
 * A trial: one connection that does just what its script says, and tells what became of it. It does no I/O of its own
 * and is handed the time, so both ends can be memory.
 */
#ifndef PROBE_TRIAL_H
#define PROBE_TRIAL_H

#include "probe/meter.h"
#include "probe/reply.h"
#include "probe/timeline.h"
#include "tls/client.h"

/* How a client uploads. */
enum trial_style {
	TRIAL_READS,        /* it reads while it writes, and answers an ask at once */
	TRIAL_WRITES_FIRST, /* it reads nothing before its last byte is written, as many clients do */
};

enum trial_expect { TRIAL_NO_EXPECT, TRIAL_WAITS, TRIAL_EAGER }; /* Expect: 100-continue; EAGER: waits for nothing */

struct trial_script {
	const char *method, *target, *authority; /* borrowed, as all text here; they outlive the trial */
	const char *agent;                       /* the User-Agent field; NULL: thaw-probe; "": none */
	const char *fields;                      /* more field lines, each with its CRLF; may be "" */
	const char *prime;                       /* a target for HEAD, first, on the same connection; NULL: none */
	bool has_body;
	uint64_t length;
	enum trial_style style;
	enum trial_expect expect;
	bool pauses;       /* between head and body, until it is asked or settle_ms have passed */
	bool lingers;      /* behind the response, for settle_ms: perhaps it is asked then */
	bool withholds;    /* made of a context that withholds its certificate */
	bool renegotiates; /* tries that, and sends no request */
	bool asks_late;    /* it is known that this server does, of such a request: a stall may be a freeze then */
	bool http2;        /* the request goes out over HTTP/2 */
	uint32_t stall_ms; /* without progress: it is over */
	uint32_t settle_ms;
	uint32_t hold_ms;  /* since the last progress, to see when the server gives up; 0: not */
	uint32_t slow_ms;  /* an answer to a request that was taken whole is awaited so much longer than stall_ms */
	uint32_t limit_ms; /* for all of it but the hold */
};

enum trial_outcome {
	TRIAL_PENDING,
	TRIAL_ANSWERED, /* a final response, whatever its status */
	/* No progress, where it was asked late, or such a request is known to be: and bytes are left to send, or the
	 * exchange of the certificate has not finished. */
	TRIAL_FREEZE,
	TRIAL_SILENCE,      /* no progress, but nothing is left to do for this side; or nothing is known of an ask */
	TRIAL_ALERTED,      /* the server ended it with an alert */
	TRIAL_CLOSED,       /* it closed the connection without a response */
	TRIAL_RESET,        /* it reset it */
	TRIAL_GARBLED,      /* what came was no TLS, or no HTTP: detail */
	TRIAL_WITHHELD,     /* the certificate was withheld as scripted: held_ms, gave_up */
	TRIAL_UNPRIMED,     /* the connection did not outlive its priming */
	TRIAL_NO_HTTP2,     /* HTTP/2 was not chosen */
	TRIAL_H2_RESET,     /* HTTP/2: the stream was reset; h2_error */
	TRIAL_RENEGOTIATED, /* the server let the client renegotiate */
	TRIAL_NOT_RENEGOTIATED,
	/* before any request */
	TRIAL_UNREACHABLE, /* detail: the system's words */
	TRIAL_NOT_TLS,
	TRIAL_SHAKE_STALL,  /* no progress in the handshake */
	TRIAL_SHAKE_FAILED, /* detail, perhaps alert */
	TRIAL_UNTRUSTED,    /* the server's certificate is not accepted: detail */
	TRIAL_NO_MEMORY,
	TRIAL_KEY_FAILED, /* this side's key made no signature: detail */
};

/* When the request for the certificate was seen. */
enum trial_moment {
	TRIAL_NEVER,
	TRIAL_AT_HANDSHAKE,
	TRIAL_AT_PRIMING,
	TRIAL_AT_HEADERS,  /* before a byte of the body was sent */
	TRIAL_DURING_BODY, /* while it was under way */
	TRIAL_AFTER_BODY,
	TRIAL_AFTER_RESPONSE,
};

#define TRIAL_ISSUERS_MAX 8
#define TRIAL_NAME_MAX    160
#define TRIAL_DETAIL_MAX  200

struct trial_result {
	enum trial_outcome outcome;
	unsigned status;    /* of the final response; 0: none */
	unsigned alert;     /* of ALERTED and SHAKE_FAILED; 0: none (close_notify is none) */
	unsigned version;   /* 12, 13; 0: no handshake */
	bool wrong_version; /* one side does not speak the version of the other */
	bool resumed;
	char alpn[16];
	/* the ask */
	enum trial_moment asked;
	enum thaw_means means;
	bool given, declined; /* what was answered */
	uint32_t key_ms;      /* the longest that this side's key took to sign */
	bool unread_ask;      /* of a write-first client: the ask lay unread when it stalled */
	size_t issuer_count;
	char issuers[TRIAL_ISSUERS_MAX][TRIAL_NAME_MAX];
	char subject[TRIAL_NAME_MAX]; /* of our certificate; "": none */
	/* the body */
	uint64_t body_out;   /* its bytes that were written into TLS */
	uint64_t body_taken; /* of them, those that the server's side acknowledged */
	bool continued;      /* a 100 came */
	/* the end */
	bool gave_up;       /* after a stall, within hold_ms */
	uint32_t held_ms;   /* from the last progress to that, or to the end of hold_ms */
	bool taken_whole;   /* when it stalled: nothing was left to send, and no exchange was unfinished */
	bool answered_late; /* the response came after all, after a stall of held_ms */
	uint32_t ms;        /* all of it */
	uint32_t h2_error;
	char server[REPLY_SERVER_KEPT], type[REPLY_TYPE_KEPT], keep_alive[REPLY_TYPE_KEPT];
	char location[REPLY_LOCATION_KEPT];
	char body[REPLY_BODY_KEPT + 1];
	bool cookie_of_f5;
	const char *distrust; /* why the server's certificate would not be accepted; NULL: it would be */
	char detail[TRIAL_DETAIL_MAX];
};

struct trial;

/*
 * Its observer must be trial_observer() or trial_withholder(). name: for the server's certificate and SNI; memory may
 * be NULL. below outlives it, as all else given. NULL: no memory.
 */
struct trial *trial_new(const struct trial_script *script, struct tls_client_context *context, const char *name,
			struct tls_client_memory *memory, struct transport below, uint64_t now_ms);
void trial_free(struct trial **trial);

/* For tls_client_options.observer. */
const struct tls_observer *trial_observer(void);
const struct tls_observer *trial_withholder(void);

/* Moves on as far as it can. unacked: bytes that the transport took, and the peer's side has not acknowledged. True:
 * it is over. */
bool trial_step(struct trial *trial, uint64_t now_ms, uint64_t unacked);

struct trial_wants {
	bool read, write;
	uint64_t deadline_ms;
};
void trial_wants(const struct trial *trial, struct trial_wants *wants);

/* A silence that larger bodies of the same kind have explained: they froze with bytes left, and this one is small
 * enough for the buffers on the way. */
void trial_is_frozen(struct trial *trial);

/* Ends it as far as it has come. */
void trial_stop(struct trial *trial, uint64_t now_ms);

const struct trial_script *trial_script(const struct trial *trial);
const struct trial_result *trial_result(const struct trial *trial);
const struct timeline *trial_timeline(const struct trial *trial);

/* "freeze", "answered" and the like; "headers", "after-body", ... They are stable. */
const char *trial_outcome_name(enum trial_outcome outcome);
const char *trial_moment_name(enum trial_moment moment);

#endif
