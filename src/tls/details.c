#include "tls/details.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls/server.h"

#define OID_TEXT 128
#define IP_TEXT  64

/* A copy of text that is nothing but text. NULL with *unusable set: it is something else; NULL without: no memory. */
static char *plain(const unsigned char *bytes, int len, bool *unusable)
{
	*unusable = bytes == NULL || len <= 0 || memchr(bytes, '\0', (size_t)len) != NULL;
	return *unusable ? NULL : strndup((const char *)bytes, (size_t)len);
}

static char *oid_text(const ASN1_OBJECT *object, bool short_name)
{
	char text[OID_TEXT];
	int nid = OBJ_obj2nid(object);

	if (short_name && nid != NID_undef)
		return strdup(OBJ_nid2sn(nid));
	int len = OBJ_obj2txt(text, sizeof(text), object, 1);
	return len > 0 && (size_t)len < sizeof(text) ? strdup(text) : NULL;
}

static bool read_attribute(const X509_NAME_ENTRY *entry, struct tls_attribute *attribute, bool *unusable)
{
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));

	attribute->value = plain(utf8, len, unusable);
	OPENSSL_free(utf8);
	if (*unusable)
		return true;
	attribute->type = oid_text(X509_NAME_ENTRY_get_object(entry), true);
	return attribute->type != NULL && attribute->value != NULL;
}

static bool read_name(const X509_NAME *name, struct tls_attribute **attributes, size_t *count)
{
	int entries = X509_NAME_entry_count(name);

	*attributes = calloc((size_t)entries + 1, sizeof(**attributes));
	if (*attributes == NULL)
		return false;
	for (int i = 0; i < entries; i++) {
		bool unusable = false;
		struct tls_attribute *next = &(*attributes)[*count];
		if (!read_attribute(X509_NAME_get_entry(name, i), next, &unusable)) {
			free(next->type);
			free(next->value);
			return false;
		}
		*count += !unusable;
	}
	return true;
}

static char *ip_text(const ASN1_OCTET_STRING *address, bool *unusable)
{
	char text[IP_TEXT];
	int len = ASN1_STRING_length(address);
	int family = len == 4 ? AF_INET : AF_INET6;

	*unusable = (len != 4 && len != 16) ||
		    inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)) == NULL;
	return *unusable ? NULL : strdup(text);
}

static char *san_text(const GENERAL_NAME *name, enum tls_san_kind *kind, bool *unusable)
{
	switch (name->type) {
	case GEN_DNS:
		*kind = TLS_SAN_DNS;
		break;
	case GEN_EMAIL:
		*kind = TLS_SAN_EMAIL;
		break;
	case GEN_URI:
		*kind = TLS_SAN_URI;
		break;
	case GEN_IPADD:
		*kind = TLS_SAN_IP;
		return ip_text(name->d.iPAddress, unusable);
	default:
		*unusable = true;
		return NULL;
	}
	return plain(ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5), unusable);
}

static bool read_sans(const X509 *x509, struct tls_details *details)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
	bool good = true;

	details->sans = calloc((size_t)count + 1, sizeof(*details->sans));
	good = details->sans != NULL;
	for (int i = 0; i < count && good; i++) {
		struct tls_san *san = &details->sans[details->san_count];
		bool unusable = false;
		san->text = san_text(sk_GENERAL_NAME_value(names, i), &san->kind, &unusable);
		good = san->text != NULL || unusable;
		details->san_count += san->text != NULL;
	}
	GENERAL_NAMES_free(names);
	return good;
}

static bool read_ekus(const X509 *x509, struct tls_details *details)
{
	EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(x509, NID_ext_key_usage, NULL, NULL);
	int count = usages != NULL ? sk_ASN1_OBJECT_num(usages) : 0;
	bool good = true;

	details->ekus = calloc((size_t)count + 1, sizeof(*details->ekus));
	good = details->ekus != NULL;
	for (int i = 0; i < count && good; i++) {
		details->ekus[details->eku_count] = oid_text(sk_ASN1_OBJECT_value(usages, i), false);
		good = details->ekus[details->eku_count] != NULL;
		details->eku_count += good;
	}
	EXTENDED_KEY_USAGE_free(usages);
	return good;
}

static bool read_serial(const X509 *x509, struct tls_details *details)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
	char *hex = number != NULL ? BN_bn2hex(number) : NULL;

	details->serial = hex != NULL ? strdup(hex) : NULL;
	OPENSSL_free(hex);
	BN_free(number);
	return details->serial != NULL;
}

static bool read_time(const ASN1_TIME *time, char *text, size_t room)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool good = bio != NULL && ASN1_TIME_print(bio, time) == 1;
	int len = good ? BIO_read(bio, text, (int)room - 1) : -1;

	BIO_free(bio);
	text[len > 0 ? len : 0] = '\0';
	return good;
}

struct tls_details *tls_details_new(const uint8_t *der, size_t len)
{
	struct tls_details *details = calloc(1, sizeof(*details));
	X509 *x509 = d2i_X509(NULL, &der, (long)len);

	if (details == NULL || x509 == NULL ||
	    !read_name(X509_get_subject_name(x509), &details->subject, &details->subject_count) ||
	    !read_name(X509_get_issuer_name(x509), &details->issuer, &details->issuer_count) ||
	    !read_sans(x509, details) || !read_ekus(x509, details) || !read_serial(x509, details) ||
	    !read_time(X509_get0_notBefore(x509), details->not_before, sizeof(details->not_before)) ||
	    !read_time(X509_get0_notAfter(x509), details->not_after, sizeof(details->not_after)))
		tls_details_free(&details);
	X509_free(x509);
	ERR_clear_error();
	return details;
}

static void free_name(struct tls_attribute *attributes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(attributes[i].type);
		free(attributes[i].value);
	}
	free(attributes);
}

void tls_details_free(struct tls_details **details)
{
	struct tls_details *gone = *details;

	*details = NULL;
	if (gone == NULL)
		return;
	free_name(gone->subject, gone->subject_count);
	free_name(gone->issuer, gone->issuer_count);
	for (size_t i = 0; i < gone->san_count; i++)
		free(gone->sans[i].text);
	for (size_t i = 0; i < gone->eku_count; i++)
		free(gone->ekus[i]);
	for (size_t i = 0; i < gone->chain_count; i++)
		OPENSSL_free(gone->chain[i].bytes);
	free(gone->sans);
	free(gone->ekus);
	free(gone->serial);
	free(gone);
}

bool tls_details_take_chain(struct tls_details *details, struct tls_link *link)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls_link_ssl(link)); /* without the client's own */
	int count = chain != NULL ? sk_X509_num(chain) : 0;

	for (int i = 0; i < count && details->chain_count < TLS_CHAIN_MAX; i++) {
		struct tls_der *next = &details->chain[details->chain_count];
		X509 *x509 = sk_X509_value(chain, i);
		if (X509_self_signed(x509, 0) == 1)
			continue;
		int len = i2d_X509(x509, &next->bytes);
		if (len <= 0) {
			ERR_clear_error();
			return false;
		}
		next->len = (size_t)len;
		details->chain_count++;
	}
	ERR_clear_error();
	return true;
}
