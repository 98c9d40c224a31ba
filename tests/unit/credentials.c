/* Where a client's certificate and key may come from, and what is said when they cannot be read. Tokens are SoftHSM's.
 */
#include "credentials_world.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN    "4711"
#define TOKEN  "pkcs11:token=thaw;object=client"
#define AT     "?module-path=" MODULE

/* They are the client's, and a context takes them with a chain of so many. */
static void check_good(struct tls_credentials **credentials, const struct thaw_error *err, int chain)
{
	STACK_OF(X509) *sent = NULL;
	char name[64] = "";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct thaw_error why = {0};

	assert_string_equal(err->text, "");
	assert_non_null(*credentials);
	assert_int_equal(tls_credentials_use(*credentials, ctx, &why), THAW_OK);
	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_CTX_get0_certificate(ctx)), NID_commonName, name,
					sizeof(name));
	assert_string_equal(name, "Thaw Demo Client");
	assert_int_equal(SSL_CTX_check_private_key(ctx), 1);
	assert_int_equal(SSL_CTX_get0_chain_certs(ctx, &sent), 1);
	assert_int_equal(sent != NULL ? sk_X509_num(sent) : 0, chain);
	SSL_CTX_free(ctx);
	tls_credentials_free(credentials);
	assert_null(*credentials);
}

static void check_bad(const struct tls_credentials *credentials, const struct thaw_error *err, const char *begins,
		      const char *has)
{
	assert_null(credentials);
	assert_int_equal(err->cls, THAW_ERR_CONFIG);
	if (strncmp(err->text, begins, strlen(begins)) != 0 || strstr(err->text, has) == NULL)
		fail_msg("'%s' does not begin with '%s', or has no '%s'", err->text, begins, has);
	assert_int_equal(ERR_peek_error(), 0);
}

/* A token with the client's key and certificate under one label. */
static bool make_token(void)
{
	char commands[2048];

	write_text("softhsm.conf",
		   "log.level = ERROR\nobjectstore.backend = file\nslots.removable = false\ndirectories.tokendir = ");
	FILE *file = fopen(in("softhsm.conf"), "a");
	if (file == NULL || fprintf(file, "%s\n", in("tokens")) < 0 || fclose(file) != 0 ||
	    mkdir(in("tokens"), 0700) != 0 || setenv("SOFTHSM2_CONF", in("softhsm.conf"), 1) != 0)
		return false;
	(void)snprintf(commands, sizeof(commands),
		       "cd %s && export ASAN_OPTIONS=detect_leaks=0 && exec >log 2>&1 </dev/null &&"
		       " softhsm2-util --init-token --free --label thaw --so-pin 12345678 --pin " PIN
		       " && softhsm2-util --import client.key --token thaw --label client --id 01 --pin " PIN
		       " && GNUTLS_PIN=" PIN " p11tool --provider=" MODULE " --login --write --batch --no-mark-private"
		       " --load-certificate client.pem --label client --id 01 pkcs11:token=thaw",
		       folder);
	return system(commands) == 0; /* NOLINT(cert-env33-c): nothing in it is from outside */
}

#define TWINS 4

/* Tokens with the client's pair and the server's under one label, in each order. */
static bool make_twins(void)
{
	static const char *const pairs[] = {"client", "server"};
	char commands[1024];

	for (unsigned i = 0; i < TWINS; i++) {
		int len = snprintf(commands, sizeof(commands),
				   "cd %s && export ASAN_OPTIONS=detect_leaks=0 GNUTLS_PIN=" PIN
				   " && exec >>log 2>&1 </dev/null"
				   " && softhsm2-util --init-token --free --label twin%u --so-pin 12345678 --pin " PIN,
				   folder, i);
		for (unsigned pair = 0; pair < 2; pair++) {
			unsigned key = (i ^ pair) & 1, certificate = ((i >> 1) ^ pair) & 1;
			len += snprintf(
				commands + len, sizeof(commands) - (size_t)len,
				" && softhsm2-util --import %s.key --token twin%u --label twin --id 0%u --pin " PIN
				" && p11tool --provider=" MODULE " --login --write --batch --no-mark-private"
				" --load-certificate %s.pem --label twin --id 0%u pkcs11:token=twin%u",
				pairs[key], i, key + 1, pairs[certificate], certificate + 1, i);
		}
		/* NOLINTNEXTLINE(cert-env33-c): nothing in it is from outside */
		if ((size_t)len >= sizeof(commands) || system(commands) != 0)
			return false;
	}
	return true;
}

