/* A client's TLS: OpenSSL's or GnuTLS's, over one end of a wire, without any waiting. */
#ifndef SIM_STACK_H
#define SIM_STACK_H

#include "pki.h"
#include "relay.h"
#include "scenario.h"

enum stack_result {
	STACK_DONE,
	STACK_WANT_READ,
	STACK_WANT_WRITE,
	STACK_ASKED,     /* reading: the server asks for a certificate; see stack_answer() */
	STACK_THINKING,  /* the human has not answered: call again when he has */
	STACK_END,       /* close_notify */
	STACK_TRUNCATED, /* the end without it */
	STACK_BROKEN,    /* reset, an alert, or any other failure */
};

struct stack_setup {
	const struct conn_plan *plan;
	struct wire *wire;
	const uint64_t *now_us; /* the clock */
	void *resume;           /* a session that another stack left, or NULL */
};

struct stack;

struct stack_ops {
	struct stack *(*make)(const struct stack_setup *setup);
	void (*free)(struct stack *stack);
	enum stack_result (*handshake)(struct stack *stack);
	enum stack_result (*read)(struct stack *stack, void *data, size_t room, size_t *len);
	enum stack_result (*write)(struct stack *stack, const void *data, size_t len, size_t *written);
	/* Answers the request for a certificate: OpenSSL does so by itself, within read() or write(). */
	enum stack_result (*answer)(struct stack *stack);
	/* The human's answer is there: STACK_THINKING ends. */
	void (*decide)(struct stack *stack);
	enum stack_result (*renegotiate)(struct stack *stack);
	void (*close_notify)(struct stack *stack);
	bool (*is_tls13)(const struct stack *stack);
	/* For stack_setup.resume of a later one, which takes it over; NULL: none. */
	void *(*session)(struct stack *stack);
	void (*session_free)(void *session);
	/* Of what went wrong, for the trace. */
	const char *(*error)(const struct stack *stack);
	/* How often the server asked. */
	unsigned (*asks)(const struct stack *stack);
};

extern const struct stack_ops stack_openssl, stack_gnutls;

/* The certificate for the asked-th request (from 0); NULL: an empty answer. other: the server names the other CA. */
const struct pki_entry *stack_choose(const struct conn_plan *plan, unsigned asked, bool other);

#endif
