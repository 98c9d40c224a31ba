/* What is wrong with a client's own certificate is found before any server is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "tls/fitness.h"

#define NOW 1750000000
#define DAY 86400

struct kind {
	long from, until;     /* seconds from NOW */
	const char *extended; /* NULL: no extension */
	const char *usage;
	bool weak_key, weak_digest, self_issued;
};

static const struct kind good = {.from = -DAY, .until = DAY};

static void add(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = value != NULL ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

	if (value == NULL)
		return;
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static X509 *make(const struct kind *kind)
{
	EVP_PKEY *key = kind->weak_key ? EVP_RSA_gen(1024) : EVP_EC_gen("P-256");
	X509 *made = X509_new();
	X509_NAME *issuer = X509_NAME_new();

	assert_true(key != NULL && made != NULL && issuer != NULL);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
						    (const unsigned char *)"me", -1, -1, 0),
			 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_ASC,
						    (const unsigned char *)(kind->self_issued ? "me" : "CA"), -1, -1,
						    0),
			 1);
	assert_int_equal(X509_set_version(made, X509_VERSION_3), 1);
	assert_int_equal(X509_set_issuer_name(made, issuer), 1);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(made), NOW + kind->from));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(made), NOW + kind->until));
	assert_int_equal(X509_set_pubkey(made, key), 1);
	add(made, NID_ext_key_usage, kind->extended);
	add(made, NID_key_usage, kind->usage);
	assert_true(X509_sign(made, key, kind->weak_digest ? EVP_sha1() : EVP_sha256()) > 0);
	X509_NAME_free(issuer);
	EVP_PKEY_free(key);
	return made;
}

static void check(const struct kind *own, const struct kind *sent, const char *has)
{
	X509 *certificate = make(own);
	STACK_OF(X509) *chain = sent != NULL ? sk_X509_new_null() : NULL;
	char text[TLS_FITNESS_ROOM] = "before";

	if (sent != NULL)
		assert_int_equal(sk_X509_push(chain, make(sent)), 1);
	assert_int_equal(
		tls_fitness_fault(&(struct tls_key_pair){.certificate = certificate, .chain = chain}, NOW, text),
		has != NULL);
	if (has == NULL)
		assert_string_equal(text, "");
	else if (strstr(text, has) == NULL)
		fail_msg("'%s' lacks '%s'", text, has);
	assert_int_equal(ERR_peek_error(), 0);
	sk_X509_pop_free(chain, X509_free);
	X509_free(certificate);
}

static void a_valid_certificate_has_no_fault(void **state)
{
	(void)state;
	check(&good, NULL, NULL);
	check(&(struct kind){.from = -DAY, .until = DAY, .extended = "clientAuth", .usage = "digitalSignature"}, &good,
	      NULL);
	check(&(struct kind){.from = -DAY, .until = DAY, .extended = "serverAuth,clientAuth"}, NULL, NULL);
	check(&(struct kind){.from = -DAY, .until = DAY, .extended = "anyExtendedKeyUsage"}, NULL, NULL);
}

static void each_fault_is_named(void **state)
{
	static const struct {
		struct kind kind;
		const char *has;
	} cases[] = {
		{{.from = -2L * DAY, .until = -DAY}, "your certificate expired on 2025-06-14 "},
		{{.from = DAY, .until = 2L * DAY}, "your certificate is not valid before 2025-06-16 "},
		{{.from = -DAY, .until = DAY, .extended = "serverAuth"}, "no clientAuth"},
		{{.from = -DAY, .until = DAY, .extended = "emailProtection"}, "no clientAuth"},
		{{.from = -DAY, .until = DAY, .usage = "keyEncipherment"}, "no digitalSignature"},
		{{.from = -DAY, .until = DAY, .weak_key = true}, "RSA, 1024 bits"},
		{{.from = -DAY, .until = DAY, .weak_digest = true}, "weak digest (sha1)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i].kind, NULL, cases[i].has);
}

static void a_ca_certificate_that_is_sent_has_faults_of_its_own(void **state)
{
	(void)state;
	check(&good, &(struct kind){.from = -2L * DAY, .until = -DAY}, "sent with yours expired");
	check(&good, &(struct kind){.from = -DAY, .until = DAY, .weak_key = true}, "sent with yours has a weak key");
	check(&good, &(struct kind){.from = -DAY, .until = DAY, .usage = "keyCertSign"}, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_valid_certificate_has_no_fault),
		cmocka_unit_test(each_fault_is_named),
		cmocka_unit_test(a_ca_certificate_that_is_sent_has_faults_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
