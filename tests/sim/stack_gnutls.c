/*
 * GnuTLS reports a request for a certificate to its caller, which decides when to answer. It also sends application
 * data between its ClientHello and its Finished of a renegotiation, as Java's HttpClient does.
 */
#include "stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/transport.h"

struct stack {
	const struct conn_plan *plan;
	struct duplex *duplex;
	const uint64_t *now_us;
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	unsigned asked; /* how often the server asked */
	unsigned shown; /* how often a certificate was chosen */
	bool end, broken;
	char error[256];
};

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t room)
{
	struct stack *stack = arg;
	ssize_t got = duplex_read(stack->duplex, DUPLEX_CLIENT, data, room, *stack->now_us);

	stack->end = stack->end || got == TRANSPORT_END;
	stack->broken = stack->broken || got == TRANSPORT_BROKEN;
	if (got >= 0)
		return got;
	gnutls_transport_set_errno(stack->session, got == TRANSPORT_BLOCKED ? EAGAIN : ECONNRESET);
	return -1;
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t len)
{
	struct stack *stack = arg;
	ssize_t put = duplex_write(stack->duplex, DUPLEX_CLIENT, data, len, *stack->now_us);

	stack->broken = stack->broken || put == TRANSPORT_BROKEN;
	if (put > 0)
		return put;
	gnutls_transport_set_errno(stack->session, put == TRANSPORT_BLOCKED ? EAGAIN : EPIPE);
	return -1;
}

static int pull_timeout(gnutls_transport_ptr_t arg, unsigned ms)
{
	const struct stack *stack = arg;

	(void)ms;
	return duplex_readable(stack->duplex, DUPLEX_CLIENT) ? 1 : 0;
}

static bool names_other(const gnutls_datum_t *names, int count)
{
	unsigned char *der = NULL;
	int len = i2d_X509_NAME(X509_get_subject_name(pki_get(PKI_OTHER_CA)->certificate), &der);
	bool found = false;

	for (int i = 0; i < count; i++)
		found = found || (names[i].size == (unsigned)len && memcmp(names[i].data, der, (size_t)len) == 0);
	OPENSSL_free(der);
	return found;
}

static int on_certificate(gnutls_session_t session, const gnutls_datum_t *names, int count,
			  const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_retr2_st *out)
{
	struct stack *stack = gnutls_session_get_ptr(session);
	const struct pki_entry *entry = stack_choose(stack->plan, stack->shown++, names_other(names, count));

	(void)algorithms;
	(void)algorithm_count;
	memset(out, 0, sizeof(*out));
	out->cert_type = GNUTLS_CRT_X509;
	out->key_type = GNUTLS_PRIVKEY_X509;
	if (entry == NULL)
		return 0;
	unsigned char *der = NULL;
	gnutls_datum_t datum = {.size = (unsigned)i2d_X509(entry->certificate, &der)};
	datum.data = der;
	gnutls_x509_crt_t *list = gnutls_calloc(1, sizeof(*list));
	if (list == NULL || gnutls_x509_crt_init(list) != 0 ||
	    gnutls_x509_crt_import(*list, &datum, GNUTLS_X509_FMT_DER) != 0)
		abort();
	OPENSSL_free(der);
	der = NULL;
	datum.size = (unsigned)i2d_PrivateKey(entry->key, &der);
	datum.data = der;
	if (gnutls_x509_privkey_init(&out->key.x509) != 0 ||
	    gnutls_x509_privkey_import(out->key.x509, &datum, GNUTLS_X509_FMT_DER) != 0)
		abort();
	OPENSSL_free(der);
	out->cert.x509 = list;
	out->ncerts = 1;
	out->deinit_all = 1;
	return 0;
}

static const char *priorities(const struct conn_plan *plan, char *text, size_t room)
{
	static const char *versions[] = {
		[VERSIONS_BOTH] = "-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
		[VERSIONS_12] = "-VERS-ALL:+VERS-TLS1.2",
		[VERSIONS_13] = "-VERS-ALL:+VERS-TLS1.3",
	};
	(void)snprintf(text, room, "NORMAL:%s%s%s", versions[plan->versions],
		       plan->no_extended_master ? ":%NO_SESSION_HASH" : "",
		       plan->no_secure_renegotiation ? ":%DISABLE_SAFE_RENEGOTIATION" : "");
	return text;
}

static struct stack *gnu_make(const struct stack_setup *setup)
{
	struct stack *stack = calloc(1, sizeof(*stack));
	const char *name = setup->plan->handshake_host ? "handshake.test" : "localhost";
	unsigned flags = GNUTLS_CLIENT | GNUTLS_NONBLOCK;
	char text[160];

