/* Signatures that another process makes: what a worker gets, and what the signer refuses. The token is SoftHSM's. */
#include "credentials_world.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <openssl/rsa.h>

#include "base/clock.h"
#include "tls/signer.h"
#include "tls/signer_message.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN    "4711"
#define AT     "?module-path=" MODULE

enum { RSA_HOST, EC_HOST, FILE_HOST, HOSTS };

static const char *const names[] = {[RSA_HOST] = "rsa", [EC_HOST] = "ec"};

static bool make_token(void)
{
	char commands[2048];

	write_text("softhsm.conf",
		   "log.level = ERROR\nobjectstore.backend = file\nslots.removable = false\ndirectories.tokendir = ");
	FILE *file = fopen(in("softhsm.conf"), "a");
	if (file == NULL || fprintf(file, "%s\n", in("tokens")) < 0 || fclose(file) != 0 ||
	    mkdir(in("tokens"), 0700) != 0 || setenv("SOFTHSM2_CONF", in("softhsm.conf"), 1) != 0)
		return false;
	(void)snprintf(
		commands, sizeof(commands),
		"cd %s && export ASAN_OPTIONS=detect_leaks=0 && exec >log 2>&1 </dev/null &&"
		" softhsm2-util --init-token --free --label thaw --so-pin 12345678 --pin " PIN
		" && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=rsa -keyout rsa.key -out rsa.pem -days 9"
		" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ec -keyout ec.key"
		" -out ec.pem -days 9 && for k in rsa ec; do openssl pkcs8 -topk8 -nocrypt -in $k.key -out $k.p8 &&"
		" softhsm2-util --import $k.p8 --token thaw --label $k --id 0${#k} --pin " PIN " || exit; done",
		folder);
	return system(commands) == 0; /* NOLINT(cert-env33-c): nothing in it is from outside */
}

static int set_up(void **state)
{
	(void)state;
	if (make_files() != 0 || !make_token())
		return -1;
	write_text("pin", PIN "\n");
	return 0;
}

static struct tls_credentials_source source(unsigned host, const char *pin)
{
	char name[16];

	if (host == FILE_HOST)
		return (struct tls_credentials_source){.certificate = in("server.pem")};
	(void)snprintf(name, sizeof(name), "%s.pem", names[host]);
	return (struct tls_credentials_source){
		.certificate = in(name),
		.key = host == RSA_HOST ? "pkcs11:token=thaw;object=rsa" AT : "pkcs11:token=thaw;object=ec" AT,
		.setting = {.pass_phrase = pin, .place = "x.yaml:7: key 'hosts[0].key'"},
	};
}

/* A signer in a process of its own, that ends with its socket. */
static pid_t start_signer(int fd, unsigned answers)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	const struct tls_credentials_source sources[HOSTS] = {source(RSA_HOST, in("pin")), source(EC_HOST, in("pin")),
							      source(FILE_HOST, NULL)};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	struct tls_signer *signer = tls_signer_new(sources, HOSTS, &err);
	bool well = signer != NULL && tls_signer_open(signer, &err) == THAW_OK;
	struct pollfd from = {.fd = fd, .events = POLLIN};
	for (unsigned i = 0; well && i < answers; i++)
		well = poll(&from, 1, 20000) == 1 && tls_signer_serve(signer, fd, clock_now_ms());
	if (!well)
		(void)fprintf(stderr, "signer: %s\n", err.text);
	tls_signer_free(&signer);
	_exit(well ? 0 : 1);
}

static void check_ended(pid_t pid, int status)
{
	int how = 0;

	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how));
	assert_int_equal(WEXITSTATUS(how), status);
}

