/* References to a trust, and its rules that X509_VERIFY_PARAM cannot express. */
#include "tls/trust.h"

#include <stdlib.h>

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tls/session.h"

thaw_trust *thaw_trust_ref(thaw_trust *trust)
{
	atomic_fetch_add(&trust->refs, 1);
	return trust;
}

void thaw_trust_free(thaw_trust **trust)
{
	thaw_trust *gone = *trust;

	*trust = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->refs, 1) != 1)
		return;
	sk_X509_NAME_pop_free(gone->names, X509_NAME_free);
	sk_X509_pop_free(gone->revoked, X509_free);
	X509_STORE_free(gone->store);
	X509_STORE_free(gone->hook);
	free(gone);
}

const uint8_t *thaw_trust_id(const thaw_trust *trust)
{
	return trust->rules.id;
}

bool tls_trusts_agree(const thaw_trust *one, const thaw_trust *other)
{
	return tls_rules_equal(&one->rules, &other->rules);
}

size_t thaw_trust_names_left_out(const thaw_trust *trust)
{
	return trust->names_left_out;
}

/* ---- rules ---- */

/*
 * Whether the error is about an intermediate CA as trust anchor, whose issuer is not in the chain: OpenSSL looks for a
 * CRL that the CA itself has signed. tls_trust_recheck() checks the CA instead.
 */
static bool is_of_absent_issuer(int error, X509 *anchor)
{
	return error == X509_V_ERR_CRL_SIGNATURE_FAILURE && anchor != NULL &&
	       X509_NAME_cmp(X509_get_subject_name(anchor), X509_get_issuer_name(anchor)) != 0;
}

/*
 * A trust anchor needs no CRL. THAW_CRL_LEAF also checks every certificate, but only the client's own requires a CRL.
 */
static int on_missing_crl(int ok, X509_STORE_CTX *ctx, bool leaf_only)
{
	int error = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);
	int last = sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1;
	bool missing = error == X509_V_ERR_UNABLE_TO_GET_CRL;

	if (ok || !((missing && leaf_only && depth > 0) ||
		    ((missing || error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER ||
		      is_of_absent_issuer(error, X509_STORE_CTX_get_current_cert(ctx))) &&
		     depth == last)))
		return ok;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static int on_chain(int ok, X509_STORE_CTX *ctx)
{
	return on_missing_crl(ok, ctx, false);
}

static int on_leaf(int ok, X509_STORE_CTX *ctx)
{
	return on_missing_crl(ok, ctx, true);
}

void tls_trust_prepare(const thaw_trust *trust, X509_STORE_CTX *ctx)
{
	if (trust->own)
		X509_STORE_CTX_set_verify_cb(ctx, trust->crl_check == THAW_CRL_LEAF ? on_leaf : on_chain);
}

static bool reject(X509_STORE_CTX *ctx, int error, int depth)
{
	X509_STORE_CTX_set_error(ctx, error);
	X509_STORE_CTX_set_error_depth(ctx, depth);
	X509_STORE_CTX_set_current_cert(ctx, sk_X509_value(X509_STORE_CTX_get0_chain(ctx), depth));
	return false;
}

static bool is_among(const STACK_OF(X509) * certificates, const X509 *certificate)
{
	for (int i = 0; i < sk_X509_num(certificates); i++)
		if (X509_cmp(sk_X509_value(certificates, i), certificate) == 0)
			return true;
	return false;
}

bool tls_trust_recheck(const thaw_trust *trust, X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	int last = sk_X509_num(chain) - 1;

	if (is_among(trust->revoked, sk_X509_value(chain, last)))
		return reject(ctx, X509_V_ERR_CERT_REVOKED, last);
	/* X509_PURPOSE_ANY also ignores the key usage. */
	if (trust->purpose == THAW_PURPOSE_ANY &&
	    (X509_get_key_usage(sk_X509_value(chain, 0)) & (KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT)) == 0)
		return reject(ctx, X509_V_ERR_INVALID_PURPOSE, 0);
	return true;
}