/* Two tokens with a key under one label, and without a certificate. */
static bool make_lone_keys(void)
{
	char commands[1024];

	(void)snprintf(commands, sizeof(commands),
		       "cd %s && export ASAN_OPTIONS=detect_leaks=0 && exec >>log 2>&1 </dev/null && for i in 0 1; do"
		       " softhsm2-util --init-token --free --label lone$i --so-pin 12345678 --pin " PIN
		       " && softhsm2-util --import client.key --token lone$i --label lone --id 09 --pin " PIN
		       " || exit; done",
		       folder);
	return system(commands) == 0; /* NOLINT(cert-env33-c): nothing in it is from outside */
}

static int set_up(void **state)
{
	(void)state;
	/* All at once: the engine looks for tokens once. */
	return make_files() == 0 && make_token() && make_twins() && make_lone_keys() ? 0 : -1;
}

/* ---- PEM ---- */

static void pem_files(void **state)
{
	static const struct {
		const char *certificate, *key;
		int chain;
	} cases[] = {{"client.pem", "client.key", 0},
		     {"all.pem", NULL, 1},
		     {"all.pem", "client.key", 1},
		     {NULL, "all.pem", 1}};
	struct thaw_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_credentials *credentials = load(
			(struct tls_credentials_source){
				.certificate = cases[i].certificate != NULL ? in(cases[i].certificate) : NULL,
				.key = cases[i].key != NULL ? in(cases[i].key) : NULL},
			NULL, &err);
		check_good(&credentials, &err, cases[i].chain);
	}
}

static void the_pass_phrase_is_requested_once(void **state)
{
	static const char *const keys[] = {"locked.key", "old.key"};
	struct thaw_error err;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tls_credentials_source source = {
			.certificate = in("client.pem"), .key = in(keys[i]), .secret = person};
		struct tls_credentials *credentials = load(source, "secret", &err);
		check_good(&credentials, &err, 0);
		assert_int_equal(times, 1);
		assert_non_null(strstr(asked, source.key));
		check_bad(load(source, "wrong", &err), &err, source.key, "pass phrase is wrong");
		assert_int_equal(times, 1);
		assert_null(strstr(err.text, "\"wrong\""));
		check_bad(load(source, NULL, &err), &err, source.key, "no terminal");
		source.secret.ask = NULL;
		check_bad(load(source, NULL, &err), &err, source.key, "key_passphrase");
		source.setting.place = "thaw.yaml:7: key 'hosts[0].key'";
		check_bad(load(source, NULL, &err), &err, "thaw.yaml:7: key 'hosts[0].key': ", source.key);
	}
	struct tls_credentials *credentials = load(
		(struct tls_credentials_source){.certificate = in("locked-all.pem"), .secret = person}, "secret", &err);
	check_good(&credentials, &err, 0);
	assert_int_equal(times, 1);
}

static void what_cannot_be_loaded_is_named(void **state)
{
	static const struct {
		const char *certificate, *key, *named, *has;
	} cases[] = {
		{"none.pem", "client.key", "none.pem", "No such file"},
		{"client.pem", "none.key", "none.key", "No such file"},
		{"client.key", "client.key", "client.key", ""}, /* no certificate in it */
		{"client.pem", "client.pem", "client.pem", ""}, /* no key in it */
		{"client.pem", "server.key", "server.key", "not that of the certificate"},
	};
	struct thaw_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_bad(load((struct tls_credentials_source){.certificate = in(cases[i].certificate),
							       .key = in(cases[i].key)},
			       NULL, &err),
			  &err, in(cases[i].named), cases[i].has);
	assert_null(load((struct tls_credentials_source){.key = NULL}, NULL, &err));
	assert_int_equal(err.cls, THAW_ERR_USAGE);
}

