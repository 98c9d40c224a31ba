/*
 * The client's chain in a session ticket. A session has only the client's own certificate. The other certificates that
 * the client sent are stored in the ticket, up to a limit, so that a resumed session is verified with the same chain. A
 * session whose certificate no trust accepts any more is not resumed: the client makes a full handshake, and is asked
 * again.
 *
 * tickets.c has the callbacks, thaw_ctx_ticket_made() and thaw_ctx_ticket_opened() of thaw/ask.h.
 */
#ifndef TLS_TICKET_CHAIN_H
#define TLS_TICKET_CHAIN_H

#include <openssl/ssl.h>

#define TLS_TICKET_CHAIN_MAX 8192 /* bytes of DER */

/* Stores the chain in the session for its next ticket; stores nothing if it is too long, or memory runs out. */
void tls_ticket_put_chain(SSL_SESSION *session, const STACK_OF(X509) * chain);

/* The chain in the session's ticket; the caller frees it. NULL: none, or out of memory. */
STACK_OF(X509) * tls_ticket_chain(SSL_SESSION *session);

#endif
