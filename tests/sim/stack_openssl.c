#include "stack.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/transport.h"

struct stack {
	const struct conn_plan *plan;
	struct duplex *duplex;
	const uint64_t *now_us;
	SSL_CTX *ctx;
	SSL *ssl;
	SSL_SESSION *session;
	unsigned asked;
	bool decided, end, broken;
	char error[256];
};

const struct pki_entry *stack_choose(const struct conn_plan *plan, unsigned asked, bool other)
{
	switch (plan->answer) {
	case ANSWER_EMPTY:
	case ANSWER_NEVER:
	case ANSWER_REFUSES:
		return NULL;
	case ANSWER_EMPTY_ONCE:
		return asked == 0 ? NULL : pki_get(PKI_CLIENT);
	case ANSWER_WRONG_CA:
		return pki_get(PKI_WRONG);
	case ANSWER_EXPIRED:
		return pki_get(PKI_EXPIRED);
	case ANSWER_OTHER:
		return pki_get(other ? PKI_OTHER : PKI_CLIENT);
	case ANSWER_GOOD:
		break;
	}
	return pki_get(PKI_CLIENT);
}

static int bio_read(BIO *bio, char *data, int room)
{
	struct stack *stack = BIO_get_data(bio);
	ssize_t got = duplex_read(stack->duplex, DUPLEX_CLIENT, data, (size_t)room, *stack->now_us);

	BIO_clear_retry_flags(bio);
	if (got == TRANSPORT_BLOCKED)
		BIO_set_retry_read(bio);
	stack->end = stack->end || got == TRANSPORT_END;
	stack->broken = stack->broken || got == TRANSPORT_BROKEN;
	return got >= 0 ? (int)got : -1;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct stack *stack = BIO_get_data(bio);
	ssize_t put = duplex_write(stack->duplex, DUPLEX_CLIENT, data, (size_t)len, *stack->now_us);

	BIO_clear_retry_flags(bio);
	if (put == TRANSPORT_BLOCKED)
		BIO_set_retry_write(bio);
	stack->broken = stack->broken || put == TRANSPORT_BROKEN;
	return put > 0 ? (int)put : -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct stack *stack = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return stack->end;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *the_method(void)
{
	static BIO_METHOD *method;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sim client");
		if (method == NULL || BIO_meth_set_read(method, bio_read) != 1 ||
		    BIO_meth_set_write(method, bio_write) != 1 || BIO_meth_set_ctrl(method, bio_ctrl) != 1)
			abort();
	}
	return method;
}

/* Chooses again at each request. Returning -1 suspends the exchange until the human has decided. */
static int on_certificate(SSL *ssl, void *arg)
{
	struct stack *stack = SSL_get_app_data(ssl);
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);
	bool other = false;

	(void)arg;
	if (stack->plan->answer == ANSWER_NEVER || (stack->plan->answer_after_ms > 0 && !stack->decided))
		return -1;
	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		other = other || X509_NAME_cmp(sk_X509_NAME_value(names, i),
					       X509_get_subject_name(pki_get(PKI_OTHER_CA)->certificate)) == 0;
	const struct pki_entry *entry = stack_choose(stack->plan, stack->asked, other);
	stack->asked++;
	SSL_certs_clear(ssl);
	return entry == NULL ||
	       (SSL_use_certificate(ssl, entry->certificate) == 1 && SSL_use_PrivateKey(ssl, entry->key) == 1);
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct stack *stack = SSL_get_app_data(ssl);

	SSL_SESSION_free(stack->session);
	stack->session = session;
	return 1;
}

/* The extensions by which src/tls/hello.c recognizes Firefox: record_size_limit and delegated_credential. */
static int on_extension(SSL *ssl, unsigned type, unsigned context, const unsigned char **out, size_t *len, X509 *x509,
			size_t chain, int *alert, void *arg)
{
	static const unsigned char limit[] = {0x40, 0x01}, none[] = {0, 2, 4, 3};

	(void)ssl;
	(void)context;
	(void)x509;
	(void)chain;
	(void)alert;
	(void)arg;
	*out = type == 28 ? limit : none;
	*len = type == 28 ? sizeof(limit) : sizeof(none);
	return 1;
}

static SSL_CTX *make_context(const struct conn_plan *plan)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		abort();
	for (unsigned type = 28; plan->browser && type <= 34; type += 6)
		if (SSL_CTX_add_custom_ext(ctx, type, SSL_EXT_CLIENT_HELLO, on_extension, NULL, NULL, NULL, NULL) != 1)
			abort();
	if (SSL_CTX_set_min_proto_version(ctx, plan->versions == VERSIONS_13 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, plan->versions == VERSIONS_12 ? TLS1_2_VERSION : TLS1_3_VERSION) != 1)
		abort();
	SSL_CTX_set_cert_cb(ctx, on_certificate, NULL);
	SSL_CTX_set_post_handshake_auth(ctx, plan->post_handshake);
	(void)SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	if (plan->no_extended_master)
		(void)SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	if (plan->answer == ANSWER_REFUSES)
		(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	return ctx;
}

