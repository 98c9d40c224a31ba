/* A certificate as plain data: what is read, what is left out, and that want of memory never passes for less text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tls/certificate.h"
#include "tls/details.h"

#include "certificate_world.h"

#define UTF8 V_ASN1_UTF8STRING
#define END                      \
	{                        \
		NULL, 0, NULL, 0 \
	}

/* ---- allocations that fail on demand: ours by the linker's --wrap, OpenSSL's by its own hook ---- */

static unsigned long fail_at, allocations;

static bool fails(void)
{
	return ++allocations == fail_at;
}

#define WRAPPED(result, name, parameters, arguments)             \
	result __real_##name parameters;                         \
	result __wrap_##name parameters;                         \
	result __wrap_##name parameters                          \
	{                                                        \
		return fails() ? NULL : __real_##name arguments; \
	}

WRAPPED(void *, malloc, (size_t size), (size))
WRAPPED(void *, calloc, (size_t count, size_t size), (count, size))
WRAPPED(char *, strdup, (const char *text), (text))
WRAPPED(char *, strndup, (const char *text, size_t len), (text, len))

static void *library_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : __real_malloc(size);
}

static void *library_realloc(void *at, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : realloc(at, size);
}

static void library_free(void *at, const char *file, int line)
{
	(void)file;
	(void)line;
	free(at);
}

/* ---- */

static EVP_PKEY *key;

static int make_key(void **state)
{
	(void)state;
	key = world_key();
	return key == NULL;
}

static int free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

static struct tls_certificate *certificate_of(const struct world_wish *wish)
{
	X509 *x509 = world_certificate(wish, key, NULL, NULL, false);
	struct tls_certificate *certificate = tls_certificate_new(x509, NULL);

	assert_non_null(certificate);
	X509_free(x509);
	return certificate;
}

static struct tls_details *details_of(const struct world_wish *wish)
{
	struct tls_certificate *certificate = certificate_of(wish);
	struct tls_details *details = tls_details_new(certificate);

	assert_non_null(details);
	tls_certificate_free(&certificate);
	return details;
}

static void assert_attribute(const struct tls_name *name, size_t i, const char *type, const char *oid,
			     const char *value)
{
	assert_in_range(i, 0, name->count - 1);
	assert_string_equal(name->attributes[i].type, type);
	assert_string_equal(name->attributes[i].oid, oid);
	assert_string_equal(name->attributes[i].value, value);
}

static const struct world_attribute rich_subject[] = {
	{"C", V_ASN1_PRINTABLESTRING, "DE", 0},
	{"O", UTF8, "Example, Ltd", 0},
	{"OU", UTF8, "one", 0},
	{"OU", V_ASN1_BMPSTRING, "\x04\x14\x04\x30", 4},
	{"1.2.840.9999.1", UTF8, "private", 0},
	{"CN", V_ASN1_T61STRING, "J\xFCrgen", 0},
	{"emailAddress", V_ASN1_IA5STRING, "j@example.org", 0},
	{"serialNumber", V_ASN1_PRINTABLESTRING, "42", 0},
	{"title", UTF8, "", 0},
	END,
};
static const struct world_san rich_sans[] = {
	{GEN_DNS, "a.example", 0},
	{GEN_EMAIL, "j@example.org", 0},
	{GEN_URI, "spiffe://example.org/ns/a", 0},
	{GEN_IPADD, "\x0A\x01\x02\x03", 4},
	{GEN_RID, "1.2.3", 0},
	{GEN_IPADD, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16},
	{GEN_DNS, "b.example", 0},
	{0, NULL, 0},
};
static const struct world_wish rich = {
	.subject = rich_subject, .sans = rich_sans, .eku = "clientAuth,1.2.3.4.5.6", .serial = 0xA1B2C};