static bool sign_and_verify(EVP_PKEY *key, X509 *certificate, const EVP_MD *md, int padding)
{
	static const unsigned char text[] = "what a handshake signs";
	unsigned char signature[1024];
	size_t len = sizeof(signature);
	EVP_PKEY_CTX *ctx = NULL;
	EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();

	bool good = EVP_DigestSignInit(sign, &ctx, md, NULL, key) == 1;
	if (good && padding != 0)
		good = EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1 &&
		       (padding != RSA_PKCS1_PSS_PADDING ||
			EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
	good = good && EVP_DigestSign(sign, signature, &len, text, sizeof(text)) == 1 &&
	       EVP_DigestVerifyInit(verify, &ctx, md, NULL, X509_get0_pubkey(certificate)) == 1;
	if (good && padding != 0)
		good = EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1;
	good = good && EVP_DigestVerify(verify, signature, len, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(sign);
	EVP_MD_CTX_free(verify);
	ERR_clear_error();
	return good;
}

struct worker {
	struct tls_remote *remote;
	X509 *certificates[2];
	EVP_PKEY *keys[2];
	int ends[2];
};

static void new_worker(struct worker *worker)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, worker->ends), 0);
	worker->remote = tls_remote_new(&err);
	assert_non_null(worker->remote);
	for (unsigned i = 0; i < 2; i++) {
		worker->certificates[i] = read_certificate(i == RSA_HOST ? "rsa.pem" : "ec.pem");
		worker->keys[i] = tls_remote_key(worker->remote, worker->certificates[i], i, &err);
		assert_string_equal(err.text, "");
		assert_int_equal(X509_check_private_key(worker->certificates[i], worker->keys[i]), 1);
	}
	tls_remote_use(worker->remote, worker->ends[0]);
}

static void free_worker(struct worker *worker)
{
	for (unsigned i = 0; i < 2; i++) {
		EVP_PKEY_free(worker->keys[i]);
		X509_free(worker->certificates[i]);
		(void)close(worker->ends[i]);
	}
	tls_remote_free(&worker->remote);
}

static void signatures_verify_under_the_certificate(void **state)
{
	const EVP_MD *const hashes[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
	struct worker worker;

	(void)state;
	new_worker(&worker);
	pid_t signer = start_signer(worker.ends[1], 9);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(sign_and_verify(worker.keys[RSA_HOST], worker.certificates[RSA_HOST], hashes[i],
					    RSA_PKCS1_PSS_PADDING));
		assert_true(sign_and_verify(worker.keys[RSA_HOST], worker.certificates[RSA_HOST], hashes[i],
					    RSA_PKCS1_PADDING));
		assert_true(sign_and_verify(worker.keys[EC_HOST], worker.certificates[EC_HOST], hashes[i], 0));
		assert_null(tls_remote_failure(worker.remote));
	}
	check_ended(signer, 0);
	free_worker(&worker);
}

static void other_digests_and_paddings_are_refused(void **state)
{
	struct worker worker;
	char none;

	(void)state;
	new_worker(&worker);
	assert_false(
		sign_and_verify(worker.keys[RSA_HOST], worker.certificates[RSA_HOST], EVP_sha1(), RSA_PKCS1_PADDING));
	assert_non_null(strstr(tls_remote_failure(worker.remote), "of this type"));
	assert_false(
		sign_and_verify(worker.keys[RSA_HOST], worker.certificates[RSA_HOST], EVP_sha256(), RSA_X931_PADDING));
	assert_true(recv(worker.ends[1], &none, 1, MSG_DONTWAIT) < 0);
	free_worker(&worker);
}

static void after_a_timeout_requests_fail_immediately_for_a_while(void **state)
{
	struct worker worker;
	struct sign_request request;

	(void)state;
	new_worker(&worker);
	assert_false(sign_and_verify(worker.keys[EC_HOST], worker.certificates[EC_HOST], EVP_sha256(), 0));
	assert_string_equal(tls_remote_failure(worker.remote), "the signer process did not answer in time");
	assert_null(tls_remote_failure(worker.remote));
	assert_false(tls_remote_may_wait()); /* not in this turn */
	tls_remote_turn();
	assert_true(tls_remote_may_wait());
	assert_int_equal(recv(worker.ends[1], &request, sizeof(request), MSG_DONTWAIT), sizeof(request));
	assert_true(request.until_ms <= clock_now_ms());
	assert_false(sign_and_verify(worker.keys[EC_HOST], worker.certificates[EC_HOST], EVP_sha256(), 0));
	assert_non_null(strstr(tls_remote_failure(worker.remote), "recently"));
	assert_true(recv(worker.ends[1], &request, sizeof(request), MSG_DONTWAIT) < 0); /* it did not ask */
	free_worker(&worker);
}

