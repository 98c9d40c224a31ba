/* One transfer of the body: libcurl's multi interface in a loop of our own, with deadlines. */
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
	bool running;         /* it is; else the connection is primed, or what is there looked at */
	bool begun;           /* the request's head is going out */
	bool closed;          /* its connection, since */
	bool paused;          /* it was told to wait for it */
	bool starved;         /* because standard input has nothing yet */
	bool answered;        /* a final response has begun */
	bool out_failed;      /* the response could not be written */
	bool passes;          /* the response is only why there is another request: nobody gets it */
	long status;          /* of its head, or of an interim one */
	char first_line[128]; /* of the head that status is of */
	bool exchanging;      /* asked, and not answered yet */
	struct send_ask ask;  /* the one that is under way: what TLS_EVENT_ASKED said */
	uint64_t deadline_ms, told_ms;
	uint64_t primes_from_ms; /* when the last HEAD began */
	char error[CURL_ERROR_SIZE];
};

/* For the helper's observer: asks are told, counted, and move the gate. */
void transfer_on_event(void *arg, const struct tls_event *event);

/* For the helper's begins: the gate's waits count from here, and asks before it were for the connection. */
void transfer_begins(void *arg);

/* For the helper's closes: what has arrived until now is all. */
void transfer_closes(void *arg);

/* For the helper's waits: that is told. */
void transfer_waits(void *arg);

/* Sets the callbacks of the handle; once. False: libcurl has no memory. */
bool transfer_prepare(struct transfer *transfer);

/* Whether the same once more can do no harm if this attempt ends so. */
bool transfer_may_repeat(const struct transfer *transfer, enum send_cause cause, long status);

/* Whether another attempt is left, and may be made if this one ends so. */
bool transfer_may_retry(const struct transfer *transfer, enum send_cause cause, long status);

/* Performs the handle as it is set; the outcome is in transfer->result. */
void transfer_run(struct transfer *transfer, bool expects, const struct send_known *known);

#endif