static void all_of_it_is_read(void **state)
{
	(void)state;
	struct tls_details *details = details_of(&rich);
	const struct tls_name *subject = &details->subject;

	assert_int_equal(subject->count, 9);
	assert_true(subject->whole && details->issuer.whole);
	assert_attribute(subject, 0, "C", "2.5.4.6", "DE");
	assert_attribute(subject, 1, "O", "2.5.4.10", "Example, Ltd");
	assert_attribute(subject, 2, "OU", "2.5.4.11", "one");
	assert_attribute(subject, 3, "OU", "2.5.4.11", "\xD0\x94\xD0\xB0");
	assert_attribute(subject, 4, "1.2.840.9999.1", "1.2.840.9999.1", "private");
	assert_attribute(subject, 5, "CN", "2.5.4.3", "J\xC3\xBCrgen");
	assert_attribute(subject, 6, "emailAddress", "1.2.840.113549.1.9.1", "j@example.org");
	assert_attribute(subject, 7, "serialNumber", "2.5.4.5", "42");
	assert_attribute(subject, 8, "title", "2.5.4.12", "");
	assert_int_equal(details->issuer.count, 9);
	assert_int_equal(details->san_count, 6);
	static const struct {
		enum tls_san_kind kind;
		const char *text;
	} sans[] = {
		{TLS_SAN_DNS, "a.example"},
		{TLS_SAN_EMAIL, "j@example.org"},
		{TLS_SAN_URI, "spiffe://example.org/ns/a"},
		{TLS_SAN_IP, "10.1.2.3"},
		{TLS_SAN_IP, "2001:db8::1"},
		{TLS_SAN_DNS, "b.example"},
	};
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(details->sans[i].kind, sans[i].kind);
		assert_string_equal(details->sans[i].text, sans[i].text);
	}
	assert_int_equal(details->eku_count, 2);
	assert_string_equal(details->ekus[0], "1.3.6.1.5.5.7.3.2");
	assert_string_equal(details->ekus[1], "1.2.3.4.5.6");
	assert_string_equal(details->serial, "0A1B2C");
	assert_string_equal(details->not_before, "Nov 23 18:51:32 2026 GMT");
	assert_string_equal(details->not_after, "Dec  1 00:00:00 2049 GMT");
	assert_int_equal(details->chain_count, 0);
	assert_false(details->chain_cut);
	tls_details_free(&details);
	assert_null(details);
	tls_details_free(&details);
}

static void the_least_certificate_has_little(void **state)
{
	(void)state;
	static const struct world_attribute nobody[] = {END};
	struct tls_details *details = details_of(&(struct world_wish){.subject = nobody});

	assert_int_equal(details->subject.count + details->issuer.count + details->san_count + details->eku_count, 0);
	assert_true(details->subject.whole);
	assert_string_equal(details->serial, "00");
	tls_details_free(&details);
	details = details_of(&(struct world_wish){.serial = -300});
	assert_string_equal(details->serial, "-012C");
	tls_details_free(&details);
}

/* Bytes that no text can be: the attribute is left out, and the name says that it is not whole. */
static void values_that_are_not_text_are_omitted(void **state)
{
	(void)state;
	static const struct world_attribute bad[] = {
		{"CN", UTF8, "admin\0.evil", 11},          {"CN", V_ASN1_IA5STRING, "\0", 1},
		{"CN", UTF8, "a\r\nX-Role: admin", 0},     {"CN", UTF8, "a\x7F", 0},
		{"CN", V_ASN1_BMPSTRING, "\0a\0\0\0b", 6}, {"CN", V_ASN1_PRINTABLESTRING, "\t", 0},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct world_attribute subject[] = {
			{"O", UTF8, "before", 0}, bad[i], {"OU", UTF8, "behind", 0}, END};
		struct tls_details *details = details_of(&(struct world_wish){.subject = subject});
		assert_false(details->subject.whole || details->issuer.whole);
		assert_int_equal(details->subject.count, 2);
		assert_attribute(&details->subject, 0, "O", "2.5.4.10", "before");
		assert_attribute(&details->subject, 1, "OU", "2.5.4.11", "behind");
		tls_details_free(&details);
	}
}

