/* OpenSSL's session ticket callbacks of thaw/ask.h: what a ticket contains, and whether it is accepted. */
#include <openssl/err.h>

#include "tls/peer.h"
#include "tls/ticket_chain.h"

/*
 * On a resumed connection the session keeps the data of its ticket. If memory runs out, the ticket has no chain, and
 * may be rejected later.
 */
int thaw_ctx_ticket_made(struct ssl_st *ssl, void *unused)
{
	const STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);

	(void)unused;
	if (tls_peer_of(ssl) != NULL && sent != NULL)
		tls_ticket_put_chain(SSL_get0_session(ssl), sent);
	ERR_clear_error();
	return 1;
}

static bool may_resume(SSL *ssl, SSL_SESSION *opened)
{
	struct tls_peer *peer = tls_peer_of(ssl);
	X509 *certificate = SSL_SESSION_get0_peer(opened);

	if (peer == NULL)
		return true;
	if (certificate == NULL)
		return !peer->on_demand;
	STACK_OF(X509) *carried = tls_ticket_chain(opened);
	bool may = tls_peer_may_resume(peer, certificate, carried);
	sk_X509_pop_free(carried, X509_free);
	return may;
}

int thaw_ctx_ticket_opened(struct ssl_st *ssl, struct ssl_session_st *opened, const unsigned char *name,
			   size_t name_len, int status, void *unused)
{
	(void)name;
	(void)name_len;
	(void)unused;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (!may_resume(ssl, opened))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}
