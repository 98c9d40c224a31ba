#include "tls/ticket_chain.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

/* A tag before the certificates, so that other data in a ticket is not taken for them. */
static const unsigned char mark[] = {'t', 'h', 'a', 'w', ' ', 'c', 'h', 'a', 'i', 'n', 1};

/* The size of the certificates in bytes; 0: none, or too many. */
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

void tls_ticket_put_chain(SSL_SESSION *session, const STACK_OF(X509) * chain)
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
