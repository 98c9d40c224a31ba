/* Checks CA certificates and CRLs. */
#include <stdio.h>
#include <time.h>

#include <openssl/ssl.h>

#include "tls/inspect_inside.h"

#define CHAIN_MAX 32 /* most CAs in a chain that are checked */

/* ---- CAs ---- */

#define BELOW "every certificate below it will be rejected"

/* Bits of security that OpenSSL's security level requires (SSL_CTX_set_security_level(3)). */
static int bits_needed(void)
{
	static const int bits[] = {0, 80, 112, 128, 192, 256};
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int level = ctx != NULL ? SSL_CTX_get_security_level(ctx) : 0;

	SSL_CTX_free(ctx);
	return level < 0 ? 0 : level > 5 ? bits[5] : bits[level];
}

static void check_strength(struct inspection *inspection, X509 *ca, const char *what, int needed)
{
	const EVP_PKEY *key = X509_get0_pubkey(ca);
	int signature = 0;

	if (key == NULL || EVP_PKEY_get_security_bits(key) < needed)
		inspect_find(inspection,
			     "%s has a key that is too weak: " BELOW "; use RSA with 2048 bits or more, or ECDSA",
			     what);
	else if (X509_self_signed(ca, 0) != 1 && X509_get_signature_info(ca, NULL, NULL, &signature, NULL) == 1 &&
		 signature < needed)
		inspect_find(inspection,
			     "%s is signed with a digest that is too weak, such as SHA-1: " BELOW
			     "; have it issued again",
			     what);
}

/* A valid certificate of the same CA, renewed or cross-signed, which is used instead of this one. */
static X509 *other_of_ca(const struct inspection *inspection, X509 *ca)
{
	time_t now = (time_t)inspection->inspector->now_s;

	for (int i = 0; i < sk_X509_INFO_num(inspection->infos); i++) {
		X509 *other = inspect_certificate(inspection->infos, i);
		if (other != NULL && other != ca && X509_cmp(other, ca) != 0 &&
		    X509_NAME_cmp(X509_get_subject_name(other), X509_get_subject_name(ca)) == 0 &&
		    EVP_PKEY_eq(X509_get0_pubkey(other), X509_get0_pubkey(ca)) == 1 && X509_check_ca(other) != 0 &&
		    X509_cmp_time(X509_get0_notBefore(other), &now) <= 0 &&
		    X509_cmp_time(X509_get0_notAfter(other), &now) > 0 &&
		    (X509_self_signed(other, 0) == 1 || inspect_has_issuer(inspection->infos, other)))
			return other;
	}
	return NULL;
}

/* RFC 5280 4.2.1.9: checks the path length constraints of the CAs above. */
static void check_depth(struct inspection *inspection, X509 *ca, const char *what)
{
	X509 *above = ca;

	for (long below = 1; below <= CHAIN_MAX; below++) {
		above = X509_self_signed(above, 0) == 1 ? NULL : inspect_issuer_in(inspection->infos, above);
		if (above == NULL)
			return;
		long most = X509_get_pathlen(above);
		if (most < 0 || below <= most)
			continue;
		inspect_find(inspection,
			     "%s is below CA '%s', whose path length constraint allows %ld intermediate CAs: " BELOW
			     "; have one of them issued again",
			     what, inspect_show_subject(above).text, most);
		return;
	}
}

/* The use of CA certificates. */
enum ca_use { OF_SERVERS, OF_CLIENTS, ANCHORS_OF_CLIENTS /* each is a trust anchor */ };

static void check_ca(struct inspection *inspection, X509 *ca, enum ca_use use, int needed)
{
	char what[sizeof(struct inspect_text) + 32];
	bool own = X509_self_signed(ca, 0) == 1;

	(void)snprintf(what, sizeof(what), "certificate '%s'", inspect_show_subject(ca).text);
	if (X509_check_ca(ca) == 0 && (!own || use != OF_SERVERS)) {
		inspect_find(inspection,
			     "%s is not a CA (basic constraints, key usage): no other certificate is accepted because "
			     "of it; "
			     "name the certificate of the CA that issued it",
			     what);
		return;
	}
	if (other_of_ca(inspection, ca) != NULL)
		return;
	inspect_check_time(inspection, what, X509_get0_notBefore(ca), X509_get0_notAfter(ca), BELOW, "renew it");
	if (use != ANCHORS_OF_CLIENTS)
		check_depth(inspection, ca, what);
	check_strength(inspection, ca, what, needed);
	if (!own && use != ANCHORS_OF_CLIENTS && !inspect_has_issuer(inspection->infos, ca))
		inspect_find(inspection,
			     "%s is of an intermediate CA, and its issuer '%s' is not in the file: " BELOW
			     "; add the certificates of its issuers, up to the root%s",
			     what, inspect_show_name(X509_get_issuer_name(ca)).text,
			     use == OF_CLIENTS ? ", or set partial_chain to true" : "");
}

static void check_cas(const struct tls_inspector *inspector, const char *file, enum ca_use use)
{
	struct inspection inspection;
	int needed = bits_needed();

	inspect_begin(&inspection, inspector, file);
	for (int i = 0; i < sk_X509_INFO_num(inspection.infos); i++) {
		X509 *ca = inspect_certificate(inspection.infos, i);
		if (ca != NULL)
			check_ca(&inspection, ca, use, needed);
	}
	inspect_end(&inspection);
}

