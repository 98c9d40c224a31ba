#include "tls/trust.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/sized.h"
#include "tls/certificate.h"
#include "tls/failure.h"
#include "tls/file.h"
#include "tls/peer.h"

#define DEPTH_MAX         INT_MAX
#define MAX_CERT_LIST_MAX ((1UL << 24) - 1) /* the longest handshake message (RFC 8446 4) */

static bool digest_number(EVP_MD_CTX *md, long long number)
{
	return EVP_DigestUpdate(md, &number, sizeof(number)) == 1;
}

/* Adds the verification parameters to the digest. OpenSSL 3.0 has no getter for a store's purpose. */
static bool digest_parameters(EVP_MD_CTX *md, const thaw_trust *trust)
{
	const X509_VERIFY_PARAM *param = X509_STORE_get0_param(trust->store);
	unsigned long flags = X509_VERIFY_PARAM_get_flags(param);
	bool at_a_time = (flags & X509_V_FLAG_USE_CHECK_TIME) != 0;

	return digest_number(md, (long long)flags) && digest_number(md, X509_VERIFY_PARAM_get_depth(param)) &&
	       digest_number(md, X509_VERIFY_PARAM_get_auth_level(param)) &&
	       digest_number(md, at_a_time ? (long long)X509_VERIFY_PARAM_get_time(param) : 0) &&
	       digest_number(md, trust->own ? (long long)trust->crl_check : -1) &&
	       digest_number(md, trust->own ? (long long)trust->purpose : -1);
}

/*
 * The id is a digest of every CA certificate and CRL in the store, in order, and of its parameters. This is all that
 * affects a verification by a trust from files.
 */
static bool digest_store(thaw_trust *trust)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(trust->store);
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && digest_parameters(md, trust);

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
	ok = ok && EVP_DigestFinal_ex(md, trust->rules.id, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

static bool has_name(const STACK_OF(X509_NAME) * names, const X509_NAME *name)
{
	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0)
			return true;
	return false;
}

static bool add_name(thaw_trust *trust, const X509_NAME *name)
{
	X509_NAME *copy = X509_NAME_dup(name);

	if (copy != NULL && sk_X509_NAME_push(trust->names, copy) > 0)
		return true;
	X509_NAME_free(copy);
	return false;
}

/* The size of the names in a certificate request: each is preceded by its length (RFC 5246 7.4.4, RFC 8446 4.2.4). */
static size_t size_of(const STACK_OF(X509_NAME) * names)
{
	size_t size = 0;

	for (int i = 0; i < sk_X509_NAME_num(names); i++) {
		int len = i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL);
		size += 2 + (len > 0 ? (size_t)len : 0);
	}
	return size;
}

static void drop_names(thaw_trust *trust)
{
	while (sk_X509_NAME_num(trust->names) > 0)
		X509_NAME_free(sk_X509_NAME_pop(trust->names));
}

/*
 * Collects the subjects of the store's CA certificates for certificate requests. Without a list a client offers all its
 * certificates; with a list it offers none of other CAs. So the list must have all names, or none.
 */
static bool collect_names(thaw_trust *trust, bool none)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(trust->store);

	trust->names = sk_X509_NAME_new_null();
	if (trust->names == NULL)
		return false;
	for (int i = 0; !none && i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		const X509_NAME *name = certificate != NULL ? X509_get_subject_name(certificate) : NULL;
		if (name != NULL && !has_name(trust->names, name) && !add_name(trust, name))
			return false;
	}
	size_t size = size_of(trust->names);
	if (size > THAW_CA_NAMES_MAX) {
		trust->names_left_out = size;
		drop_names(trust);
	}
	return true;
}

/* Whether a CRL of the certificate's issuer in the store lists it. */
static bool is_revoked(const STACK_OF(X509_OBJECT) * objects, X509 *certificate)
{
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
		X509_REVOKED *entry = NULL;
		if (crl != NULL && X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(certificate)) == 0 &&
		    X509_CRL_get0_by_cert(crl, &entry, certificate) == 1)
			return true;
	}
	return false;
}

