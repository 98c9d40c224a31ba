#include "tls/details.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/certificate.h"

#define IP_TEXT       INET6_ADDRSTRLEN
#define ABSENT        (-1) /* what X509_get_ext_d2i() returns as critical */
#define REPEATED      (-2)
#define OID_BYTES_MAX 586 /* OpenSSL does not convert longer ones to text */

/* The result of reading one value. */
enum got { GOT, UNUSABLE, NO_MEMORY };

/* Whether there are no control characters (including NUL), and with ascii only ASCII (RFC 5280 4.2.1.6: IA5String). */
static bool is_text(const unsigned char *bytes, size_t len, bool ascii)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] < 0x20 || bytes[i] == 0x7F || (ascii && bytes[i] > 0x7F))
			return false;
	return true;
}

static enum got copy_text(const unsigned char *bytes, size_t len, bool ascii, char **text)
{
	if (!is_text(bytes, len, ascii))
		return UNUSABLE;
	*text = strndup((const char *)bytes, len);
	return *text != NULL ? GOT : NO_MEMORY;
}

/* Dotted. */
static enum got oid_text(const ASN1_OBJECT *object, char **text)
{
	if (OBJ_length(object) > OID_BYTES_MAX)
		return UNUSABLE;
	int len = OBJ_obj2txt(NULL, 0, object, 1);
	*text = len > 0 ? malloc((size_t)len + 1) : NULL;
	if (*text == NULL)
		return NO_MEMORY;
	if (OBJ_obj2txt(*text, len + 1, object, 1) == len)
		return GOT;
	free(*text);
	*text = NULL;
	return NO_MEMORY;
}

/* The string types of X.520 attributes (RFC 5280 4.1.2.4), and others that occur in practice. */
static bool is_string(const ASN1_STRING *string)
{
	switch (ASN1_STRING_type(string)) {
	case V_ASN1_UTF8STRING:
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_T61STRING:
	case V_ASN1_BMPSTRING:
	case V_ASN1_UNIVERSALSTRING:
	case V_ASN1_IA5STRING:
	case V_ASN1_NUMERICSTRING:
	case V_ASN1_VISIBLESTRING:
		return true;
	default:
		return false;
	}
}

/* An undecodable string raises an error of the ASN.1 library. Any other failure is a failed allocation, whether OpenSSL
 * reports it as such (3.0), as an internal failure (3.5), or not at all. */
static enum got read_value(const ASN1_STRING *string, char **value)
{
	unsigned char *utf8 = NULL;

	if (!is_string(string))
		return UNUSABLE;
	ERR_clear_error();
	int len = ASN1_STRING_to_UTF8(&utf8, string);
	if (len < 0)
		return ERR_peek_error() == 0 || ERR_COMMON_ERROR(ERR_peek_last_error()) ? NO_MEMORY : UNUSABLE;
	enum got got = copy_text(utf8, (size_t)len, false, value);
	OPENSSL_free(utf8);
	return got;
}

static enum got read_attribute(const X509_NAME_ENTRY *entry, struct tls_attribute *attribute)
{
	const ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(entry);
	int nid = OBJ_obj2nid(object);
	enum got got = oid_text(object, &attribute->oid);

	if (got != GOT)
		return got;
	attribute->type = strdup(nid != NID_undef ? OBJ_nid2sn(nid) : attribute->oid);
	return attribute->type != NULL ? read_value(X509_NAME_ENTRY_get_data(entry), &attribute->value) : NO_MEMORY;
}

static void free_attribute(struct tls_attribute *attribute)
{
	free(attribute->type);
	free(attribute->oid);
	free(attribute->value);
	*attribute = (struct tls_attribute){0};
}

static bool read_name(const X509_NAME *from, struct tls_name *name)
{
	int entries = X509_NAME_entry_count(from);

	name->whole = true;
	name->attributes = calloc((size_t)entries + 1, sizeof(*name->attributes));
	if (name->attributes == NULL)
		return false;
	for (int i = 0; i < entries; i++) {
		struct tls_attribute *next = &name->attributes[name->count];
		enum got got = read_attribute(X509_NAME_get_entry(from, i), next);
		if (got != GOT)
			free_attribute(next);
		if (got == NO_MEMORY)
			return false;
		name->count += got == GOT;
		name->whole = name->whole && got == GOT;
	}
	return true;
}

static enum got ip_text(const ASN1_OCTET_STRING *address, char **text)
{
	char written[IP_TEXT];
	int len = ASN1_STRING_length(address);

	if ((len != 4 && len != 16) ||
	    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), written, sizeof(written)) == NULL)
		return UNUSABLE;
	*text = strdup(written);
	return *text != NULL ? GOT : NO_MEMORY;
}

static enum got read_san(const GENERAL_NAME *name, struct tls_san *san)
{
	switch (name->type) {
	case GEN_DNS:
		san->kind = TLS_SAN_DNS;
		break;
	case GEN_EMAIL:
		san->kind = TLS_SAN_EMAIL;
		break;
	case GEN_URI:
		san->kind = TLS_SAN_URI;
		break;
	case GEN_IPADD:
		san->kind = TLS_SAN_IP;
		return ip_text(name->d.iPAddress, &san->text);
	default:
		return UNUSABLE;
	}
	return copy_text(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5), true, &san->text);
}

