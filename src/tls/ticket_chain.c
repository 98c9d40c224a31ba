#include "tls/ticket_chain.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "tls/peer.h"
#include "tls/session.h"

/* Before the certificates, so that another program's data in a ticket is not taken for them. */
static const unsigned char mark[] = {'t', 'h', 'a', 'w', ' ', 'c', 'h', 'a', 'i', 'n', 1};

/* How many bytes the certificates need; 0: none, or too many. */
static size_t size_of(const STACK_OF(X509) * chain)
{
	size_t size = 0;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int len = i2d_X509(sk_X509_value(chain, i), NULL);
		if (len <= 0 || (size += (size_t)len) > TLS_TICKET_CHAIN_MAX)
			return 0;
	}
	return size;
}

static void put_chain(SSL_SESSION *session, const STACK_OF(X509) * chain)
{
	size_t size = size_of(chain);
	unsigned char *data = size > 0 ? malloc(sizeof(mark) + size) : NULL, *at = data;

	if (data != NULL) {
		memcpy(data, mark, sizeof(mark));
		at += sizeof(mark);
		for (int i = 0; i < sk_X509_num(chain); i++)
			(void)i2d_X509(sk_X509_value(chain, i), &at);
	}
	(void)SSL_SESSION_set1_ticket_appdata(session, data, data != NULL ? sizeof(mark) + size : 0);
	free(data);
}

STACK_OF(X509) * tls_ticket_chain(SSL_SESSION *session)
{
	void *data = NULL;
	size_t len = 0;

	if (session == NULL || SSL_SESSION_get0_ticket_appdata(session, &data, &len) != 1 || data == NULL ||
	    len <= sizeof(mark) || len > sizeof(mark) + TLS_TICKET_CHAIN_MAX || memcmp(data, mark, sizeof(mark)) != 0)
		return NULL;
	const unsigned char *at = (const unsigned char *)data + sizeof(mark), *end = (const unsigned char *)data + len;
	STACK_OF(X509) *chain = sk_X509_new_null();
	while (chain != NULL && at < end) {
		X509 *certificate = d2i_X509(NULL, &at, (long)(end - at));
		if (certificate == NULL || sk_X509_push(chain, certificate) <= 0) {
			X509_free(certificate);
			sk_X509_pop_free(chain, X509_free);
			chain = NULL;
		}
	}
	ERR_clear_error();
	return chain;
}

/*
 * On a resumed connection the session keeps what its ticket carried. A ticket without a chain, for lack of memory, is
 * one that may not be accepted.
 */
int thaw_ticket_made(struct ssl_st *ssl, void *unused)
{
	const STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);

	(void)unused;
	if (tls_session_of(ssl) != NULL && sent != NULL)
		put_chain(SSL_get0_session(ssl), sent);
	ERR_clear_error();
	return 1;
}

static bool may_resume(SSL *ssl, SSL_SESSION *opened)
{
	struct tls_session *session = tls_session_of(ssl);
	X509 *certificate = SSL_SESSION_get0_peer(opened);

	if (session == NULL)
		return true;
	if (certificate == NULL)
		return !tls_session_peer(session)->on_demand;
	STACK_OF(X509) *carried = tls_ticket_chain(opened);
	bool may = tls_peer_may_resume(tls_session_peer(session), certificate, carried);
	sk_X509_pop_free(carried, X509_free);
	return may;
}

int thaw_ticket_opened(struct ssl_st *ssl, struct ssl_session_st *opened, const unsigned char *name, size_t name_len,
		       int status, void *unused)
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