/*
 * OpenSSL checks a certificate against the CRL of the next one in the chain. An intermediate CA that is a trust anchor
 * has no next one, so OpenSSL would miss its revocation.
 */
static bool collect_revoked(thaw_trust *trust)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(trust->store);

	trust->revoked = sk_X509_new_null();
	if (trust->revoked == NULL)
		return false;
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		if (certificate != NULL && is_revoked(objects, certificate) &&
		    !X509_add_cert(trust->revoked, certificate, X509_ADD_FLAG_UP_REF))
			return false;
	}
	return true;
}

static atomic_ullong last_number; /* of a trust from a store */

/* options: NULL for a caller's store. Takes a reference to the store. */
static enum thaw_status make(X509_STORE *store, const struct thaw_trust_options *options, thaw_trust **made,
			     struct thaw_error *err)
{
	thaw_trust *trust = calloc(1, sizeof(*trust));

	if (trust == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	atomic_init(&trust->refs, 1);
	trust->store = X509_STORE_up_ref(store) == 1 ? store : NULL;
	trust->hook = tls_peer_store();
	trust->own = options != NULL;
	trust->rules.number = options != NULL ? 0 : atomic_fetch_add(&last_number, 1) + 1;
	trust->max_cert_list =
		options != NULL && options->max_cert_list > 0 ? options->max_cert_list : TLS_MAX_CERT_LIST;
	trust->crl_check = options != NULL ? options->crl_check : THAW_CRL_CHAIN;
	trust->purpose = options != NULL ? options->purpose : THAW_PURPOSE_CLIENT;
	if (trust->store == NULL || trust->hook == NULL ||
	    !collect_names(trust, options != NULL && options->no_names) ||
	    (options != NULL && options->partial_chain && !collect_revoked(trust)) || !digest_store(trust)) {
		thaw_trust_free(&trust);
		return tls_library_failure(THAW_ERR_RESOURCE, "collecting the names of the CAs", err);
	}
	*made = trust;
	return THAW_OK;
}

enum thaw_status thaw_trust_from_store(struct x509_store_st *store, thaw_trust **trust, struct thaw_error *err)
{
	error_clear(err);
	*trust = NULL;
	return make(store, NULL, trust, err);
}

/* Adds all certificates (crls: all CRLs) of a PEM file to the store; ignores other contents, such as keys and comments.
 * */
static enum thaw_status add_file(X509_STORE *store, const char *file, bool crls, struct thaw_error *err)
{
	STACK_OF(X509_INFO) *infos = NULL;
	int found = 0;

	if (tls_file_infos(file, THAW_ERR_SYSTEM, crls ? TLS_PEM_CRL : TLS_PEM_CERTIFICATE, &infos, err) != THAW_OK)
		return THAW_FAILED;
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
		return tls_pem_fault(file, crls ? TLS_PEM_CRL : TLS_PEM_CERTIFICATE, err);
	return THAW_OK;
}

/*
 * OpenSSL treats a delta CRL (RFC 5280 5.2.4) as complete, even if its base CRL is present, so that certificates that
 * the base revokes would be accepted.
 */
static enum thaw_status check_is_complete(const char *file, const X509_CRL *crl, struct thaw_error *err)
{
	if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) < 0)
		return THAW_OK;
	char *name = tls_name_text(X509_CRL_get_issuer(crl));
	enum thaw_status status =
		error_set(err, THAW_ERR_CONFIG,
			  "%s: the CRL of CA '%s' is a delta CRL, which lists changes only; delta CRLs are not "
			  "supported: put the complete CRL in its place",
			  file, name != NULL ? name : "?");
	free(name);
	return status;
}

static bool has_crl_of(const STACK_OF(X509_OBJECT) * objects, const X509_NAME *issuer)
{
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
		if (crl != NULL && X509_NAME_cmp(X509_CRL_get_issuer(crl), issuer) == 0)
			return true;
	}
	return false;
}

