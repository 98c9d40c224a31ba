#include "thaw_nginx.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* ---- server name ---- */

/* Normalizes a host name as nginx's ngx_http_validate_host() does, which nginx 1.22 does not export: in lower case,
 * without a port and a dot at the end. Returns its length, or 0 if nginx ignores it. */
static size_t normalize(u_char *name, const u_char *from, size_t len)
{
	enum { USUAL, LITERAL, REST } state = USUAL;
	size_t i, end = len, dot = len;

	for (i = 0; i < len; i++) {
		u_char c = from[i];
		if (c <= 0x20 || c == 0x7f || c == '/' || (c == '.' && dot + 1 == i))
			return 0;
		if (c == '.')
			dot = i;
		if (c == '[' && i == 0)
			state = LITERAL;
		if ((c == ':' && state == USUAL) || (c == ']' && state == LITERAL)) {
			end = i + (c == ']');
			state = REST;
		}
		name[i] = ngx_tolower(c);
	}
	return dot + 1 == end ? end - 1 : end;
}

/* Reads the server name (RFC 6066 3: list length, type, name length, name). Returns its length, or 0 if there is none
 * or nginx ignores it. */
static size_t read_name(SSL *ssl, u_char name[256])
{
	const unsigned char *extension;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &len) != 1 || len <= 5 ||
	    len > 5 + 255 || extension[2] != TLSEXT_NAMETYPE_host_name)
		return 0;
	return normalize(name, extension + 5, len - 5);
}

static ngx_http_core_srv_conf_t *find_server(const ngx_http_virtual_names_t *names, u_char *name, size_t len)
{
	ngx_http_core_srv_conf_t *found =
		ngx_hash_find_combined((ngx_hash_combined_t *)&names->names, ngx_hash_key(name, len), name, len);
#if (NGX_PCRE)
	ngx_str_t text = {len, name};
	ngx_uint_t i;

	for (i = 0; found == NULL && i < names->nregex; i++)
		if (ngx_regex_exec(names->regex[i].regex->regex, &text, NULL, 0) >= 0)
			found = names->regex[i].server;
#endif
	return found;
}

static const thaw_server_t *server_of(const ngx_connection_t *c, SSL *ssl)
{
	const ngx_http_connection_t *http = c->data;
	const ngx_http_core_srv_conf_t *core = NULL;
	u_char name[256];
	size_t len;

	if (http->addr_conf->virtual_names != NULL && (len = read_name(ssl, name)) > 0)
		core = find_server(http->addr_conf->virtual_names, name, len);
	if (core == NULL)
		core = http->addr_conf->default_server;
	return core->ctx->srv_conf[ngx_http_thaw_module.ctx_index];
}

/* ---- callbacks ---- */

static int is_asking(const thaw_link_t *link)
{
	return link != NULL && link->asked != NULL;
}

/* Sets up a new connection to a server block with asking locations. NULL: out of memory; the connection works, but
 * cannot be asked. */
static thaw_link_t *join(ngx_connection_t *c, SSL *ssl, const thaw_server_t *server)
{
	thaw_link_t *link = thaw_link_new(c, ssl, server);

	if (link == NULL) {
		thaw_link_clear_errors();
		return NULL;
	}
	thaw_conn_hold_to_tls12(link->conn, (SSL_get_options(ssl) & SSL_OP_NO_TLSv1_2) == 0);
	/* Sessions are not resumed in other server blocks or after a change of trust (CVE-2025-23419). This must be set
	 * here, because OpenSSL checks the session before nginx selects the server block. */
	(void)SSL_set_session_id_context(ssl, server->id, THAW_ID_LEN);
	return link;
}

