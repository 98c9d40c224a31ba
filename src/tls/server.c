/* The contexts of a process, one for each host. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/fitness.h"
#include "tls/pkcs11.h"
#include "tls/server_inside.h"

/*
 * TLS 1.2 only with forward secrecy and AEAD; the TLS 1.3 suites are OpenSSL's defaults. No finite-field
 * Diffie-Hellman: with ffdhe8192 (RFC 7919) a handshake costs 120 ms before authentication.
 */
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define TLS_GROUPS    "X25519:P-256:P-384:P-521"
#define HYBRID_GROUP  "X25519MLKEM768" /* since OpenSSL 3.5 */

static bool set_default_groups(SSL_CTX *ctx)
{
	if (SSL_CTX_set1_groups_list(ctx, HYBRID_GROUP ":" TLS_GROUPS) == 1)
		return true;
	ERR_clear_error();
	return SSL_CTX_set1_groups_list(ctx, TLS_GROUPS) == 1;
}

static enum thaw_status set_protocol(SSL_CTX *ctx, const struct tls_protocol *protocol, struct thaw_error *err)
{
	static const struct tls_protocol defaults = {.groups = NULL};
	const struct tls_protocol *p = protocol != NULL ? protocol : &defaults;

	if (p->groups != NULL && SSL_CTX_set1_groups_list(ctx, p->groups) != 1) {
		if (tls_failure_is_memory())
			return tls_library_failure(THAW_ERR_RESOURCE, "making a TLS context", err);
		ERR_clear_error();
		return error_set(err, THAW_ERR_CONFIG, "%s: this OpenSSL (%s) does not have all of these groups: %s",
				 p->groups_place, OpenSSL_version(OPENSSL_VERSION_STRING), p->groups);
	}
	if ((p->groups == NULL && !set_default_groups(ctx)) ||
	    SSL_CTX_set_min_proto_version(ctx, p->no_tls12 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, p->no_tls13 ? TLS1_2_VERSION : 0) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, p->ciphers != NULL ? p->ciphers : TLS12_CIPHERS) != 1 ||
	    (p->suites != NULL && SSL_CTX_set_ciphersuites(ctx, p->suites) != 1))
		return tls_library_failure(THAW_ERR_RESOURCE, "making a TLS context", err);
	return THAW_OK;
}

static SSL_CTX *configure(SSL_CTX *ctx)
{
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					       SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only: workers do not share a cache */
	SSL_CTX_set_client_hello_cb(ctx, tls_on_client_hello, NULL);
	(void)SSL_CTX_set_session_ticket_cb(ctx, thaw_ctx_ticket_made, thaw_ctx_ticket_opened, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, tls_on_alpn, NULL);
	return ctx;
}

static SSL_CTX *new_context(const struct tls_protocol *protocol, struct thaw_error *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL || SSL_CTX_set_num_tickets(ctx, 1) != 1)
		(void)tls_library_failure(THAW_ERR_RESOURCE, "making a TLS context", err);
	else if (set_protocol(ctx, protocol, err) == THAW_OK)
		return configure(ctx);
	SSL_CTX_free(ctx);
	return NULL;
}

/* The signer has the key, and checks that it matches the certificate. */
static enum thaw_status set_remote_key(struct tls_key_pair *pair, size_t host, const struct tls_host *from,
				       struct thaw_error *err)
{
	const struct tls_secret nobody = {.ask = NULL};
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	if (key_files_certificate(pair, from->certificate, &nobody, from->key_setting.certificate_place, err) !=
	    THAW_OK)
		return THAW_FAILED;
	pair->key = tls_remote_key(pair->certificate, host, &why);
	if (pair->key == NULL)
		return error_set(err, why.cls, "%s: %s", from->key_setting.place, why.text);
	return THAW_OK;
}

static enum thaw_status load_remote(struct tls_server *server, size_t host, const struct tls_host *from,
				    struct thaw_error *err)
{
	struct tls_key_pair pair = {.certificate = NULL};
	enum thaw_status status = set_remote_key(&pair, host, from, err);

	if (status == THAW_OK)
		status = tls_fitness_use(&pair, from->certificate, server->hosts[host].ctx, err);
	server->hosts[host].remote = true;
	X509_free(pair.certificate);
	sk_X509_pop_free(pair.chain, X509_free);
	EVP_PKEY_free(pair.key);
	return status;
}