/* If a CA has no CRL, all certificates below it would be rejected. */
static enum thaw_status check_crls(X509_STORE *store, const struct thaw_trust_options *options, struct thaw_error *err)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		if (ca == NULL || X509_check_ca(ca) == 0 || has_crl_of(objects, X509_get_subject_name(ca)))
			continue;
		char *name = tls_name_text(X509_get_subject_name(ca));
		enum thaw_status status =
			error_set(err, THAW_ERR_CONFIG,
				  "%s: no CRL of CA '%s' of %s: every certificate that it issued would be rejected; "
				  "add its CRL, or set crl_check to leaf",
				  options->crl, name != NULL ? name : "?", options->ca);
		free(name);
		return status;
	}
	return THAW_OK;
}

static enum thaw_status check_complete(X509_STORE *store, const char *file, struct thaw_error *err)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
		if (crl != NULL && check_is_complete(file, crl, err) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

static enum thaw_status fill(X509_STORE *store, const struct thaw_trust_options *options, struct thaw_error *err)
{
	enum thaw_status status = add_file(store, options->ca, false, err);

	if (status == THAW_OK && options->crl != NULL) {
		status = add_file(store, options->crl, true, err);
		/* also for THAW_CRL_LEAF: see on_missing_crl() */
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	}
	if (status == THAW_OK && options->crl != NULL)
		status = check_complete(store, options->crl, err);
	if (status == THAW_OK && options->crl != NULL && options->crl_check == THAW_CRL_CHAIN)
		status = check_crls(store, options, err);
	if (status == THAW_OK && options->depth > 0)
		X509_STORE_set_depth(store, (int)options->depth);
	if (status == THAW_OK && options->partial_chain)
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	if (status == THAW_OK && options->purpose == THAW_PURPOSE_ANY)
		X509_STORE_set_purpose(store, X509_PURPOSE_ANY);
	return status;
}

/* The name of a field whose value has no meaning. NULL: none. */
static const char *out_of_range(const struct thaw_trust_options *options)
{
	if (options->crl_check != THAW_CRL_CHAIN && options->crl_check != THAW_CRL_LEAF)
		return "crl_check";
	if (options->purpose != THAW_PURPOSE_CLIENT && options->purpose != THAW_PURPOSE_ANY)
		return "purpose";
	if (options->depth > DEPTH_MAX)
		return "depth";
	return options->max_cert_list > MAX_CERT_LIST_MAX ? "max_cert_list" : NULL;
}

enum thaw_status thaw_trust_open(const struct thaw_trust_options *options, thaw_trust **trust, struct thaw_error *err)
{
	struct thaw_trust_options ours;

	error_clear(err);
	*trust = NULL;
	if (!sized_take(&ours, sizeof(ours), options, SIZED_UP_TO(struct thaw_trust_options, ca)))
		return error_usage(err, SIZED_WRONG, "thaw_trust_options");
	if (ours.ca == NULL)
		return error_usage(err, "a trust needs a file of CA certificates");
	const char *wrong = out_of_range(&ours);
	if (wrong != NULL)
		return error_usage(err, "thaw_trust_options.%s is out of range", wrong);
	X509_STORE *store = X509_STORE_new();
	if (store == NULL)
		return tls_library_failure(THAW_ERR_RESOURCE, ours.ca, err);
	enum thaw_status status = fill(store, &ours, err);
	if (status == THAW_OK)
		status = make(store, &ours, trust, err);
	X509_STORE_free(store);
	return status;
}

enum thaw_status thaw_trust_load(const char *ca_file, const char *crl_file, thaw_trust **trust, struct thaw_error *err)
{
	const struct thaw_trust_options options = {.size = sizeof(options), .ca = ca_file, .crl = crl_file};

	return thaw_trust_open(&options, trust, err);
}