/* What the reading rests on: OpenSSL takes no name whose text cannot be converted to UTF-8. */
static void invalid_utf8_yields_no_name(void **state)
{
	(void)state;
	static const struct world_attribute bad[] = {
		{"CN", UTF8, "\xC3", 0},
		{"CN", UTF8, "a\xFFz", 0},
		{"CN", UTF8, "\xED\xA0\x80", 0},
		{"CN", UTF8, "\xC0\xAE", 0},
		{"CN", V_ASN1_BMPSTRING, "\xD8\0\0a", 4},
		{"CN", V_ASN1_UNIVERSALSTRING, "\0\x11\0\0", 4},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct world_attribute subject[] = {bad[i], END};
		X509_NAME *name = X509_NAME_new();
		X509 *x509 = X509_new();
		world_name(name, subject);
		assert_int_equal(X509_set_subject_name(x509, name), 0);
		X509_free(x509);
		X509_NAME_free(name);
	}
}

static void alternative_names_that_are_not_text_are_omitted(void **state)
{
	(void)state;
	static const struct world_san sans[] = {
		{GEN_DNS, "a.example\0.evil", 15},
		{GEN_DNS, "\xC3\xBC.example", 0},
		{GEN_EMAIL, "a@b\r\nc", 0},
		{GEN_URI, "https://\x7F", 0},
		{GEN_IPADD, "\x0A\x01\x02", 3},
		{GEN_IPADD, "\x0A\0\0\0\xFF\0\0\0", 8},
		{GEN_DNS, "good.example", 0},
		{GEN_URI, "spiffe://\xFF\xFE", 0},
		{GEN_EMAIL, "\0", 1},
		{0, NULL, 0},
	};
	struct tls_details *details = details_of(&(struct world_wish){.sans = sans});

	assert_int_equal(details->san_count, 1);
	assert_string_equal(details->sans[0].text, "good.example");
	tls_details_free(&details);
}

static void add_raw(X509 *x509, int nid, const char *bytes, size_t len)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

	assert_int_equal(ASN1_OCTET_STRING_set(value, (const unsigned char *)bytes, (int)len), 1);
	X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, value);
	assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
}

/* Such a certificate is rejected; the program may still read what can be read of it. */
static void what_cannot_be_decoded_is_omitted(void **state)
{
	static const char broken[] = "\x30\x05zz", empty[] = "\x30\x00";

	(void)state;
	for (int which = 0; which < 4; which++) {
		X509 *x509 = world_certificate(&(struct world_wish){.serial = 5}, key, NULL, NULL, false);
		if (which == 0)
			add_raw(x509, NID_subject_alt_name, broken, 4);
		if (which == 1)
			add_raw(x509, NID_ext_key_usage, broken, 4);
		for (int i = 0; i < 2 && which == 2; i++)
			add_raw(x509, NID_subject_alt_name, empty, 2);
		if (which == 3)
			assert_int_equal(ASN1_STRING_set(X509_getm_notAfter(x509), "garbage", 7), 1);
		struct tls_certificate *certificate = tls_certificate_new(x509, NULL);
		struct tls_details *details = tls_details_new(certificate);
		assert_non_null(details);
		assert_string_equal(details->serial, "05");
		assert_int_equal(details->san_count + details->eku_count, 0);
		assert_true(details->from_s > 0);
		assert_int_equal(details->until_s == 0, which == 3);
		assert_int_equal(details->not_after[0] == '\0', which == 3);
		tls_details_free(&details);
		tls_certificate_free(&certificate);
		X509_free(x509);
	}
}