static void a_chain_has_an_end(void **state)
{
	const char *names[35];
	struct thaw_error err;

	(void)state;
	for (size_t i = 0; i < 34; i++)
		names[i] = i == 0 ? "client.pem" : "ca.pem";
	names[34] = NULL;
	join("long.pem", names);
	struct tls_credentials_source source = {.certificate = in("long.pem"), .key = in("client.key")};
	check_bad(load(source, NULL, &err), &err, source.certificate, "more than 32");
	names[33] = NULL;
	join("long.pem", names);
	struct tls_credentials *credentials = load(source, NULL, &err);
	check_good(&credentials, &err, 32);
	write_text("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
	join("long.pem", (const char *[]){"client.pem", "broken.pem", NULL});
	check_bad(load(source, NULL, &err), &err, source.certificate, "");
}

/* OpenSSL's legacy provider writes them; none of these is a wrong pass phrase. */
static void outdated_algorithms_are_named(void **state)
{
	static const struct {
		const char *command, *has;
	} cases[] = {
		{"pkcs8 -topk8 -v1 PBE-SHA1-RC2-40", "RC2-40-CBC"},
		{"pkcs8 -topk8 -v1 PBE-MD5-DES", "PBKDF1"},
		{"pkcs8 -topk8 -v2 des", "DES-CBC"},
		{"pkcs8 -topk8 -v2 bf-cbc", "BF-CBC"},
		{"rsa -traditional -des", "DES-CBC"},
	};
	char command[512];
	struct thaw_error err;

	(void)state;
	(void)snprintf(command, sizeof(command), "openssl genrsa -out %s 2048 2>/dev/null", in("rsa.key"));
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): nothing in it is from outside */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(
			command, sizeof(command),
			"openssl %s -provider legacy -provider default -in %s -out %s -passout pass:secret 2>/dev/null",
			cases[i].command, in("rsa.key"), in("old.key"));
		assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): nothing in it is from outside */
		struct tls_credentials_source source = {
			.certificate = in("client.pem"), .key = in("old.key"), .secret = person};
		check_bad(load(source, "secret", &err), &err, source.key, cases[i].has);
		assert_null(strstr(err.text, "pass phrase is wrong"));
	}
}

static void pem_files_of_another_kind_are_named(void **state)
{
	struct tls_credentials_source source = {
		.certificate = in("client.pem"), .key = in("odd.key"), .secret = person};
	struct thaw_error err;

	(void)state;
	write_text("odd.key", "");
	check_bad(load(source, "secret", &err), &err, source.key, "empty");
	write_text("odd.key", "0\x82\x01\x01");
	check_bad(load(source, "secret", &err), &err, source.key, "not PEM");
	write_pkcs12("client.p12", "secret", true, false);
	source.key = in("client.p12");
	check_bad(load(source, "secret", &err), &err, source.key, "--pkcs12");
	source.key = in("odd.key");
	write_text("odd.key", "\xfe\xed\xfe\xed");
	check_bad(load(source, "secret", &err), &err, source.key, "keytool");
	source.certificate = in("odd.key");
	check_bad(load(source, "secret", &err), &err, source.certificate, "keytool");
	assert_int_equal(times, 0);
}

/* ---- PKCS #12 ---- */

static void pkcs12_files(void **state)
{
	static const struct {
		const char *pass_phrase;
		bool ca;
		int asked;
	} cases[] = {{"secret", true, 1}, {"secret", false, 1}, {"", true, 0}, {NULL, false, 0}};
	struct thaw_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_pkcs12("client.p12", cases[i].pass_phrase, true, cases[i].ca);
		struct tls_credentials *credentials = load(
			(struct tls_credentials_source){.pkcs12 = in("client.p12"), .secret = person}, "secret", &err);
		check_good(&credentials, &err, cases[i].ca);
		assert_int_equal(times, cases[i].asked);
	}
}

static void a_pkcs12_file_without_a_mac_is_refused(void **state)
{
	struct tls_credentials_source source = {.pkcs12 = in("nomac.p12"), .secret = person};
	char command[512];
	struct thaw_error err;

	(void)state;
	(void)snprintf(command, sizeof(command),
		       "openssl pkcs12 -export -nomac -in %s -inkey %s -out %s -passout pass:secret", in("client.pem"),
		       in("client.key"), in("nomac.p12"));
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): nothing in it is from outside */
	check_bad(load(source, "secret", &err), &err, source.pkcs12, "no MAC");
	assert_int_equal(times, 0);
}

