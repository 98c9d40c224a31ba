/* A client's TLS stack, OpenSSL or GnuTLS, over one end of a connection. It never blocks. */
#ifndef SIM_STACK_H
#define SIM_STACK_H

#include "pki.h"
#include "relay.h"
#include "scenario.h"

enum stack_result {
	STACK_DONE,
	STACK_WANT_READ,
	STACK_WANT_WRITE,
	STACK_ASKED,     /* from read(): the server asks for a certificate; see answer() */
	STACK_THINKING,  /* the human has not answered; call again after decide() */
	STACK_END,       /* close_notify */
	STACK_TRUNCATED, /* the end without close_notify */
	STACK_BROKEN,    /* a reset, an alert, or any other failure */
};

struct stack_setup {
	const struct conn_plan *plan;
	struct duplex *duplex;
	const uint64_t *now_us; /* the clock */
	void *resume;           /* a session of another stack, or NULL */
};

struct stack;

struct stack_ops {
	struct stack *(*make)(const struct stack_setup *setup);
	void (*free)(struct stack *stack);
	enum stack_result (*handshake)(struct stack *stack);
	enum stack_result (*read)(struct stack *stack, void *data, size_t room, size_t *len);
	enum stack_result (*write)(struct stack *stack, const void *data, size_t len, size_t *written);
	/* Answers the request for a certificate. OpenSSL does so by itself, within read() or write(). */
	enum stack_result (*answer)(struct stack *stack);
	/* The human has answered: ends STACK_THINKING. */
	void (*decide)(struct stack *stack);
	enum stack_result (*renegotiate)(struct stack *stack);
	void (*close_notify)(struct stack *stack);
	bool (*is_tls13)(const struct stack *stack);
	/* The session for stack_setup.resume of a later stack, which takes the ownership; NULL: none. */
	void *(*session)(struct stack *stack);
	void (*session_free)(void *session);
	/* The error text, for the trace. */
	const char *(*error)(const struct stack *stack);
	/* How often the server asked. */
	unsigned (*asks)(const struct stack *stack);
};

extern const struct stack_ops stack_openssl, stack_gnutls;

/* The certificate for request number `asked` (from 0); NULL: an empty answer. other: the server names the other CA. */
const struct pki_entry *stack_choose(const struct conn_plan *plan, unsigned asked, bool other);

#endif