/* The public text of a name can be written whatever its bytes are, and is never ended early by them. */
static void a_name_is_always_written(void **state)
{
	(void)state;
	static const struct {
		struct world_attribute attribute;
		const char *text;
	} cases[] = {
		{{"CN", UTF8, "J\xC3\xBCrgen", 0}, "CN=J\xC3\xBCrgen"},
		{{"CN", UTF8, "a,b+c\"d\\e<f>g;h", 0}, "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h"},
		{{"CN", UTF8, " #a ", 0}, "CN=\\ #a\\ "},
		{{"CN", UTF8, "#a", 0}, "CN=\\#a"},
		{{"CN", UTF8, "admin\0.evil", 11}, "CN=admin\\00.evil"},
		{{"CN", UTF8, "a\r\nb", 0}, "CN=a\\0D\\0Ab"},
		{{"1.2.840.9999.1", UTF8, "a", 0}, "1.2.840.9999.1=#0C0161"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct world_attribute subject[] = {cases[i].attribute, END};
		struct tls_certificate *certificate = certificate_of(&(struct world_wish){.subject = subject});
		assert_string_equal(tls_certificate_identity(certificate)->subject, cases[i].text);
		assert_string_equal(tls_certificate_identity(certificate)->issuer, cases[i].text);
		tls_certificate_free(&certificate);
	}
}

static void digest_covers_the_whole_certificate(void **state)
{
	(void)state;
	struct tls_certificate *a = certificate_of(&(struct world_wish){.serial = 1}),
			       *b = certificate_of(&(struct world_wish){.serial = 2}), *again;
	const struct tls_identity *identity = tls_certificate_identity(a);
	const unsigned char *der = identity->certificate;
	uint8_t sha256[32];
	char hex[65];
	X509 *x509 = d2i_X509(NULL, &der, (long)identity->certificate_len);

	assert_non_null(x509);
	assert_ptr_equal(der, identity->certificate + identity->certificate_len);
	assert_int_equal(EVP_Digest(identity->certificate, identity->certificate_len, sha256, NULL, EVP_sha256(), NULL),
			 1);
	assert_memory_equal(identity->sha256, sha256, sizeof(sha256));
	for (size_t i = 0; i < sizeof(sha256); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sha256[i]);
	assert_string_equal(identity->sha256_hex, hex);
	again = tls_certificate_new(x509, NULL);
	assert_true(tls_certificate_equal(a, again));
	assert_false(tls_certificate_equal(a, b));
	X509_free(x509);
	tls_certificate_free(&a);
	tls_certificate_free(&b);
	tls_certificate_free(&again);
	assert_null(a);
	tls_certificate_free(&a);
}

/* ---- the chain ---- */

/* A path of that many certificates, its last one signed by itself if root is set; each with padding in it. */
static STACK_OF(X509) * path_of(int count, bool root, int padding)
{
	STACK_OF(X509) *path = sk_X509_new_null();
	X509 *above = world_certificate(&(struct world_wish){.ca = true, .serial = 1, .padding = padding}, key, NULL,
					NULL, false);

	if (root)
		assert_true(sk_X509_unshift(path, above) > 0);
	while (sk_X509_num(path) < count) {
		const struct world_attribute subject[] = {{"CN", UTF8, sk_X509_num(path) % 2 ? "odd" : "even", 0}, END};
		X509 *below =
			world_certificate(&(struct world_wish){.subject = subject, .ca = true, .padding = padding}, key,
					  sk_X509_num(path) > 0 ? sk_X509_value(path, 0) : above, key, false);
		assert_true(sk_X509_unshift(path, below) > 0);
	}
	if (!root)
		X509_free(above);
	return path;
}

static struct tls_details *details_with(STACK_OF(X509) * path)
{
	struct tls_certificate *certificate = tls_certificate_new(sk_X509_value(path, 0), path);
	struct tls_details *details = tls_details_new(certificate);

	assert_non_null(details);
	tls_certificate_free(&certificate);
	return details;
}

static void the_chain_is_what_is_between(void **state)
{
	(void)state;
	static const struct {
		int count;
		bool root;
		int padding;
		size_t kept;
		bool cut;
	} cases[] = {
		{1, true, 0, 0, false},     {1, false, 0, 0, false},    {2, true, 0, 0, false},
		{2, false, 0, 1, false},    {3, true, 0, 1, false},     {4, true, 0, 2, false},
		{10, true, 0, 8, false},    {11, true, 0, 0, true},     {9, false, 0, 8, false},
		{10, false, 0, 0, true},    {3, true, 32000, 1, false}, {3, true, 33000, 0, true},
		{4, true, 15000, 2, false}, {4, true, 17000, 0, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		STACK_OF(X509) *path = path_of(cases[i].count, cases[i].root, cases[i].padding);
		struct tls_details *details = details_with(path);
		assert_int_equal(details->chain_count, cases[i].kept);
		assert_int_equal(details->chain_cut, cases[i].cut);
		for (size_t k = 0; k < details->chain_count; k++) {
			unsigned char *der = NULL;
			int len = i2d_X509(sk_X509_value(path, (int)k + 1), &der);
			assert_int_equal(details->chain[k].len, len);
			assert_memory_equal(details->chain[k].bytes, der, (size_t)len);
			OPENSSL_free(der);
		}
		tls_details_free(&details);
		sk_X509_pop_free(path, X509_free);
	}
}

/* ---- want of memory ---- */

static bool same_name(const struct tls_name *a, const struct tls_name *b)
{
	if (a->count != b->count || a->whole != b->whole)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->attributes[i].type, b->attributes[i].type) != 0 ||
		    strcmp(a->attributes[i].oid, b->attributes[i].oid) != 0 ||
		    strcmp(a->attributes[i].value, b->attributes[i].value) != 0)
			return false;
	return true;
}

