/* Each allocation fails in turn while a certificate and its key are read: that is told, and nothing else that would be
 * no fault of the files or of who was asked. */
#include "credentials_world.h"

#include "../fault/alloc.h"

/* Spread over all allocations. Most of a PKCS #12 file's turn a pass phrase into a key, which takes time. */
#define RUNS        400
#define PKCS12_RUNS 80

static const struct kind {
	const char *certificate, *key, *pkcs12;
	int chain, asked;
} kinds[] = {
	{"client.pem", "client.key", NULL, 0, 0}, {"all.pem", NULL, NULL, 1, 0},
	{"client.pem", "locked.key", NULL, 0, 1}, {"client.pem", "old.key", NULL, 0, 1},
	{NULL, NULL, "secret.p12", 1, 1},         {NULL, NULL, "empty.p12", 1, 0},
	{NULL, NULL, "none.p12", 0, 0},
};
static const struct kind *kind;
static unsigned failed;

/* What would send somebody looking for a fault that is not there. */
static void check_words(const struct thaw_error *err)
{
	static const char *const false_ones[] = {
		"pass phrase", "not that of the certificate", "more than", "it has no", "outdated", "nobody"};

	assert_int_not_equal(err->cls, THAW_ERR_NONE);
	assert_int_not_equal(err->text[0], '\0');
	for (size_t i = 0; i < sizeof(false_ones) / sizeof(false_ones[0]); i++)
		if (strstr(err->text, false_ones[i]) != NULL)
			fail_msg("allocation %lu: %s", fault_count(), err->text);
}

static void check_whole(const struct tls_credentials *credentials)
{
	STACK_OF(X509) *sent = NULL;
	char name[64] = "";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct thaw_error err = {0};

	assert_int_equal(tls_credentials_use(credentials, ctx, &err), THAW_OK);
	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_CTX_get0_certificate(ctx)), NID_commonName, name,
					sizeof(name));
	assert_string_equal(name, "Thaw Demo Client");
	assert_int_equal(SSL_CTX_check_private_key(ctx), 1);
	assert_int_equal(SSL_CTX_get0_chain_certs(ctx, &sent), 1);
	assert_int_equal(sent != NULL ? sk_X509_num(sent) : 0, kind->chain);
	SSL_CTX_free(ctx);
}

static void read_them(bool failing)
{
	struct tls_credentials_source source = {.certificate = kind->certificate != NULL ? in(kind->certificate) : NULL,
						.key = kind->key != NULL ? in(kind->key) : NULL,
						.pkcs12 = kind->pkcs12 != NULL ? in(kind->pkcs12) : NULL,
						.secret = person};
	struct thaw_error err;

	fault_inside(true);
	struct tls_credentials *credentials = load(source, "secret", &err);
	fault_inside(false);
	assert_true(credentials != NULL || (failing && fault_happened()));
	assert_true(times <= kind->asked);
	assert_int_equal(ERR_peek_error(), 0);
	failed += credentials == NULL;
	if (credentials != NULL)
		check_whole(credentials);
	else
		check_words(&err);
	tls_credentials_free(&credentials);
}

static void credentials_without_memory(void **state)
{
	(void)state;
	for (kind = kinds; kind < kinds + sizeof(kinds) / sizeof(kinds[0]); kind++) {
		unsigned long runs = kind->pkcs12 != NULL ? PKCS12_RUNS : RUNS;
		read_them(false); /* the first one fills OpenSSL's own stores */
		fault_arm(0);
		read_them(false);
		assert_true(fault_count() > runs);
		failed = 0;
		(void)fault_each(read_them, fault_count() / runs);
		assert_true(failed > 3);
		read_them(false); /* with memory again */
	}
}

static int set_up(void **state)
{
	(void)state;
	if (make_files() != 0)
		return -1;
	write_pkcs12("secret.p12", "secret", true, true);
	write_pkcs12("empty.p12", "", true, true);
	write_pkcs12("none.p12", NULL, true, false);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_without_memory),
	};

	(void)alarm(600); /* a watchdog */
	if (!fault_install())
		return 1;
	return cmocka_run_group_tests(tests, set_up, drop_files);
}
