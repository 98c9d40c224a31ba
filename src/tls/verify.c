#include "tls/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#define CRL_FLAGS    ((unsigned long)(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
#define DEPTH_UNSET  (-1)
#define SUITEB_FLAGS ((unsigned long)X509_V_FLAG_SUITEB_128_LOS)

/*
 * Sets the parameters as OpenSSL's ssl_verify_cert_chain() does, so that all verdicts are made in the same way.
 * *revocation: in: whether to check CRLs; out: whether the parameters require it.
 */
static bool set_parameters(X509_STORE_CTX *ctx, const thaw_trust *trust, SSL *ssl, bool *revocation)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	int level = SSL_get_security_level(ssl);

	X509_STORE_CTX_set_flags(ctx, (unsigned long)SSL_set_cert_flags(ssl, 0) & SUITEB_FLAGS);
	if (X509_STORE_CTX_set_default(ctx, "ssl_client") != 1 ||
	    X509_VERIFY_PARAM_set1(param, SSL_get0_param(ssl)) != 1)
		return false;
	if (X509_VERIFY_PARAM_get_depth(X509_STORE_get0_param(trust->store)) == DEPTH_UNSET &&
	    SSL_get_verify_depth(ssl) == DEPTH_UNSET)
		X509_VERIFY_PARAM_set_depth(param, TLS_DEPTH);
	if (X509_VERIFY_PARAM_get_auth_level(param) < level)
		X509_VERIFY_PARAM_set_auth_level(param, level);
	bool demanded = (X509_VERIFY_PARAM_get_flags(param) & CRL_FLAGS) != 0;
	if (!*revocation)
		(void)X509_VERIFY_PARAM_clear_flags(param, CRL_FLAGS);
	*revocation = demanded;
	return true;
}

/* Adds a name to the detail. It may come from an untrusted certificate, so it is escaped to ASCII. */
static void add_name(struct tls_verdict *verdict, const char *what, const X509_NAME *name)
{
	size_t len = strlen(verdict->detail);
	BIO *bio = BIO_new(BIO_s_mem());
	const char *text = NULL;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) > 0) {
		long size = BIO_get_mem_data(bio, &text);
		(void)snprintf(verdict->detail + len, sizeof(verdict->detail) - len, ": %s '%.*s'", what, (int)size,
			       text);
	}
	BIO_free(bio);
}

static void explain(struct tls_verdict *verdict, const X509_STORE_CTX *ctx)
{
	const X509 *at = X509_STORE_CTX_get_current_cert(ctx);

	(void)snprintf(verdict->detail, sizeof(verdict->detail), "%s", X509_verify_cert_error_string(verdict->error));
	if (at == NULL)
		return;
	if (verdict->error == X509_V_ERR_UNABLE_TO_GET_CRL)
		add_name(verdict, "no CRL of issuer", X509_get_issuer_name(at));
	else if (X509_STORE_CTX_get_error_depth(ctx) > 0)
		add_name(verdict, "CA certificate", X509_get_subject_name(at));
}

/* False: out of memory. */
static bool run(struct tls_verdict *verdict, const thaw_trust *trust, SSL *ssl, STACK_OF(X509) * sent, bool *revocation)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok = ctx != NULL && X509_STORE_CTX_init(ctx, trust->store, verdict->certificate, sent) == 1 &&
		  X509_STORE_CTX_set_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx(), ssl) == 1 &&
		  set_parameters(ctx, trust, ssl, revocation);

	if (ok) {
		tls_trust_prepare(trust, ctx);
		bool verified = X509_verify_cert(ctx) == 1 && tls_trust_recheck(trust, ctx);
		verdict->error = X509_STORE_CTX_get_error(ctx);
		if (!verified && verdict->error == X509_V_OK)
			verdict->error = X509_V_ERR_UNSPECIFIED;
		sk_X509_pop_free(verdict->path, X509_free);
		verdict->path = verdict->error == X509_V_OK ? X509_STORE_CTX_get1_chain(ctx) : NULL;
		ok = verdict->error != X509_V_ERR_OUT_OF_MEM && (verdict->path != NULL || verdict->error != X509_V_OK);
		if (verdict->error != X509_V_OK)
			explain(verdict, ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/*
 * OpenSSL checks CRLs before it verifies the chain's signatures, so it would verify a CRL's signature with the key of a
 * forged CA certificate. Therefore the first run does not check CRLs.
 */
struct tls_verdict *tls_verify(const thaw_trust *trust, SSL *ssl, X509 *certificate, STACK_OF(X509) * sent)
{
	struct tls_verdict *verdict = calloc(1, sizeof(*verdict));
	bool revocation = false, again = true;

	if (verdict == NULL)
		return NULL;
	verdict->rules = trust->rules;
	verdict->certificate = X509_up_ref(certificate) == 1 ? certificate : NULL;
	bool ok = verdict->certificate != NULL && run(verdict, trust, ssl, sent, &revocation);
	if (ok && verdict->error == X509_V_OK && revocation)
		ok = run(verdict, trust, ssl, sent, &again);
	if (!ok)
		tls_verdict_free(&verdict);
	return verdict;
}

void tls_verdict_free(struct tls_verdict **verdict)
{
	struct tls_verdict *gone = *verdict;

	*verdict = NULL;
	if (gone == NULL)
		return;
	sk_X509_pop_free(gone->path, X509_free);
	X509_free(gone->certificate);
	free(gone);
}

bool tls_verdict_is_on(const struct tls_verdict *verdict, const thaw_trust *trust, const X509 *certificate)
{
	return verdict != NULL && tls_rules_equal(&verdict->rules, &trust->rules) &&
	       X509_cmp(verdict->certificate, certificate) == 0;
}