static bool same_details(const struct tls_details *a, const struct tls_details *b)
{
	bool same = same_name(&a->subject, &b->subject) && same_name(&a->issuer, &b->issuer) &&
		    a->san_count == b->san_count && a->eku_count == b->eku_count && a->chain_count == b->chain_count &&
		    strcmp(a->serial, b->serial) == 0 && strcmp(a->not_before, b->not_before) == 0 &&
		    strcmp(a->not_after, b->not_after) == 0 && a->chain_cut == b->chain_cut;

	for (size_t i = 0; same && i < a->san_count; i++)
		same = a->sans[i].kind == b->sans[i].kind && strcmp(a->sans[i].text, b->sans[i].text) == 0;
	for (size_t i = 0; same && i < a->eku_count; i++)
		same = strcmp(a->ekus[i], b->ekus[i]) == 0;
	for (size_t i = 0; same && i < a->chain_count; i++)
		same = a->chain[i].len == b->chain[i].len &&
		       memcmp(a->chain[i].bytes, b->chain[i].bytes, a->chain[i].len) == 0;
	return same;
}

static void every_failed_allocation_is_reported(void **state)
{
	(void)state;
	X509 *x509 = world_certificate(&rich, key, NULL, NULL, false);
	STACK_OF(X509) *path = path_of(4, true, 0);
	struct tls_certificate *certificate = tls_certificate_new(x509, path);
	struct tls_details *whole = tls_details_new(certificate);
	unsigned long failed = 0, n;

	for (n = 1;; n++) {
		fail_at = allocations + n;
		struct tls_details *details = tls_details_new(certificate);
		bool over = allocations < fail_at;
		fail_at = 0;
		failed += details == NULL;
		assert_true(details == NULL || same_details(details, whole));
		tls_details_free(&details);
		if (over)
			break;
	}
	assert_true(failed > 40 && failed + 1 == n);
	for (n = 1, failed = 0;; n++) {
		fail_at = allocations + n;
		struct tls_certificate *made = tls_certificate_new(x509, path);
		bool over = allocations < fail_at;
		fail_at = 0;
		failed += made == NULL;
		if (made != NULL)
			assert_string_equal(tls_certificate_identity(made)->subject,
					    tls_certificate_identity(certificate)->subject);
		tls_certificate_free(&made);
		if (over)
			break;
	}
	assert_true(failed > 5);
	tls_details_free(&whole);
	tls_certificate_free(&certificate);
	sk_X509_pop_free(path, X509_free);
	X509_free(x509);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_read),
		cmocka_unit_test(the_least_certificate_has_little),
		cmocka_unit_test(values_that_are_not_text_are_omitted),
		cmocka_unit_test(invalid_utf8_yields_no_name),
		cmocka_unit_test(alternative_names_that_are_not_text_are_omitted),
		cmocka_unit_test(what_cannot_be_decoded_is_omitted),
		cmocka_unit_test(a_name_is_always_written),
		cmocka_unit_test(digest_covers_the_whole_certificate),
		cmocka_unit_test(the_chain_is_what_is_between),
		cmocka_unit_test(every_failed_allocation_is_reported),
	};

	if (CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) != 1)
		return 1;
	return cmocka_run_group_tests(tests, make_key, free_key);
}