	if (stack == NULL)
		abort();
	stack->plan = setup->plan;
	stack->duplex = setup->duplex;
	stack->now_us = setup->now_us;
	if (setup->plan->post_handshake)
		flags |= GNUTLS_POST_HANDSHAKE_AUTH;
	if (gnutls_certificate_allocate_credentials(&stack->credentials) != 0 ||
	    gnutls_init(&stack->session, flags) != 0 ||
	    gnutls_priority_set_direct(stack->session, priorities(setup->plan, text, sizeof(text)), NULL) != 0 ||
	    gnutls_credentials_set(stack->session, GNUTLS_CRD_CERTIFICATE, stack->credentials) != 0 ||
	    gnutls_server_name_set(stack->session, GNUTLS_NAME_DNS, name, strlen(name)) != 0)
		abort();
	const gnutls_datum_t h2 = {(unsigned char *)"h2", 2};
	if (setup->plan->http2 && gnutls_alpn_set_protocols(stack->session, &h2, 1, 0) != 0)
		abort();
	gnutls_certificate_set_retrieve_function(stack->credentials, on_certificate);
	gnutls_session_set_ptr(stack->session, stack);
	gnutls_handshake_set_timeout(stack->session, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_ptr(stack->session, stack);
	gnutls_transport_set_pull_function(stack->session, pull);
	gnutls_transport_set_push_function(stack->session, push);
	gnutls_transport_set_pull_timeout_function(stack->session, pull_timeout);
	return stack;
}

static void gnu_free(struct stack *stack)
{
	gnutls_deinit(stack->session);
	gnutls_certificate_free_credentials(stack->credentials);
	free(stack);
}

static enum stack_result result_of(struct stack *stack, ssize_t n)
{
	switch (n) {
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		return gnutls_record_get_direction(stack->session) == 0 ? STACK_WANT_READ : STACK_WANT_WRITE;
	case GNUTLS_E_REHANDSHAKE:
	case GNUTLS_E_REAUTH_REQUEST:
		stack->asked++;
		return STACK_ASKED;
	case GNUTLS_E_PREMATURE_TERMINATION:
		return stack->broken ? STACK_BROKEN : STACK_TRUNCATED;
	default:
		break;
	}
	if (n >= 0)
		return STACK_DONE;
	if (stack->error[0] == '\0')
		(void)snprintf(stack->error, sizeof(stack->error), "%s", gnutls_strerror((int)n));
	return stack->end && !stack->broken ? STACK_TRUNCATED : STACK_BROKEN;
}

static enum stack_result gnu_handshake(struct stack *stack)
{
	int n = gnutls_handshake(stack->session);

	/* Errors that are not fatal, such as a refused renegotiation (no_renegotiation is a warning), do not end the
	 * connection. */
	while (n < 0 && n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED && gnutls_error_is_fatal(n) == 0 &&
	       n != GNUTLS_E_WARNING_ALERT_RECEIVED && n != GNUTLS_E_GOT_APPLICATION_DATA)
		n = gnutls_handshake(stack->session);
	if (n == GNUTLS_E_WARNING_ALERT_RECEIVED || n == GNUTLS_E_GOT_APPLICATION_DATA)
		return STACK_DONE;
	return result_of(stack, n);
}

static enum stack_result gnu_read(struct stack *stack, void *data, size_t room, size_t *len)
{
	ssize_t n = gnutls_record_recv(stack->session, data, room);

	*len = n > 0 ? (size_t)n : 0;
	return n == 0 ? STACK_END : result_of(stack, n);
}

static enum stack_result gnu_write(struct stack *stack, const void *data, size_t len, size_t *written)
{
	ssize_t n = gnutls_record_send(stack->session, data, len);

	*written = n > 0 ? (size_t)n : 0;
	return result_of(stack, n);
}

static bool gnu_is_tls13(const struct stack *stack)
{
	return gnutls_protocol_get_version(stack->session) == GNUTLS_TLS1_3;
}

static enum stack_result gnu_answer(struct stack *stack)
{
	if (!gnu_is_tls13(stack))
		return gnu_handshake(stack);
	return result_of(stack, gnutls_reauth(stack->session, 0));
}

/* Nothing to do: the caller answers. */
static void gnu_decide(struct stack *stack)
{
	(void)stack;
}

static void gnu_close_notify(struct stack *stack)
{
	(void)gnutls_bye(stack->session, GNUTLS_SHUT_WR);
}

static void *gnu_session(struct stack *stack)
{
	(void)stack;
	return NULL;
}

static void gnu_session_free(void *session)
{
	(void)session;
}

static const char *gnu_error(const struct stack *stack)
{
	return stack->error;
}

static unsigned gnu_asks(const struct stack *stack)
{
	return stack->asked;
}

const struct stack_ops stack_gnutls = {
	.make = gnu_make,
	.free = gnu_free,
	.handshake = gnu_handshake,
	.read = gnu_read,
	.write = gnu_write,
	.answer = gnu_answer,
	.decide = gnu_decide,
	.renegotiate = gnu_handshake,
	.close_notify = gnu_close_notify,
	.is_tls13 = gnu_is_tls13,
	.session = gnu_session,
	.session_free = gnu_session_free,
	.error = gnu_error,
	.asks = gnu_asks,
};