static enum thaw_status load_files(SSL_CTX *ctx, const struct tls_host *from, struct thaw_error *err)
{
	struct tls_credentials_source source = {
		.certificate = from->certificate, .key = from->key, .setting = from->key_setting};
	struct tls_credentials *credentials = tls_credentials_new(&source, err);
	if (credentials == NULL)
		return THAW_FAILED;
	struct thaw_error why = {.cls = THAW_ERR_NONE};
	enum thaw_status status = tls_credentials_use(credentials, ctx, &why);
	const char *place = from->key_setting.certificate_place;
	if (status != THAW_OK)
		(void)error_set(err, why.cls, "%s%s%s", place != NULL ? place : "", place != NULL ? ": " : "",
				why.text);
	tls_credentials_free(&credentials);
	return status;
}

/* False: out of memory. */
static bool keep_trusts(struct tls_host_context *host, const struct tls_host *from)
{
	if (from->at_handshake != NULL)
		host->at_handshake = thaw_trust_ref(from->at_handshake);
	if (from->trust_count == 0)
		return true;
	host->trusts = calloc(from->trust_count, sizeof(thaw_trust *));
	for (size_t i = 0; host->trusts != NULL && i < from->trust_count; i++)
		if (tls_host_trust(host, from->trusts[i]) == NULL)
			host->trusts[host->trust_count++] = thaw_trust_ref(from->trusts[i]);
	return host->trusts != NULL;
}

static void free_names(char **names)
{
	for (char **name = names; name != NULL && *name != NULL; name++)
		free(*name);
	free(names);
}

/* NULL: out of memory. */
static char **copy_names(const char *const *names)
{
	size_t count = 0;

	while (names[count] != NULL)
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < count; i++)
		if ((copy[i] = strdup(names[i])) == NULL) {
			free_names(copy);
			return NULL;
		}
	return copy;
}

static enum thaw_status load_host(struct tls_server *server, size_t number, const struct tls_host *from,
				  struct thaw_error *err)
{
	struct tls_host_context *host = &server->hosts[number];

	host->names = copy_names(from->names);
	host->policy = (struct tls_policy){
		.http2 = from->http2,
		.asks_late = from->asks_late,
		.hold_to_tls12 = from->hold_to_tls12,
		.no_tls12 = from->protocol != NULL && from->protocol->no_tls12,
		.no_tls13 = from->protocol != NULL && from->protocol->no_tls13,
	};
	host->ctx = new_context(from->protocol, err);
	if (host->names == NULL || host->ctx == NULL || !keep_trusts(host, from) ||
	    !tls_ticket_binding(from, host->sid_context))
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	if (from->key != NULL && pkcs11_is_uri(from->key))
		return load_remote(server, number, from, err);
	return load_files(host->ctx, from, err);
}

struct tls_server *tls_server_new(const struct tls_host *hosts, size_t count, struct thaw_error *err)
{
	struct tls_server *server = calloc(1, sizeof(*server));

	if (server == NULL || (server->hosts = calloc(count, sizeof(*server->hosts))) == NULL ||
	    (server->base = new_context(count > 0 ? hosts[0].protocol : NULL, err)) == NULL ||
	    (server->ticket_keys = tls_ticket_keys_of(server->base)) == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		tls_server_free(&server);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		server->count = i + 1;
		if (load_host(server, i, &hosts[i], err) != THAW_OK) {
			tls_server_free(&server);
			return NULL;
		}
	}
	return server;
}

enum thaw_status tls_server_use_ticket_keys(struct tls_server *server, const char *file, struct thaw_error *err)
{
	struct tls_ticket_keys *keys = tls_ticket_keys_load(file, err);

	if (keys == NULL)
		return THAW_FAILED;
	bool ok = tls_ticket_keys_use(keys, server->base);
	for (size_t i = 0; ok && i < server->count; i++)
		ok = tls_ticket_keys_use(keys, server->hosts[i].ctx);
	tls_ticket_keys_free(&server->ticket_keys);
	server->ticket_keys = keys;
	return ok ? THAW_OK : tls_library_failure(THAW_ERR_RESOURCE, file, err);
}

void tls_server_free(struct tls_server **server)
{
	struct tls_server *gone = *server;

	*server = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++) {
		free_names(gone->hosts[i].names);
		SSL_CTX_free(gone->hosts[i].ctx);
		thaw_trust_free(&gone->hosts[i].at_handshake);
		for (size_t k = 0; k < gone->hosts[i].trust_count; k++)
			thaw_trust_free(&gone->hosts[i].trusts[k]);
		free(gone->hosts[i].trusts);
	}
	free(gone->hosts);
	SSL_CTX_free(gone->base);
	tls_ticket_keys_free(&gone->ticket_keys);
	free(gone);
}
