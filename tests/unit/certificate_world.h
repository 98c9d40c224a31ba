/* Certificates made in memory, with the contents that a test wants. */
#ifndef UNIT_CERTIFICATE_WORLD_H
#define UNIT_CERTIFICATE_WORLD_H

#include <stddef.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

/* One attribute: a value of that ASN.1 type (V_ASN1_UTF8STRING, ...). Its bytes are used unchanged. */
struct world_attribute {
	const char *type; /* short name or dotted OID; NULL: the end */
	int asn1;
	const char *bytes;
	size_t len; /* 0: strlen() of bytes */
};

struct world_san {
	int type; /* GEN_DNS, ...; 0: the end */
	const char *bytes;
	size_t len;
};

struct world_wish {
	const struct world_attribute *subject; /* NULL: CN=test */
	const struct world_san *sans;
	const char *eku; /* in the syntax of an OpenSSL configuration; NULL: none */
	long serial;
	int padding; /* bytes of an extension that is not used */
	bool ca;
};

static inline EVP_PKEY *world_key(void)
{
	return EVP_EC_gen("P-256");
}

/* Puts bytes into a name unchanged; avoids the checks that OpenSSL makes when it builds a name. */
static inline void world_name(X509_NAME *name, const struct world_attribute *attributes)
{
	for (; attributes->type != NULL; attributes++) {
		size_t len = attributes->len > 0 ? attributes->len : strlen(attributes->bytes);
		X509_NAME_ENTRY *entry = NULL;
		ASN1_OBJECT *object = OBJ_txt2obj(attributes->type, 0);
		ASN1_STRING *string = ASN1_STRING_type_new(attributes->asn1);
		assert_non_null(object);
		assert_int_equal(ASN1_STRING_set(string, attributes->bytes, (int)len), 1);
		entry = X509_NAME_ENTRY_create_by_OBJ(&entry, object, V_ASN1_UTF8STRING, (const unsigned char *)"", 0);
		assert_non_null(entry);
		ASN1_STRING *data = X509_NAME_ENTRY_get_data(entry);
		assert_int_equal(ASN1_STRING_copy(data, string), 1);
		assert_int_equal(X509_NAME_add_entry(name, entry, -1, 0), 1);
		X509_NAME_ENTRY_free(entry);
		ASN1_STRING_free(string);
		ASN1_OBJECT_free(object);
	}
}

static inline void world_add_sans(X509 *x509, const struct world_san *sans)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();

	for (; sans->type != 0; sans++) {
		size_t len = sans->len > 0 ? sans->len : strlen(sans->bytes);
		GENERAL_NAME *name = GENERAL_NAME_new();
		if (sans->type == GEN_RID) {
			GENERAL_NAME_set0_value(name, GEN_RID, OBJ_txt2obj(sans->bytes, 1));
		} else {
			ASN1_STRING *string =
				ASN1_STRING_type_new(sans->type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
			assert_int_equal(ASN1_STRING_set(string, sans->bytes, (int)len), 1);
			GENERAL_NAME_set0_value(name, sans->type, string);
		}
		assert_true(sk_GENERAL_NAME_push(names, name) > 0);
	}
	assert_int_equal(X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT), 1);
	GENERAL_NAMES_free(names);
}

static inline void world_extend(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* Makes a certificate signed by issuer (NULL: self-signed). It is valid from Nov 23 18:51:32 2026 to Dec 1 00:00:00
 * 2049 or, if now is set, from an hour ago to tomorrow. */
static inline X509 *world_certificate(const struct world_wish *wish, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
				      bool now)
{
	static const struct world_attribute test[] = {{"CN", V_ASN1_UTF8STRING, "test", 0}, {NULL, 0, NULL, 0}};
	X509 *x509 = X509_new();

	assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), wish->serial), 1);
	X509_NAME *subject = X509_NAME_new();
	world_name(subject, wish->subject != NULL ? wish->subject : test);
	assert_int_equal(X509_set_subject_name(x509, subject), 1);
	assert_int_equal(X509_set_issuer_name(x509, issuer != NULL ? X509_get_subject_name(issuer) : subject), 1);
	X509_NAME_free(subject);
	if (now) {
		(void)X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
		(void)X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
	} else {
		assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(x509), "261123185132Z"), 1);
		assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(x509), "491201000000Z"), 1);
	}
	assert_int_equal(X509_set_pubkey(x509, key), 1);
	if (wish->ca)
		world_extend(x509, NID_basic_constraints, "critical,CA:TRUE");
	if (wish->sans != NULL)
		world_add_sans(x509, wish->sans);
	if (wish->eku != NULL)
		world_extend(x509, NID_ext_key_usage, wish->eku);
	if (wish->padding > 0) {
		ASN1_OCTET_STRING *bytes = ASN1_OCTET_STRING_new();
		char *zeros = calloc(1, (size_t)wish->padding);
		assert_non_null(zeros);
		assert_int_equal(ASN1_OCTET_STRING_set(bytes, (unsigned char *)zeros, wish->padding), 1);
		ASN1_OBJECT *object = OBJ_txt2obj("1.2.3.4.5", 1);
		X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, bytes);
		assert_int_equal(X509_add_ext(x509, extension, -1), 1);
		X509_EXTENSION_free(extension);
		ASN1_OBJECT_free(object);
		ASN1_OCTET_STRING_free(bytes);
		free(zeros);
	}
	assert_true(X509_sign(x509, issuer_key != NULL ? issuer_key : key, EVP_sha256()) > 0);
	return x509;
}

#endif