/* QUIC connections cannot be asked (RFC 9001 4.4), and their SSL has no BIO of nginx. */
static int is_quic(const ngx_connection_t *c)
{
#if (NGX_HTTP_V3)
	const ngx_http_connection_t *http = c->data;

	return http->addr_conf->quic;
#else
	(void)c;
	return 0;
#endif
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	ngx_connection_t *c = ngx_ssl_get_connection(ssl);
	thaw_link_t *link = thaw_link_of_ssl(ssl);
	const thaw_server_t *server;
	int result;

	(void)arg;
	if (!c->ssl->handshaked && link == NULL && !is_quic(c) && (server = server_of(c, ssl))->asks)
		link = join(c, ssl, server);
	if (link == NULL)
		return SSL_CLIENT_HELLO_SUCCESS;
	result = thaw_ctx_client_hello(ssl, alert, NULL);
	thaw_link_clear_errors();
	return result;
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const thaw_link_t *link = thaw_link_of_ssl(ssl);
	uint64_t no_ticket = SSL_get_options(ssl) & SSL_OP_NO_TICKET;
	int result;

	/* nginx refuses renegotiations here. The renegotiation of an ask is allowed: thaw_ctx_client_hello() has
	 * checked that it is for the same server. */
	if (is_asking(link))
		return SSL_TLSEXT_ERR_OK;
	result = ngx_http_ssl_servername(ssl, alert, arg);
	/* nginx has replaced the options with those of the server block's SSL_CTX. Kernel TLS cannot renegotiate. */
	if (link != NULL) {
		(void)SSL_set_options(ssl, no_ticket);
		(void)SSL_clear_options(ssl, SSL_OP_ENABLE_KTLS);
	}
	return result;
}

/* ---- configuration ---- */

static int digest_certificates(EVP_MD_CTX *md, SSL_CTX *ctx)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
	int good = 1;

	for (; good && more == 1; more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT)) {
		X509 *x509 = SSL_CTX_get0_certificate(ctx);
		good = x509 == NULL ||
		       (X509_digest(x509, EVP_sha256(), digest, &len) == 1 && EVP_DigestUpdate(md, digest, len) == 1);
	}
	return good;
}

static int digest_object(EVP_MD_CTX *md, const X509_OBJECT *object)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	X509 *x509 = X509_OBJECT_get0_X509(object);
	X509_CRL *crl = X509_OBJECT_get0_X509_CRL(object);
	int good = x509 != NULL  ? X509_digest(x509, EVP_sha256(), digest, &len)
		   : crl != NULL ? X509_CRL_digest(crl, EVP_sha256(), digest, &len)
				 : 0;

	return good == 1 && EVP_DigestUpdate(md, digest, len) == 1;
}

/* What ssl_verify_client verifies with. A session contains the result, so it is not resumed after a change of CAs or
 * CRLs. */
static int digest_verification(EVP_MD_CTX *md, SSL_CTX *ctx)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
	int i, good = 1;

	if (SSL_CTX_get_verify_mode(ctx) == SSL_VERIFY_NONE)
		return 1;
	for (i = 0; good && i < sk_X509_OBJECT_num(objects); i++)
		good = digest_object(md, sk_X509_OBJECT_value(objects, i));
	return good;
}

/* The session id context: what nginx's own contains, and the trust settings. It is the same after a reload and on other
 * machines with the same configuration. */
static ngx_int_t make_id(const ngx_http_core_srv_conf_t *core, thaw_server_t *server, SSL_CTX *ctx)
{
	static const char label[] = "ngx_http_thaw_module 1";
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int mode = SSL_CTX_get_verify_mode(ctx);
	int good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		   EVP_DigestUpdate(md, label, sizeof(label)) == 1 && EVP_DigestUpdate(md, &mode, sizeof(mode)) == 1 &&
		   EVP_DigestUpdate(md, server->trusts, THAW_ID_LEN) == 1 &&
		   EVP_DigestUpdate(md, core->server_name.data, core->server_name.len) == 1 &&
		   digest_certificates(md, ctx) && digest_verification(md, ctx) &&
		   EVP_DigestFinal_ex(md, server->id, NULL) == 1;

	EVP_MD_CTX_free(md);
	thaw_link_clear_errors();
	return good ? NGX_OK : NGX_ERROR;
}

ngx_int_t thaw_hello_watch(const ngx_http_core_srv_conf_t *core, thaw_server_t *server, SSL_CTX *ctx)
{
	if (server->asks && make_id(core, server, ctx) != NGX_OK)
		return NGX_ERROR;
	SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	return SSL_CTX_set_session_ticket_cb(ctx, thaw_ctx_ticket_made, thaw_ctx_ticket_opened, NULL) == 1 ? NGX_OK
													   : NGX_ERROR;
}
