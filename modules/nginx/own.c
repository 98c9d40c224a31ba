#include "thaw_nginx.h"

#include <openssl/x509_vfy.h>

/*
 * In a server block with ssl_verify_client, nginx checks the SSL's verification result before each request, and in
 * $ssl_client_verify. After an ask this would be the result under the location's trust. So each late certificate is
 * verified again with ssl_client_certificate, and the SSL gets that result.
 */

/* Verifies a certificate as OpenSSL does in a handshake of this server block. */
static long judge(SSL *ssl, X509 *certificate)
{
	SSL_CTX *server = SSL_get_SSL_CTX(ssl);
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	long result = X509_V_ERR_OUT_OF_MEM;

	if (ctx != NULL &&
	    X509_STORE_CTX_init(ctx, SSL_CTX_get_cert_store(server), certificate, SSL_get_peer_cert_chain(ssl)) == 1 &&
	    X509_STORE_CTX_set_default(ctx, "ssl_client") == 1 &&
	    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(ctx), SSL_CTX_get0_param(server)) == 1) {
		int good = X509_verify_cert(ctx);
		result = X509_STORE_CTX_get_error(ctx);
		if (good != 1 && result == X509_V_OK)
			result = X509_V_ERR_UNSPECIFIED;
	}
	X509_STORE_CTX_free(ctx);
	thaw_link_clear_errors();
	return result;
}

static void keep(thaw_link_t *link, X509 *certificate)
{
	X509_free(link->own_certificate);
	link->own_certificate = certificate != NULL && X509_up_ref(certificate) == 1 ? certificate : NULL;
}

void thaw_own_begin(thaw_link_t *link)
{
	static const unsigned char late[] = "ngx_http_thaw_module late";
	SSL *ssl = link->c->ssl->connection;
	SSL_SESSION *session = SSL_get_session(ssl);

	/* ssl_verify_depth does not apply: thaw_verify_depth does. */
	SSL_set_verify_depth(ssl, -1);
	if (!link->server->verifies || link->own)
		return;
	link->own = 1;
	link->own_result = SSL_get_verify_result(ssl);
	keep(link, SSL_get0_peer_certificate(ssl));
	/* A session contains the verification result of its creation, so sessions with a late certificate are not
	 * resumed. */
	if (session != NULL)
		(void)SSL_SESSION_set1_id_context(session, late, sizeof(late));
}

void thaw_own_judge(thaw_link_t *link)
{
	SSL *ssl = link->c->ssl->connection;
	X509 *certificate = SSL_get0_peer_certificate(ssl);

	if (!link->own || (certificate == link->own_certificate && SSL_get_verify_result(ssl) == link->own_result))
		return;
	if (certificate == NULL)
		link->own_result = X509_V_OK;
	else if (link->own_certificate == NULL || X509_cmp(certificate, link->own_certificate) != 0)
		link->own_result = judge(ssl, certificate);
	keep(link, certificate);
	SSL_set_verify_result(ssl, link->own_result);
}

void thaw_own_free(thaw_link_t *link)
{
	keep(link, NULL);
}
