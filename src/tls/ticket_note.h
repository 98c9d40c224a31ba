/*
 * A note in a session ticket: the client was sent away from the host, at that time, and must be asked under that trust.
 * It is for several machines that share ticket keys; a single machine also has a table of notes.
 */
#ifndef TLS_TICKET_NOTE_H
#define TLS_TICKET_NOTE_H

#include <openssl/ssl.h>

#include "tls/trust.h"

struct tls_ticket_note {
	uint64_t wall_ms; /* since 1970 */
	uint8_t trust[TLS_TRUST_ID];
};

/* Stores the note for the tickets of that session, and replaces other data. False: out of memory. */
bool tls_ticket_note_put(SSL_SESSION *session, const struct tls_ticket_note *note) THAW_MUST_CHECK;

/* Reads the note. False: there is none. */
bool tls_ticket_note_get(SSL_SESSION *session, struct tls_ticket_note *note) THAW_MUST_CHECK;

#endif
