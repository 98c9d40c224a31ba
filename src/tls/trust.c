#include "tls/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "base/error.h"
#include "tls/failure.h"

/*
 * The id is a digest over what decides a verification: every CA certificate and CRL in the store, in order, and its
 * flags.
 */
static bool digest_store(thaw_trust *trust)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(trust->store);
	unsigned long flags = X509_VERIFY_PARAM_get_flags(X509_STORE_get0_param(trust->store));
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(md, &flags, sizeof(flags)) == 1;

	for (int i = 0; ok && i < sk_X509_OBJECT_num(objects); i++) {
		X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
		X509 *certificate = X509_OBJECT_get0_X509(object);
		X509_CRL *crl = X509_OBJECT_get0_X509_CRL(object);
		unsigned char one[EVP_MAX_MD_SIZE];
		unsigned len = 0;

		if (certificate != NULL)
			ok = X509_digest(certificate, EVP_sha256(), one, &len) == 1;
		else if (crl != NULL)
			ok = X509_CRL_digest(crl, EVP_sha256(), one, &len) == 1;
		ok = ok && EVP_DigestUpdate(md, one, len) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(md, trust->id, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

/* The subjects of the store's CA certificates: what a CertificateRequest tells the client (RFC 8446 4.2.4). */
static bool collect_names(thaw_trust *trust)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(trust->store);

	trust->names = sk_X509_NAME_new_null();
	if (trust->names == NULL)
		return false;
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		if (certificate == NULL)
			continue;
		X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));
		if (name == NULL || sk_X509_NAME_push(trust->names, name) <= 0) {
			X509_NAME_free(name);
			return false;
		}
	}
	return true;
}

thaw_trust *thaw_trust_from_store(struct x509_store_st *store, struct thaw_error *err)
{
	thaw_trust *trust = calloc(1, sizeof(*trust));

	if (trust == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	atomic_init(&trust->refs, 1);
	trust->store = store;
	if (!collect_names(trust) || !digest_store(trust)) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, "collecting the names of the CAs", err);
		trust->store = NULL; /* still the caller's */
		thaw_trust_free(&trust);
	}
	return trust;
}

/* All certificates of a PEM file into the store; what else is in it (a key, a comment) is passed over. */
static enum thaw_status add_file(X509_STORE *store, const char *file, bool crls, struct thaw_error *err)
{
	BIO *bio = BIO_new_file(file, "r");

	if (bio == NULL) {
		ERR_clear_error();
		return error_system(err, errno, "%s", file);
	}
	STACK_OF(X509_INFO) *infos = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (infos == NULL)
		return tls_library_failure(THAW_ERR_CONFIG, file, err);
	int found = 0;
	bool ok = true;
	for (int i = 0; ok && i < sk_X509_INFO_num(infos); i++) {
		const X509_INFO *info = sk_X509_INFO_value(infos, i);
		if (!crls && info->x509 != NULL) {
			ok = X509_STORE_add_cert(store, info->x509) == 1;
			found++;
		}
		if (crls && info->crl != NULL) {
			ok = X509_STORE_add_crl(store, info->crl) == 1;
			found++;
		}
	}
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	if (!ok)
		return tls_library_failure(THAW_ERR_CONFIG, file, err);
	if (found == 0)
		return error_set(err, THAW_ERR_CONFIG, "%s: no %s in it (PEM is expected)", file,
				 crls ? "CRL" : "certificate");
	return THAW_OK;
}

thaw_trust *thaw_trust_load(const char *ca_file, const char *crl_file, struct thaw_error *err)
{
	X509_STORE *store = X509_STORE_new();
	thaw_trust *trust = NULL;

	if (store == NULL) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, ca_file, err);
		return NULL;
	}
	enum thaw_status status = add_file(store, ca_file, false, err);
	if (status == THAW_OK && crl_file != NULL) {
		status = add_file(store, crl_file, true, err);
		/* Only the leaf: one file of one CA's CRL is what an operator has; a whole chain needs every CA's. */
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	}
	if (status == THAW_OK)
		trust = thaw_trust_from_store(store, err);
	if (trust == NULL)
		X509_STORE_free(store);
	return trust;
}

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
	X509_STORE_free(gone->store);
	free(gone);
}

const uint8_t *thaw_trust_id(const thaw_trust *trust)
{
	return trust->id;
}

int tls_trust_verify(const thaw_trust *trust, X509 *certificate, STACK_OF(X509) * chain, STACK_OF(X509) * *path)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int error = X509_V_ERR_OUT_OF_MEM;

	*path = NULL;
	if (ctx != NULL && X509_STORE_CTX_init(ctx, trust->store, certificate, chain) == 1 &&
	    X509_STORE_CTX_set_default(ctx, "ssl_client") == 1) {
		error = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
		if (error == X509_V_OK && X509_STORE_CTX_get_error(ctx) != X509_V_OK)
			error = X509_STORE_CTX_get_error(ctx);
	}
	if (error == X509_V_OK) {
		*path = X509_STORE_CTX_get1_chain(ctx);
		error = *path != NULL ? X509_V_OK : X509_V_ERR_OUT_OF_MEM;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return error;
}