static void pkcs12_files_that_do_not_serve(void **state)
{
	struct tls_credentials_source source = {.pkcs12 = in("bad.p12"), .secret = person};
	struct thaw_error err;

	(void)state;
	check_bad(load(source, "secret", &err), &err, source.pkcs12, "No such file");
	write_text("bad.p12", "no PKCS #12\n");
	check_bad(load(source, "secret", &err), &err, source.pkcs12, "");
	write_text("bad.p12", "");
	check_bad(load(source, "secret", &err), &err, source.pkcs12, "empty");
	join("bad.p12", (const char *[]){"client.pem", "client.key", NULL});
	check_bad(load(source, "secret", &err), &err, source.pkcs12, "it is PEM");
	write_text("bad.p12", "\xfe\xed\xfe\xed\x01");
	check_bad(load(source, "secret", &err), &err, source.pkcs12, "keytool");
	write_text("bad.p12", "MIIKLwIBAzCC");
	check_bad(load(source, "secret", &err), &err, source.pkcs12, "base64");
	assert_int_equal(times, 0);
	write_pkcs12("bad.p12", "secret", false, false);
	check_bad(load(source, "secret", &err), &err, source.pkcs12, "no private key");
	write_pkcs12("bad.p12", "secret", true, false);
	check_bad(load(source, "Secret", &err), &err, source.pkcs12, "pass phrase is wrong");
	assert_int_equal(times, 1);
	check_bad(load(source, NULL, &err), &err, source.pkcs12, "no terminal");
}

/* ---- PKCS #11 ---- */

static void a_key_on_a_token(void **state)
{
	struct thaw_error err;
	const struct tls_credentials_source sources[] = {
		{.certificate = TOKEN AT, .secret = person},
		{.key = TOKEN AT, .secret = person},
		{.certificate = TOKEN ";type=cert" AT, .secret = person},
		{.certificate = "pkcs11:token=thaw;id=%01" AT, .secret = person},
		{.certificate = in("client.pem"), .key = TOKEN AT, .secret = person},
		{.certificate = in("all.pem"), .key = TOKEN ";type=private" AT, .secret = person},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct tls_credentials *credentials = load(sources[i], PIN, &err);
		check_good(&credentials, &err, i == 5 ? 1 : 0);
	}
}

static void a_wrong_pin_is_not_tried_again(void **state)
{
	struct tls_credentials_source source = {.certificate = TOKEN AT, .secret = person};
	struct thaw_error err;

	(void)state;
	check_bad(load(source, "0000", &err), &err, "pkcs11:", "PIN is wrong");
	assert_int_equal(times, 1);
	assert_non_null(strstr(asked, "PIN"));
	assert_null(strstr(err.text, "0000"));
	check_bad(load(source, NULL, &err), &err, "pkcs11:", "no terminal");
	source.secret.ask = NULL;
	check_bad(load(source, NULL, &err), &err, "pkcs11:", "pin-source=file:");
}

static void a_pin_may_be_in_a_file(void **state)
{
	char uri[256];
	struct tls_credentials_source source = {.certificate = uri, .secret = person};
	struct thaw_error err;

	(void)state;
	(void)snprintf(uri, sizeof(uri), TOKEN AT "&pin-source=file:%s", in("no-pin"));
	check_bad(load(source, PIN, &err), &err, "pkcs11:", "no-pin: No such file");
	write_text("pin", "");
	(void)snprintf(uri, sizeof(uri), TOKEN AT "&pin-source=%s", in("pin"));
	check_bad(load(source, PIN, &err), &err, "pkcs11:", "empty");
	assert_int_equal(times, 0);
	write_text("pin", PIN "\n");
	for (int scheme = 0; scheme < 2; scheme++) {
		(void)snprintf(uri, sizeof(uri), TOKEN AT "&pin-source=%s%s", scheme ? "file:" : "", in("pin"));
		struct tls_credentials *credentials = load(source, NULL, &err);
		check_good(&credentials, &err, 0);
		assert_int_equal(times, 0);
	}
}