void tls_inspect_client_cas(const struct tls_inspector *inspector, const char *file, bool partial_chain)
{
	check_cas(inspector, file, partial_chain ? ANCHORS_OF_CLIENTS : OF_CLIENTS);
}

void tls_inspect_server_cas(const struct tls_inspector *inspector, const char *file)
{
	check_cas(inspector, file, OF_SERVERS);
}

/* ---- CRLs ---- */

/* How many CAs have the CRL's issuer name, have signed it, and are allowed to. */
struct issuers {
	unsigned named, signed_it, may_sign;
};

static struct issuers issuers_of(X509_CRL *crl, const STACK_OF(X509_INFO) * cas)
{
	struct issuers issuers = {0};

	for (int i = 0; i < sk_X509_INFO_num(cas); i++) {
		X509 *ca = inspect_certificate(cas, i);
		if (ca == NULL || X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) != 0)
			continue;
		issuers.named++;
		EVP_PKEY *key = X509_get0_pubkey(ca);
		if (key == NULL || X509_CRL_verify(crl, key) != 1)
			continue;
		issuers.signed_it++;
		issuers.may_sign += (X509_get_key_usage(ca) & KU_CRL_SIGN) != 0;
	}
	return issuers;
}

/* Warns about CAs that the CRL revokes. */
static void check_revoked_cas(struct inspection *inspection, X509_CRL *crl, const char *what,
			      const STACK_OF(X509_INFO) * cas)
{
	for (int i = 0; i < sk_X509_INFO_num(cas); i++) {
		X509 *ca = inspect_certificate(cas, i);
		X509_REVOKED *entry = NULL;
		if (ca != NULL && X509_self_signed(ca, 0) != 1 &&
		    X509_NAME_cmp(X509_get_issuer_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_CRL_get0_by_cert(crl, &entry, ca) == 1)
			inspect_find(inspection, "%s revokes CA '%s': " BELOW "; remove that CA, or replace it", what,
				     inspect_show_subject(ca).text);
	}
}

/* Whether the file has a valid CRL of the same CA, which OpenSSL uses instead. */
static bool is_superseded(const struct inspection *inspection, X509_CRL *crl)
{
	time_t now = (time_t)inspection->inspector->now_s;

	for (int i = 0; i < sk_X509_INFO_num(inspection->infos); i++) {
		const X509_CRL *other = sk_X509_INFO_value(inspection->infos, i)->crl;
		if (other != NULL && other != crl &&
		    X509_NAME_cmp(X509_CRL_get_issuer(other), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_cmp_time(X509_CRL_get0_lastUpdate(other), &now) <= 0 &&
		    (X509_CRL_get0_nextUpdate(other) == NULL ||
		     X509_cmp_time(X509_CRL_get0_nextUpdate(other), &now) > 0))
			return true;
	}
	return false;
}

static void check_crl(struct inspection *inspection, X509_CRL *crl, const STACK_OF(X509_INFO) * cas,
		      const char *ca_file)
{
	struct inspect_text issuer = inspect_show_name(X509_CRL_get_issuer(crl));
	struct issuers issuers = issuers_of(crl, cas);
	char what[sizeof(struct inspect_text) + 32], happens[sizeof(struct inspect_text) + 64];

	(void)snprintf(what, sizeof(what), "the CRL of CA '%s'", issuer.text);
	(void)snprintf(happens, sizeof(happens), "every certificate that CA '%s' issued will be rejected", issuer.text);
	if (issuers.named == 0)
		inspect_find(
			inspection,
			"%s is of a CA that is not in %s: it has no effect, except for clients that send this CA's "
			"certificate; add that certificate to %s, or remove the CRL",
			what, ca_file, ca_file);
	else if (issuers.signed_it == 0)
		inspect_find(inspection, "%s is not signed by that CA's key in %s: %s; get the CRL from the CA again",
			     what, ca_file, happens);
	else if (issuers.may_sign == 0)
		inspect_find(
			inspection,
			"%s is signed by a CA whose key usage in %s does not allow it (cRLSign): %s; renew the CA's "
			"certificate",
			what, ca_file, happens);
	if (!is_superseded(inspection, crl))
		inspect_check_time(inspection, what, X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_nextUpdate(crl),
				   happens, "get a new one from the CA");
	if (issuers.signed_it > 0)
		check_revoked_cas(inspection, crl, what, cas);
}

void tls_inspect_crls(const struct tls_inspector *inspector, const char *file, const char *ca_file)
{
	struct inspection inspection;

	inspect_begin(&inspection, inspector, file);
	STACK_OF(X509_INFO) *cas = inspection.infos != NULL ? inspect_read_file(ca_file) : NULL;
	for (int i = 0; cas != NULL && i < sk_X509_INFO_num(inspection.infos); i++) {
		X509_CRL *crl = sk_X509_INFO_value(inspection.infos, i)->crl;
		if (crl != NULL)
			check_crl(&inspection, crl, cas, ca_file);
	}
	sk_X509_INFO_pop_free(cas, X509_INFO_free);
	inspect_end(&inspection);
}