/* As after a worker or a signer was replaced: the socket goes on. */
static void answers_to_others_are_passed_over(void **state)
{
	struct worker worker;
	struct sign_answer stale = {.id = 1, .len = 3};
	char noise = 'x';

	(void)state;
	new_worker(&worker);
	assert_int_equal(send(worker.ends[1], &stale, sizeof(stale), 0), sizeof(stale));
	assert_int_equal(send(worker.ends[1], &noise, 1, 0), 1);
	pid_t signer = start_signer(worker.ends[1], 1);
	assert_true(sign_and_verify(worker.keys[EC_HOST], worker.certificates[EC_HOST], EVP_sha256(), 0));
	check_ended(signer, 0);
	free_worker(&worker);
}

static void the_signer_refuses_what_it_should(void **state)
{
	const struct sign_request good = {
		.id = 7, .until_ms = THAW_NEVER, .host = RSA_HOST, .scheme = SIGN_PSS, .hash = SIGN_SHA256, .len = 32};
	struct sign_request bad[6];
	struct sign_answer got;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	for (unsigned i = 0; i < 6; i++)
		bad[i] = good;
	bad[0].host = HOSTS;
	bad[1].host = FILE_HOST;
	bad[2].scheme = SIGN_ECDSA;
	bad[3].hash = 3;
	bad[4].len = 31;
	bad[5].host = EC_HOST; /* and not under a scheme of RSA */
	pid_t signer = start_signer(ends[1], 9);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(send(ends[0], &bad[i], sizeof(bad[i]), 0), sizeof(bad[i]));
		assert_int_equal(recv(ends[0], &got, sizeof(got), 0), sizeof(got));
		assert_int_equal(got.id, 7);
		assert_int_equal(got.len, 0);
	}
	struct sign_request late = good;
	late.until_ms = 1;
	assert_int_equal(send(ends[0], &late, sizeof(late), 0), sizeof(late)); /* is not answered */
	late = good;
	late.id = 8;
	assert_int_equal(send(ends[0], &late, sizeof(late), 0), sizeof(late));
	assert_int_equal(recv(ends[0], &got, sizeof(got), 0), sizeof(got));
	assert_int_equal(got.id, 8);
	assert_int_equal(got.len, 256);
	assert_int_equal(send(ends[0], &late, 12, 0), 12); /* it says so, and ends here */
	check_ended(signer, 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* In a process of its own: the engine keeps a PIN that was right. */
static void a_key_that_cannot_be_opened_is_named_with_its_setting(void **state)
{
	static const struct {
		const char *certificate, *pin, *has;
	} cases[] = {{"rsa.pem", "wrong", "PIN is wrong"},
		     {"rsa.pem", "none", "none: No such file"},
		     {"ec.pem", "pin", "not that of the certificate"}};

	(void)state;
	write_text("wrong", "0000");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct thaw_error err = {.cls = THAW_ERR_NONE};
		struct tls_credentials_source one = source(RSA_HOST, in(cases[i].pin));
		one.certificate = in(cases[i].certificate);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct tls_signer *signer = tls_signer_new(&one, 1, &err);
			bool refused = signer == NULL || tls_signer_open(signer, &err) != THAW_OK;
			bool reported = refused &&
					strncmp(err.text, one.setting.place, strlen(one.setting.place)) == 0 &&
					strstr(err.text, cases[i].has) != NULL && strstr(err.text, "0000") == NULL &&
					err.cls == THAW_ERR_CONFIG;
			if (!reported)
				(void)fprintf(stderr, "'%s'\n", err.text);
			_exit(reported ? 0 : 1);
		}
		check_ended(pid, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_digests_and_paddings_are_refused),
		cmocka_unit_test(after_a_timeout_requests_fail_immediately_for_a_while),
		cmocka_unit_test(signatures_verify_under_the_certificate),
		cmocka_unit_test(answers_to_others_are_passed_over),
		cmocka_unit_test(the_signer_refuses_what_it_should),
		cmocka_unit_test(a_key_that_cannot_be_opened_is_named_with_its_setting),
	};

	return cmocka_run_group_tests(tests, set_up, drop_files);
}
