/* One transfer of the body: a loop around libcurl's multi interface, with deadlines. */
#ifndef SEND_TRANSFER_H
#define SEND_TRANSFER_H

#include "curl/helper.h"
#include "send/send.h"

struct transfer {
	const struct send_options *options;
	struct send_result *result;
	CURL *easy;
	thaw_curl *helper;
	struct send_body *body;
	struct send_hold hold;
	struct send_known known;
	bool running;                  /* the upload is running; otherwise priming or --resume */
	bool begun;                    /* the request's head is being sent */
	bool closed;                   /* its connection was closed since */
	bool paused;                   /* reading the body is paused */
	bool starved;                  /* because standard input has no data */
	bool answered;                 /* a final response has started */
	bool out_failed;               /* the response could not be written */
	uint64_t head_len, head_lines; /* of all heads and trailers of the response so far */
	bool head_too_large;
	bool passes;          /* the response leads to another request and is discarded */
	long status;          /* of a final or interim response */
	char first_line[128]; /* of the head with that status */
	bool exchanging;      /* an ask is unanswered */
	struct send_ask ask;  /* the current ask, from TLS_EVENT_ASKED */
	uint64_t deadline_ms, told_ms;
	uint64_t primes_from_ms; /* start of the last HEAD */
	char error[CURL_ERROR_SIZE];
};

/* The largest head of a response, with its 1xx responses and its trailers. libcurl has limits of the same kind: 300 KiB
 * since 8.4, 5,000 fields since 8.13. Ours are lower, so that each version ends with the same error. */
#define TRANSFER_HEAD_MAX  262144
#define TRANSFER_LINES_MAX 4096

/* The helper's observer: reports and counts asks, and moves the gate. */
void transfer_on_event(void *arg, const struct tls_event *event);

/* The helper's begins(): starts the gate's waits; earlier asks belong to the connection. */
void transfer_begins(void *arg);

/* The helper's closes(): records what has arrived. */
void transfer_closes(void *arg);

/* The helper's waits(): reports the wait. */
void transfer_waits(void *arg);

/* Sets the callbacks of the handle; call once. False: libcurl is out of memory. */
bool transfer_prepare(struct transfer *transfer);

/* Whether a repetition is harmless if this attempt ends now. */
bool transfer_may_repeat(const struct transfer *transfer, enum send_cause cause, long status);

/* Whether another attempt is left and allowed if this one ends now. */
bool transfer_may_retry(const struct transfer *transfer, enum send_cause cause, long status);

/* Runs the prepared handle; the outcome is in transfer->result. */
void transfer_run(struct transfer *transfer, bool expects, const struct send_known *known);

#endif
