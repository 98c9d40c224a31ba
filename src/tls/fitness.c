#include "tls/fitness.h"

#include <stdio.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "tls/failure.h"

#define BITS_MIN   112 /* OpenSSL's security level 2, the default of Debian and of OpenSSL 3.2: RSA of 2,048 bits */
#define DIGEST_MIN 80  /* SHA-1 has 63 */
#define TIME_ROOM  32

static const char *time_text(const ASN1_TIME *time, char to[static TIME_ROOM])
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1 || strftime(to, TIME_ROOM, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		(void)snprintf(to, TIME_ROOM, "an invalid date");
	return to;
}

static bool period_fault(const X509 *certificate, time_t now, const char *whose, char to[static TLS_FITNESS_ROOM])
{
	const ASN1_TIME *from = X509_get0_notBefore(certificate), *until = X509_get0_notAfter(certificate);
	char text[TIME_ROOM];

	if (X509_cmp_time(until, &now) < 0)
		return snprintf(to, TLS_FITNESS_ROOM, "%s expired on %s", whose, time_text(until, text)) > 0;
	if (X509_cmp_time(from, &now) > 0)
		return snprintf(to, TLS_FITNESS_ROOM, "%s is not valid before %s", whose, time_text(from, text)) > 0;
	return false;
}

static bool key_fault(const X509 *certificate, const char *whose, char to[static TLS_FITNESS_ROOM])
{
	const EVP_PKEY *key = X509_get0_pubkey(certificate);

	if (key == NULL || EVP_PKEY_get_security_bits(key) >= BITS_MIN)
		return false;
	const char *kind = EVP_PKEY_get0_type_name(key);
	return snprintf(to, TLS_FITNESS_ROOM,
			"%s has a weak key (%s, %d bits); RSA with 2048 bits or more, or EC, is required", whose,
			kind != NULL ? kind : "unknown kind", EVP_PKEY_get_bits(key)) > 0;
}

static bool digest_fault(X509 *certificate, const char *whose, char to[static TLS_FITNESS_ROOM])
{
	int digest = NID_undef, bits = -1;
	bool own =
		(X509_get_extension_flags(certificate) & EXFLAG_SS) != 0; /* a root's own signature is not verified */

	if (own || X509_get_signature_info(certificate, &digest, NULL, &bits, NULL) != 1 || bits >= DIGEST_MIN)
		return false;
	const char *name = digest != NID_undef ? OBJ_nid2ln(digest) : NULL;
	return snprintf(to, TLS_FITNESS_ROOM, "%s is signed with a weak digest (%s)", whose,
			name != NULL ? name : "unknown") > 0;
}

/* RFC 5280 4.2.1.3, 4.2.1.12. */
static bool usage_fault(X509 *certificate, const char *whose, char to[static TLS_FITNESS_ROOM])
{
	uint32_t extended = X509_get_extended_key_usage(certificate), usage = X509_get_key_usage(certificate);

	if ((extended & (XKU_SSL_CLIENT | XKU_ANYEKU)) == 0)
		return snprintf(to, TLS_FITNESS_ROOM, "%s is not for clients: its extended key usage has no clientAuth",
				whose) > 0;
	if ((usage & KU_DIGITAL_SIGNATURE) == 0)
		return snprintf(to, TLS_FITNESS_ROOM, "%s is not for TLS: its key usage has no digitalSignature",
				whose) > 0;
	return false;
}

bool tls_fitness_fault(const struct tls_key_pair *pair, time_t now, char to[static TLS_FITNESS_ROOM])
{
	static const char mine[] = "your certificate", issuer[] = "a CA certificate that is sent with yours";
	X509 *own = pair->certificate;
	bool found = period_fault(own, now, mine, to) || usage_fault(own, mine, to) || key_fault(own, mine, to) ||
		     digest_fault(own, mine, to);

	for (int i = 0; !found && i < sk_X509_num(pair->chain); i++) {
		X509 *one = sk_X509_value(pair->chain, i);
		found = period_fault(one, now, issuer, to) || key_fault(one, issuer, to) ||
			digest_fault(one, issuer, to);
	}
	if (!found)
		to[0] = '\0';
	ERR_clear_error();
	return found;
}

/* Whether OpenSSL's security level forbids it (SSL_CTX_set_security_level(3)). */
static bool is_too_weak(void)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	return ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL &&
	       (reason == SSL_R_EE_KEY_TOO_SMALL || reason == SSL_R_CA_KEY_TOO_SMALL || reason == SSL_R_CA_MD_TOO_WEAK);
}

enum thaw_status tls_fitness_use(const struct tls_key_pair *pair, const char *name, struct ssl_ctx_st *ctx,
				 struct thaw_error *err)
{
	char fault[TLS_FITNESS_ROOM] = "";

	ERR_clear_error();
	if (SSL_CTX_use_certificate(ctx, pair->certificate) == 1 && SSL_CTX_use_PrivateKey(ctx, pair->key) == 1 &&
	    SSL_CTX_set1_chain(ctx, pair->chain) == 1)
		return THAW_OK;
	if (!is_too_weak())
		return tls_library_failure(THAW_ERR_CONFIG, name, err);
	bool found = tls_fitness_fault(pair, time(NULL), fault);
	ERR_clear_error();
	return error_set(err, THAW_ERR_CONFIG, "%s: the security level of OpenSSL does not allow it%s%s", name,
			 found ? ": " : "", fault);
}
