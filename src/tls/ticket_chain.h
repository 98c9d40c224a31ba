/*
 * What a session ticket carries of a client's chain. A session has the client's own certificate alone; what the client
 * sent besides goes into the ticket, up to a limit, so that a resumed session is judged by what the first one was
 * judged by. A session whose certificate no trust accepts any more is not resumed: the client makes a full handshake,
 * in which it is asked as if it had never been here.
 *
 * tickets.c has the callbacks, thaw_ctx_ticket_made() and thaw_ctx_ticket_opened() of thaw/ask.h.
 */
#ifndef TLS_TICKET_CHAIN_H
#define TLS_TICKET_CHAIN_H

#include <openssl/ssl.h>

#define TLS_TICKET_CHAIN_MAX 8192 /* bytes of DER */

/* Into the session, for its next ticket. None goes where they are too many, or memory is short. */
void tls_ticket_put_chain(SSL_SESSION *session, const STACK_OF(X509) * chain);

/* The certificates that came in the session's ticket; the caller frees them. NULL: none, or out of memory. */
STACK_OF(X509) * tls_ticket_chain(SSL_SESSION *session);

#endif
