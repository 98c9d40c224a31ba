#include "tls/certificate.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#define SHA256_LEN 32

struct tls_certificate {
	struct tls_identity identity;
	X509 *x509;
	STACK_OF(X509) * path;
	char *subject, *issuer;
	unsigned char *der;
	uint8_t sha256[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
};

/* Invalid UTF-8 cannot occur: OpenSSL does not parse such a certificate. */
char *tls_name_text(const struct X509_name_st *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		const char *data = NULL;
		long len = BIO_get_mem_data(bio, &data);
		text = len >= 0 ? strndup(len > 0 ? data : "", (size_t)len) : NULL;
	}
	BIO_free(bio);
	return text;
}

struct tls_certificate *tls_certificate_new(struct x509_st *x509, const struct stack_st_X509 *path)
{
	struct tls_certificate *certificate = calloc(1, sizeof(*certificate));
	unsigned len = 0;

	if (certificate == NULL)
		return NULL;
	certificate->x509 = X509_up_ref(x509) == 1 ? x509 : NULL;
	if (path != NULL)
		certificate->path = X509_chain_up_ref((STACK_OF(X509) *)path);
	certificate->subject = tls_name_text(X509_get_subject_name(x509));
	certificate->issuer = tls_name_text(X509_get_issuer_name(x509));
	int der_len = i2d_X509(x509, &certificate->der);
	if (certificate->x509 == NULL || (path != NULL && certificate->path == NULL) || certificate->subject == NULL ||
	    certificate->issuer == NULL || der_len <= 0 ||
	    X509_digest(x509, EVP_sha256(), certificate->sha256, &len) != 1) {
		ERR_clear_error();
		tls_certificate_free(&certificate);
		return NULL;
	}
	for (size_t i = 0; i < SHA256_LEN; i++) {
		certificate->hex[2 * i] = "0123456789abcdef"[certificate->sha256[i] >> 4];
		certificate->hex[2 * i + 1] = "0123456789abcdef"[certificate->sha256[i] & 15];
	}
	certificate->identity = (struct tls_identity){
		.subject = certificate->subject,
		.issuer = certificate->issuer,
		.sha256 = certificate->sha256,
		.sha256_hex = certificate->hex,
		.certificate = certificate->der,
		.certificate_len = (size_t)der_len,
	};
	return certificate;
}

void tls_certificate_free(struct tls_certificate **certificate)
{
	struct tls_certificate *old = *certificate;

	*certificate = NULL;
	if (old == NULL)
		return;
	X509_free(old->x509);
	sk_X509_pop_free(old->path, X509_free);
	free(old->subject);
	free(old->issuer);
	OPENSSL_free(old->der);
	free(old);
}

const struct tls_identity *tls_certificate_identity(const struct tls_certificate *certificate)
{
	return &certificate->identity;
}

struct x509_st *tls_certificate_x509(const struct tls_certificate *certificate)
{
	return certificate->x509;
}

const struct stack_st_X509 *tls_certificate_path(const struct tls_certificate *certificate)
{
	return certificate->path;
}

bool tls_certificate_equal(const struct tls_certificate *a, const struct tls_certificate *b)
{
	return memcmp(a->sha256, b->sha256, SHA256_LEN) == 0;
}
