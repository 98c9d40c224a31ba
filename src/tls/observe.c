/*
 * Only the message callback sees every message (see session.c). The certificate callback runs between a
 * CertificateRequest and its answer, when OpenSSL has parsed the list of CA names.
 */
#include "tls/observe.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "tls/certificate.h"
#include "tls/failure.h"
#include "tls/records.h"

enum { MSG_COMPRESSED_CERTIFICATE = 25 }; /* RFC 8879 4; OpenSSL 3.0 has no name for it */

/* The state of one connection. */
struct seen {
	bool established;   /* its first handshake is complete */
	bool pending;       /* a CertificateRequest has arrived and is not yet reported */
	uint64_t given_ms;  /* when our certificate was sent */
	size_t context_len; /* of its certificate_request_context (RFC 8446 4.3.2), in bytes */
	enum thaw_means means;
	void *arg; /* NULL: the observer's */
	struct tls_records records;
};

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static int ctx_index = -1, ssl_index = -1;

static void free_seen(void *parent, void *data, CRYPTO_EX_DATA *ex, int index, long number, void *pointer)
{
	(void)parent;
	(void)ex;
	(void)index;
	(void)number;
	(void)pointer;
	free(data);
}

/* If memory runs out, the next call tries again. */
static bool make_indexes(void)
{
	(void)pthread_mutex_lock(&making);
	if (ctx_index < 0)
		ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (ssl_index < 0)
		ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_seen);
	bool made = ctx_index >= 0 && ssl_index >= 0;
	(void)pthread_mutex_unlock(&making);
	return made;
}

static const struct tls_observer *observer_of(const SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_index);
}

static struct seen *seen_of(SSL *ssl)
{
	struct seen *seen = SSL_get_ex_data(ssl, ssl_index);

	if (seen != NULL)
		return seen;
	seen = calloc(1, sizeof(*seen));
	if (seen != NULL && SSL_set_ex_data(ssl, ssl_index, seen) != 1) {
		free(seen);
		seen = NULL;
	}
	return seen;
}

static void report(const SSL *ssl, struct tls_event event)
{
	const struct tls_observer *observer = observer_of(ssl);
	const struct seen *seen = SSL_get_ex_data(ssl, ssl_index);

	if (observer != NULL)
		observer->on_event(seen != NULL && seen->arg != NULL ? seen->arg : observer->arg, &event);
}