/* The certificate, which is not on a URI of several, says which key it is. */
static void of_several_keys_that_of_the_certificate_is_taken(void **state)
{
	char uri[256];
	struct tls_credentials *credentials;
	struct thaw_error err;

	(void)state;
	for (unsigned i = 0; i < TWINS; i++) {
		(void)snprintf(uri, sizeof(uri), "pkcs11:token=twin%u;object=twin" AT, i);
		credentials = load(
			(struct tls_credentials_source){.certificate = in("client.pem"), .key = uri, .secret = person},
			PIN, &err);
		check_good(&credentials, &err, 0);
		(void)snprintf(uri, sizeof(uri), "pkcs11:token=twin%u;object=twin;id=%%01" AT, i);
		credentials = load((struct tls_credentials_source){.certificate = uri, .secret = person}, PIN, &err);
		check_good(&credentials, &err, 0);
	}
	credentials = load((struct tls_credentials_source){.certificate = "pkcs11:object=client" AT, .secret = person},
			   PIN, &err);
	check_good(&credentials, &err, 0);
}

static void an_ambiguous_uri_is_refused_with_a_list(void **state)
{
	static const char *const uris[] = {"pkcs11:token=twin0;object=twin" AT, "pkcs11:object=twin" AT,
					   "pkcs11:id=%01" AT, "pkcs11:token=twin0" AT};
	struct thaw_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
		check_bad(load((struct tls_credentials_source){.certificate = uris[i], .secret = person}, PIN, &err),
			  &err, "pkcs11:", "several certificates match");
		assert_non_null(strstr(err.text, i == 1 || i == 2 ? "token=" : "token=twin0;serial="));
		assert_non_null(strstr(err.text, i == 2 ? ";id=%01" : "object=twin;id=%01"));
	}
	assert_non_null(strstr(err.text, "object=twin;id=%02"));
	/* A certificate that is on no token says nothing of the key. */
	check_bad(load((struct tls_credentials_source){.certificate = in("ca.pem"),
						       .key = "pkcs11:token=twin0;object=twin" AT,
						       .secret = person},
		       PIN, &err),
		  &err, "pkcs11:", "several private keys match");
	/* On a token on which nobody is logged in the private keys cannot be seen. */
	check_bad(load((struct tls_credentials_source){.certificate = in("ca.pem"),
						       .key = "pkcs11:object=lone" AT,
						       .secret = person},
		       PIN, &err),
		  &err, "pkcs11:", "several private keys match");
}

static void uris_that_do_not_serve(void **state)
{
	static const struct {
		const char *uri, *has;
	} cases[] = {
		{TOKEN AT "&pin-value=" PIN, "lie open"},
		{TOKEN AT "&pin-source=|cat", "not run"},
		{TOKEN AT "&pin-source=%zz", "allowed"},
		{TOKEN AT "&pin-source=a%00b", "allowed"},
		{TOKEN "?module-name=softhsm2", "allowed"},
		{TOKEN "?module-path=/nonexistent.so", "/nonexistent.so"},
		{"pkcs11:token=thaw;object=nobody" AT, "no such certificate"},
		{"pkcs11:token=none;object=client" AT, "no such certificate"},
	};
	struct thaw_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_credentials_source source = {.certificate = cases[i].uri, .secret = person};
		check_bad(load(source, PIN, &err), &err, "", cases[i].has);
		assert_null(strstr(err.text, PIN));
	}
	char longer[1100] = "pkcs11:";
	memset(longer + 7, 'a', sizeof(longer) - 8);
	check_bad(load((struct tls_credentials_source){.certificate = longer}, NULL, &err), &err, "pkcs11:", "longer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pem_files),
		cmocka_unit_test(the_pass_phrase_is_requested_once),
		cmocka_unit_test(what_cannot_be_loaded_is_named),
		cmocka_unit_test(a_chain_has_an_end),
		cmocka_unit_test(outdated_algorithms_are_named),
		cmocka_unit_test(pem_files_of_another_kind_are_named),
		cmocka_unit_test(pkcs12_files),
		cmocka_unit_test(pkcs12_files_that_do_not_serve),
		cmocka_unit_test(a_pkcs12_file_without_a_mac_is_refused),
		/* In this order, since the engine keeps a PIN that was right. */
		cmocka_unit_test(a_wrong_pin_is_not_tried_again),
		cmocka_unit_test(a_pin_may_be_in_a_file),
		cmocka_unit_test(a_key_on_a_token),
		cmocka_unit_test(uris_that_do_not_serve),
		cmocka_unit_test(of_several_keys_that_of_the_certificate_is_taken),
		cmocka_unit_test(an_ambiguous_uri_is_refused_with_a_list),
	};

	return cmocka_run_group_tests(tests, set_up, drop_files);
}
