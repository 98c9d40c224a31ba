/*
 * One simulated client: a TLS stack, an emitter for its requests, a reader for the responses, and its behaviour, which
 * its plan defines. A step does all that is possible without waiting; afterwards the client says what it waits for.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "answer.h"
#include "emitter.h"
#include "h2_peer.h"
#include "stack.h"

enum client_end {
	CLIENT_OPEN,
	CLIENT_DONE,     /* everything was sent and received, and the client closed */
	CLIENT_LEFT,     /* the client left early, as its plan says */
	CLIENT_TOLD_BYE, /* the server closed the connection with close_notify */
	CLIENT_CUT,      /* the server closed it without close_notify */
	CLIENT_BROKEN,   /* a reset, an alert, or a protocol error */
};

struct client {
	const struct scenario *scenario;
	const struct conn_plan *plan;
	const struct stack_ops *ops;
	struct stack *stack;
	struct duplex *duplex;
	uint64_t now_us;
	bool started, shaken; /* shaken: the handshake is over */
	struct emitter emitter;
	struct h2_peer *http2; /* instead of emitter and reader; NULL: HTTP/1.1 */
	struct answer_reader reader;
	struct answer answers[SCENARIO_REQUESTS];
	unsigned answered;
	unsigned char out[16384];
	size_t out_at, out_len;
	bool out_body;
	uint64_t sent;                                  /* bytes of requests given to TLS */
	uint64_t write_at_us, read_at_us, decide_at_us; /* not before; SIM_NEVER for decide_at: nothing to decide */
	bool asked, answering; /* GnuTLS: a request waits for its answer; the answer is under way */
	bool mid_exchange;     /* in the answer, and the server must send next */
	bool thinking;         /* OpenSSL waits until the human decides */
	bool read_first;       /* TLS must read before it can write */
	bool write_first;      /* TLS must write before it can read */
	bool renegotiating, renegotiated, interleaved;
	bool write_pending; /* the connection did not take the last record whole */
	bool quiet;         /* sends no more */
	bool gives_up;      /* a response said that no more requests are answered here */
	enum client_end end;
	bool left;       /* it has ended as its plan says */
	const char *why; /* of CLIENT_BROKEN */
	bool want_read, want_write;
};

void client_init(struct client *client, const struct scenario *scenario, const struct conn_plan *plan,
		 struct duplex *duplex);
void client_free(struct client *client);

/* resume: a session of an earlier client, or NULL. */
void client_start(struct client *client, void *resume, uint64_t now_us);
void client_step(struct client *client, uint64_t now_us);
/* Whether a step would do something now. */
bool client_ready(const struct client *client, uint64_t now_us);

/* When the client acts by itself; SIM_NEVER: it only waits for the server. */
uint64_t client_timer(const struct client *client);

/* Whether it has bytes to send that its connection does not take. */
bool client_write_blocked(const struct client *client);

const char *client_end_name(enum client_end end);

#endif