static struct stack *openssl_make(const struct stack_setup *setup)
{
	struct stack *stack = calloc(1, sizeof(*stack));
	BIO *bio = BIO_new(the_method());

	if (stack == NULL || bio == NULL)
		abort();
	stack->plan = setup->plan;
	stack->duplex = setup->duplex;
	stack->now_us = setup->now_us;
	stack->ctx = make_context(setup->plan);
	stack->ssl = SSL_new(stack->ctx);
	if (stack->ssl == NULL || SSL_set_app_data(stack->ssl, stack) != 1)
		abort();
	BIO_set_data(bio, stack);
	BIO_set_init(bio, 1);
	SSL_set_bio(stack->ssl, bio, bio);
	SSL_set_connect_state(stack->ssl);
	static const unsigned char h2[] = {2, 'h', '2'};
	if (setup->plan->http2 && SSL_set_alpn_protos(stack->ssl, h2, sizeof(h2)) != 0)
		abort();
	static const unsigned char http1[] = "\x08http/1.1";
	if (setup->plan->follows >= 0 && SSL_set_alpn_protos(stack->ssl, http1, sizeof(http1) - 1) != 0)
		abort();
	char name[] = "handshake.test";
	if (!setup->plan->handshake_host)
		(void)strcpy(name, "localhost");
	if (SSL_set_tlsext_host_name(stack->ssl, name) != 1)
		abort();
	if (setup->resume != NULL && SSL_set_session(stack->ssl, setup->resume) != 1)
		abort();
	return stack;
}

static void openssl_free(struct stack *stack)
{
	SSL_SESSION_free(stack->session);
	SSL_free(stack->ssl);
	SSL_CTX_free(stack->ctx);
	free(stack);
}

static enum stack_result result_of(struct stack *stack, int n)
{
	if (n == 1)
		return STACK_DONE;
	switch (SSL_get_error(stack->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return STACK_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return STACK_WANT_WRITE;
	case SSL_ERROR_WANT_X509_LOOKUP:
		return STACK_THINKING;
	case SSL_ERROR_ZERO_RETURN:
		return STACK_END;
	default:
		break;
	}
	if (stack->error[0] == '\0')
		ERR_error_string_n(ERR_peek_error(), stack->error, sizeof(stack->error));
	bool truncated = stack->end && !stack->broken;
	ERR_clear_error();
	return truncated ? STACK_TRUNCATED : STACK_BROKEN;
}

static enum stack_result openssl_handshake(struct stack *stack)
{
	ERR_clear_error();
	return result_of(stack, SSL_do_handshake(stack->ssl));
}

static enum stack_result openssl_read(struct stack *stack, void *data, size_t room, size_t *len)
{
	*len = 0;
	ERR_clear_error();
	return result_of(stack, SSL_read_ex(stack->ssl, data, room, len));
}

static enum stack_result openssl_write(struct stack *stack, const void *data, size_t len, size_t *written)
{
	*written = 0;
	ERR_clear_error();
	return result_of(stack, SSL_write_ex(stack->ssl, data, len, written));
}

static enum stack_result openssl_answer(struct stack *stack)
{
	return openssl_handshake(stack);
}

static void openssl_decide(struct stack *stack)
{
	stack->decided = true;
}

static enum stack_result openssl_renegotiate(struct stack *stack)
{
	ERR_clear_error();
	if (SSL_renegotiate(stack->ssl) != 1)
		return STACK_BROKEN;
	return openssl_handshake(stack);
}

static void openssl_close_notify(struct stack *stack)
{
	ERR_clear_error();
	if (!SSL_in_init(stack->ssl))
		(void)SSL_shutdown(stack->ssl);
	ERR_clear_error();
}

static bool openssl_is_tls13(const struct stack *stack)
{
	return SSL_version(stack->ssl) == TLS1_3_VERSION;
}

static void *openssl_session(struct stack *stack)
{
	SSL_SESSION *session = stack->session;

	stack->session = NULL;
	return session;
}

static void openssl_session_free(void *session)
{
	SSL_SESSION_free(session);
}

static const char *openssl_error(const struct stack *stack)
{
	return stack->error;
}

static unsigned openssl_asks(const struct stack *stack)
{
	return stack->asked;
}

const struct stack_ops stack_openssl = {
	.make = openssl_make,
	.free = openssl_free,
	.handshake = openssl_handshake,
	.read = openssl_read,
	.write = openssl_write,
	.answer = openssl_answer,
	.decide = openssl_decide,
	.renegotiate = openssl_renegotiate,
	.close_notify = openssl_close_notify,
	.is_tls13 = openssl_is_tls13,
	.session = openssl_session,
	.session_free = openssl_session_free,
	.error = openssl_error,
	.asks = openssl_asks,
};