/* Whether the last failure was a failed allocation. Undecodable values raise an error of the ASN.1 library first. */
static bool is_no_memory(void)
{
	return ERR_peek_error() == 0 || ERR_COMMON_ERROR(ERR_peek_error());
}

/* Decodes an extension. *value is NULL if the certificate has none, has it twice, or has one that cannot be decoded.
 * False: out of memory. */
static bool read_extension(const X509 *x509, int nid, void **value)
{
	int critical = ABSENT;

	ERR_clear_error();
	*value = X509_get_ext_d2i(x509, nid, &critical, NULL);
	return *value != NULL || critical == ABSENT || critical == REPEATED || !is_no_memory();
}

static bool read_sans(const X509 *x509, struct tls_details *details)
{
	void *value;
	bool good = read_extension(x509, NID_subject_alt_name, &value);
	GENERAL_NAMES *names = value;
	int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;

	details->sans = calloc((size_t)count + 1, sizeof(*details->sans));
	good = good && details->sans != NULL;
	for (int i = 0; i < count && good; i++) {
		enum got got = read_san(sk_GENERAL_NAME_value(names, i), &details->sans[details->san_count]);
		details->san_count += got == GOT;
		good = got != NO_MEMORY;
	}
	GENERAL_NAMES_free(names);
	return good;
}

static bool read_ekus(const X509 *x509, struct tls_details *details)
{
	void *value;
	bool good = read_extension(x509, NID_ext_key_usage, &value);
	EXTENDED_KEY_USAGE *usages = value;
	int count = usages != NULL ? sk_ASN1_OBJECT_num(usages) : 0;

	details->ekus = calloc((size_t)count + 1, sizeof(*details->ekus));
	good = good && details->ekus != NULL;
	for (int i = 0; i < count && good; i++) {
		enum got got = oid_text(sk_ASN1_OBJECT_value(usages, i), &details->ekus[details->eku_count]);
		details->eku_count += got == GOT;
		good = got != NO_MEMORY;
	}
	EXTENDED_KEY_USAGE_free(usages);
	return good;
}

static bool read_serial(const X509 *x509, struct tls_details *details)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
	char *hex = number != NULL ? BN_bn2hex(number) : NULL;

	if (hex != NULL)
		details->serial = strdup(BN_is_zero(number) ? "00" : hex);
	OPENSSL_free(hex);
	BN_free(number);
	return details->serial != NULL;
}

/* A time that cannot be decoded is empty, and 0. False: out of memory. */
static bool read_time(const ASN1_TIME *time, char *text, size_t room, int64_t *seconds)
{
	struct tm parts;

	if (ASN1_TIME_to_tm(time, &parts) != 1)
		return true;
	*seconds = timegm(&parts);
	BIO *bio = BIO_new(BIO_s_mem());
	bool good = bio != NULL && ASN1_TIME_print(bio, time) == 1;
	int len = good ? BIO_read(bio, text, (int)room - 1) : -1;

	BIO_free(bio);
	text[len > 0 ? len : 0] = '\0';
	return len > 0;
}

/* The number of certificates in the chain: without the client's own and the root (RFC 9440 2.3). */
static int chain_length(const STACK_OF(X509) * path)
{
	int count = path != NULL ? sk_X509_num(path) : 0;

	if (count > 0 && X509_self_signed(sk_X509_value(path, count - 1), 0) == 1)
		count--;
	return count > 0 ? count - 1 : 0;
}

static bool read_chain(const STACK_OF(X509) * path, struct tls_details *details)
{
	int count = chain_length(path);
	size_t bytes = 0;

	for (int i = 1; i <= count; i++) {
		int len = i2d_X509(sk_X509_value(path, i), NULL);
		if (len <= 0)
			return false;
		bytes += (size_t)len;
	}
	details->chain_cut = count > TLS_CHAIN_MAX || bytes > TLS_CHAIN_BYTES_MAX;
	if (details->chain_cut)
		return true;
	for (int i = 1; i <= count; i++) {
		struct tls_der *next = &details->chain[details->chain_count++];
		int len = i2d_X509(sk_X509_value(path, i), &next->bytes);
		if (len <= 0)
			return false;
		next->len = (size_t)len;
	}
	return true;
}

struct tls_details *tls_details_new(const struct tls_certificate *certificate)
{
	struct tls_details *details = calloc(1, sizeof(*details));
	const X509 *x509 = tls_certificate_x509(certificate);

	if (details == NULL)
		return NULL;
	if (!read_name(X509_get_subject_name(x509), &details->subject) ||
	    !read_name(X509_get_issuer_name(x509), &details->issuer) || !read_sans(x509, details) ||
	    !read_ekus(x509, details) || !read_serial(x509, details) ||
	    !read_time(X509_get0_notBefore(x509), details->not_before, sizeof(details->not_before), &details->from_s) ||
	    !read_time(X509_get0_notAfter(x509), details->not_after, sizeof(details->not_after), &details->until_s) ||
	    !read_chain(tls_certificate_path(certificate), details))
		tls_details_free(&details);
	ERR_clear_error();
	return details;
}

static void free_name(struct tls_name *name)
{
	for (size_t i = 0; i < name->count; i++)
		free_attribute(&name->attributes[i]);
	free(name->attributes);
}

void tls_details_free(struct tls_details **details)
{
	struct tls_details *gone = *details;

	*details = NULL;
	if (gone == NULL)
		return;
	free_name(&gone->subject);
	free_name(&gone->issuer);
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
