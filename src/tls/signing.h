/*
 * Signatures that take long, without blocking this process. OpenSSL calls a key's sign method in the middle of a
 * handshake, and needs the signature before it returns. So a handshake that may sign runs on a stack of its own
 * (base/fibre.h): the sign method sends its request to the signer process and pauses, and SSL_do_handshake() is
 * continued there when the answer has arrived. Until then no function of OpenSSL may be called with that SSL.
 *
 * There are TLS_SIGN_FLIGHT *slots*. Each has a stack, and one request at the signer. A handshake has a slot from the
 * point where it may sign until it waits for the peer or is over. More handshakes stand in *line* for a slot. A slot
 * whose handshake was given up stays in use until its request is answered or has expired, so a process never has more
 * requests at the signer than slots.
 *
 *	free ─► running ─► unsent ─► sent ─► ready ─► running ─► free, or owed ─► free
 */
#ifndef TLS_SIGNING_H
#define TLS_SIGNING_H

#include <stdbool.h>
#include <sys/queue.h>

#include "tls/signer_message.h"

struct sign_slot;
struct ssl_st;

/* A member of each connection whose handshakes may need a signature. At first all zero. */
struct tls_signing {
	bool wanted; /* the handshake has come to where it may sign: it continues in a slot only */
	bool lined;
	struct sign_slot *slot; /* NULL: it has none */
	uint64_t woken_ms;      /* when wake() was called for its turn; 0: not yet */
	TAILQ_ENTRY(tls_signing) line;
	/* Called when the handshake can continue, never from within these functions: only note it. NULL: none. */
	void (*wake)(void *arg);
	void *arg;
};

/* Call this in a callback of OpenSSL before the handshake signs. False: the callback must suspend the handshake, and
 * tls_signing_handshake() will continue it in a slot. */
bool tls_signing_here(struct tls_signing *signing);

/*
 * SSL_do_handshake(), in a slot from the point where it may sign. False: it waits for a signature, or for a slot; do
 * nothing else with the SSL, and call this again when woken. True: *result is that of SSL_do_handshake().
 */
bool tls_signing_handshake(struct tls_signing *signing, struct ssl_st *ssl, int *result);

/* Whether tls_signing_handshake() would return false. */
bool tls_signing_waits(const struct tls_signing *signing);

/* Call this before SSL_free(), and when the connection will not continue its handshake: it fails now. */
void tls_signing_end(struct tls_signing *signing);

/* ---- for the sign method ---- */

/* Fills the rest of the request, and pauses the handshake until the answer is there. False: there is no signature. */
bool tls_signing_ask(struct sign_request *request, struct sign_answer *answer);

/* Notes why there is no signature; the text is static. Returns false. */
bool tls_signing_fail(const char *why);

#endif
