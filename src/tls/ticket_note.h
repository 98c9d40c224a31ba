/*
 * What a session ticket says besides the session: that its client was sent away from the host, when, and under which
 * trust it is to be asked. For several machines that share their ticket keys; one machine has its table of notes.
 */
#ifndef TLS_TICKET_NOTE_H
#define TLS_TICKET_NOTE_H

#include <openssl/ssl.h>

#include "tls/trust.h"

struct tls_ticket_note {
	uint64_t wall_ms; /* since 1970 */
	uint8_t trust[TLS_TRUST_ID];
};

/* Into the tickets of that session, in place of what was there. False: no memory. */
bool tls_ticket_note_put(SSL_SESSION *session, const struct tls_ticket_note *note) THAW_MUST_CHECK;

/* False: there is none. */
bool tls_ticket_note_get(SSL_SESSION *session, struct tls_ticket_note *note) THAW_MUST_CHECK;

#endif