static size_t uint24(const unsigned char *at)
{
	return (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
}

/* RFC 5246 7.4.6; in TLS 1.3 a request context comes first (RFC 8446 4.4.2). */
static bool is_empty_certificate(const unsigned char *body, size_t len, bool is_13)
{
	size_t at = is_13 && len > 0 ? 1 + (size_t)body[0] : 0;

	return at + 3 > len || uint24(body + at) == 0;
}

/*
 * RFC 8879 4: the algorithm, then the length of the Certificate message before compression. Without certificates that
 * message is the request's context and the length of an empty list.
 */
static bool is_empty_compressed(const unsigned char *body, size_t len, size_t context_len)
{
	return len < 5 || uint24(body + 2) <= 1 + context_len + 3;
}

static void on_incoming(SSL *ssl, struct seen *seen, int type, const unsigned char *body, size_t len)
{
	if (type == SSL3_MT_HELLO_REQUEST)
		report(ssl, (struct tls_event){.kind = TLS_EVENT_HELLO_REQUEST});
	if (type != SSL3_MT_CERTIFICATE_REQUEST)
		return;
	bool is_13 = SSL_version(ssl) >= TLS1_3_VERSION;
	seen->pending = true;
	seen->context_len = is_13 && len > 0 ? body[0] : 0;
	seen->means = !seen->established ? THAW_MEANS_HANDSHAKE
		      : is_13            ? THAW_MEANS_POST_HANDSHAKE
					 : THAW_MEANS_RENEGOTIATION;
}

static void on_outgoing(SSL *ssl, struct seen *seen, int type, const unsigned char *body, size_t len)
{
	if (type == SSL3_MT_CERTIFICATE || type == MSG_COMPRESSED_CERTIFICATE) {
		bool empty = type == SSL3_MT_CERTIFICATE
				     ? is_empty_certificate(body, len, SSL_version(ssl) >= TLS1_3_VERSION)
				     : is_empty_compressed(body, len, seen->context_len);
		seen->given_ms = clock_now_ms();
		report(ssl, (struct tls_event){.kind = empty ? TLS_EVENT_DECLINED : TLS_EVENT_GIVEN});
	} else if (type == SSL3_MT_CERTIFICATE_VERIFY) {
		report(ssl, (struct tls_event){.kind = TLS_EVENT_SIGNED, .signed_ms = clock_now_ms() - seen->given_ms});
	} else if (type == SSL3_MT_FINISHED) {
		seen->established = true;
		report(ssl, (struct tls_event){.kind = TLS_EVENT_FINISHED});
	}
}

/* For callers that do not see OpenSSL's return values. */
static void on_alert_out(const SSL *ssl)
{
	char reason[TLS_REASON_ROOM];

	if (tls_failure_is_key(ssl))
		report(ssl, (struct tls_event){.kind = TLS_EVENT_KEY_FAILED,
					       .reason = tls_failure_reason(ERR_peek_error(), reason)});
}

void tls_observe_message(int outbound, int version, int content_type, const void *data, size_t len, struct ssl_st *ssl,
			 void *arg)
{
	const unsigned char *bytes = data;
	struct seen *known = SSL_get_ex_data(ssl, ssl_index);

	(void)version;
	(void)arg;
	if (!outbound && known != NULL)
		tls_records_count(&known->records, ssl, content_type, data, len);
	if (content_type == SSL3_RT_ALERT && len >= 2) {
		if (outbound)
			on_alert_out(ssl);
		report(ssl, (struct tls_event){.kind = outbound ? TLS_EVENT_ALERT_OUT : TLS_EVENT_ALERT_IN,
					       .alert = bytes[1]});
		return;
	}
	struct seen *seen = content_type == SSL3_RT_HANDSHAKE && len >= SSL3_HM_HEADER_LENGTH ? seen_of(ssl) : NULL;
	if (seen == NULL)
		return;
	const unsigned char *body = bytes + SSL3_HM_HEADER_LENGTH;
	len -= SSL3_HM_HEADER_LENGTH;
	if (outbound)
		on_outgoing(ssl, seen, bytes[0], body, len);
	else
		on_incoming(ssl, seen, bytes[0], body, len);
}

/* False: no memory. */
static bool report_asked(SSL *ssl, enum thaw_means means)
{
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);
	const X509 *own = SSL_get_certificate(ssl);
	char *issuers[TLS_EVENT_ISSUERS_MAX];
	size_t count = names != NULL ? (size_t)sk_X509_NAME_num(names) : 0, made = 0;
	char *subject = own != NULL ? tls_name_text(X509_get_subject_name(own)) : NULL;
	bool ok = own == NULL || subject != NULL;

	for (; ok && made < count && made < TLS_EVENT_ISSUERS_MAX; made++)
		if ((issuers[made] = tls_name_text(sk_X509_NAME_value(names, (int)made))) == NULL)
			ok = false;
	if (ok)
		report(ssl, (struct tls_event){.kind = TLS_EVENT_ASKED,
					       .means = means,
					       .issuer_count = count,
					       .issuers = (const char *const *)issuers,
					       .subject = subject});
	while (made > 0)
		free(issuers[--made]);
	free(subject);
	return ok;
}

/* Returns 1: continue; 0: fail; -1: wait. */
static int on_certificate(SSL *ssl, void *arg)
{
	const struct tls_observer *observer = arg;
	struct seen *seen = seen_of(ssl);

	if (seen == NULL || (seen->pending && !report_asked(ssl, seen->means))) {
		ERR_raise(ERR_LIB_SSL,
			  ERR_R_MALLOC_FAILURE); /* otherwise OpenSSL only reports that a callback failed */
		return 0;
	}
	seen->pending = false;
	return observer->withhold ? -1 : 1;
}

bool tls_observe(struct ssl_ctx_st *ctx, const struct tls_observer *observer)
{
	if (!make_indexes() || SSL_CTX_set_ex_data(ctx, ctx_index, (void *)observer) != 1) {
		ERR_clear_error();
		return false;
	}
	SSL_CTX_set_msg_callback(ctx, tls_observe_message);
	SSL_CTX_set_cert_cb(ctx, on_certificate, (void *)observer);
	return true;
}

bool tls_observe_as(struct ssl_st *ssl, void *arg)
{
	struct seen *seen = ssl_index >= 0 ? seen_of(ssl) : NULL;

	if (seen != NULL)
		seen->arg = arg;
	ERR_clear_error();
	return seen != NULL;
}
