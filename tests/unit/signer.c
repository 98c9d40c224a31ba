/* Signatures that another process makes: what a worker gets, and what the signer refuses. The token is SoftHSM's. */
#include "credentials_world.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "tls/signer.h"
#include "tls/signer_message.h"
#include "tls/signing.h"

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

/* A signer in a process of its own, which has opened its keys, and ends with its socket. */
static pid_t start_signer(int fd, unsigned answers)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	const struct tls_credentials_source sources[HOSTS] = {source(RSA_HOST, in("pin")), source(EC_HOST, in("pin")),
							      source(FILE_HOST, NULL)};
	int ready[2];
	char none;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		(void)close(ready[1]);
		assert_int_equal(read(ready[0], &none, 1), 0);
		(void)close(ready[0]);
		return pid;
	}
	struct tls_signer *signer = tls_signer_new(sources, HOSTS, &err);
	bool well = signer != NULL && tls_signer_open(signer, &err) == THAW_OK;
	struct pollfd from = {.fd = fd, .events = POLLIN};
	(void)close(ready[1]);
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

/* ---- a worker ---- */

struct worker {
	X509 *certificates[2];
	EVP_PKEY *keys[2];
	int ends[2];
};

static void new_worker(struct worker *worker)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, worker->ends), 0);
	for (unsigned i = 0; i < 2; i++) {
		worker->certificates[i] = read_certificate(i == RSA_HOST ? "rsa.pem" : "ec.pem");
		worker->keys[i] = tls_remote_key(worker->certificates[i], i, &err);
		assert_string_equal(err.text, "");
		assert_int_equal(X509_check_private_key(worker->certificates[i], worker->keys[i]), 1);
	}
	tls_remote_use(worker->ends[0]);
}

static void free_worker(struct worker *worker)
{
	struct tls_remote_wants wants;

	/* Whatever has happened, no request is left. */
	tls_remote_serve(clock_now_ms() + 2 * (uint64_t)TLS_SIGN_MS);
	(void)tls_remote_watch(clock_now_ms(), &wants);
	assert_true(wants.deadline_ms == THAW_NEVER && !wants.write);
	tls_remote_use(-1);
	for (unsigned i = 0; i < 2; i++) {
		EVP_PKEY_free(worker->keys[i]);
		X509_free(worker->certificates[i]);
		(void)close(worker->ends[i]);
	}
}

/* ---- a handshake with a host whose key the signer has ---- */

struct pair {
	SSL *server, *client;
	struct tls_signing signing;
	unsigned wakes;
};

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct pair *pair = SSL_get_app_data(ssl);

	(void)alert;
	(void)arg;
	return tls_signing_here(&pair->signing) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_RETRY;
}

static void on_wake(void *arg)
{
	((struct pair *)arg)->wakes++;
}

static SSL *new_end(const SSL_METHOD *method, int version, X509 *certificate, EVP_PKEY *key)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	assert_true(SSL_CTX_set_min_proto_version(ctx, version) == 1 &&
		    SSL_CTX_set_max_proto_version(ctx, version) == 1);
	SSL_CTX_set_security_level(ctx, 0); /* SHA-1 is refused by us, not by it */
	if (key != NULL) {
		assert_true(SSL_CTX_use_certificate(ctx, certificate) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
		SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	}
	SSL *ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	assert_non_null(ssl);
	return ssl;
}

static void new_pair(struct pair *pair, const struct worker *worker, unsigned host, int version, const char *algorithms)
{
	BIO *ends[2];

	*pair = (struct pair){
		.server = new_end(TLS_server_method(), version, worker->certificates[host], worker->keys[host]),
		.client = new_end(TLS_client_method(), version, NULL, NULL),
		.signing = {.wake = on_wake, .arg = pair}};
	assert_int_equal(BIO_new_bio_pair(&ends[0], 0, &ends[1], 0), 1);
	SSL_set_bio(pair->server, ends[0], ends[0]);
	SSL_set_bio(pair->client, ends[1], ends[1]);
	assert_int_equal(SSL_set_app_data(pair->server, pair), 1);
	assert_int_equal(SSL_set1_sigalgs_list(pair->client, algorithms), 1);
	SSL_set_accept_state(pair->server);
	SSL_set_connect_state(pair->client);
}

static void free_pair(struct pair *pair)
{
	tls_signing_end(&pair->signing);
	SSL_free(pair->server);
	SSL_free(pair->client);
	ERR_clear_error();
}

enum outcome { DONE, FAILED, WAITS };

/* Both ends, as far as they come. The client verifies the server's signature. */
static enum outcome step(struct pair *pair)
{
	for (unsigned i = 0; i < 8; i++) {
		int client = SSL_do_handshake(pair->client), server = 0;
		ERR_clear_error();
		if (!tls_signing_handshake(&pair->signing, pair->server, &server)) {
			assert_true(tls_signing_waits(&pair->signing));
			return WAITS;
		}
		assert_false(tls_signing_waits(&pair->signing));
		if (client == 1 && server == 1)
			return DONE;
		if (server != 1 && SSL_get_error(pair->server, server) == SSL_ERROR_SSL)
			return FAILED;
		ERR_clear_error();
	}
	return FAILED;
}

/* Waits for the signer as the loop does. */
static enum outcome finish(struct pair *pair, const struct worker *worker)
{
	struct pollfd from = {.fd = worker->ends[0], .events = POLLIN};
	enum outcome outcome;

	while ((outcome = step(pair)) == WAITS) {
		assert_int_equal(poll(&from, 1, 20000), 1);
		tls_remote_serve(clock_now_ms());
	}
	return outcome;
}

static enum outcome handshake(const struct worker *worker, unsigned host, int version, const char *algorithms)
{
	struct pair pair;

	new_pair(&pair, worker, host, version, algorithms);
	enum outcome outcome = finish(&pair, worker);
	free_pair(&pair);
	return outcome;
}

/* ---- the test as the signer ---- */

static bool asked_for(const struct worker *worker, struct sign_request *request)
{
	return recv(worker->ends[1], request, sizeof(*request), MSG_DONTWAIT) == sizeof(*request);
}

/* A signature with the EC key, which is in a file, too. */
static void answer_it(const struct worker *worker, const struct sign_request *request)
{
	struct sign_answer signature = {.id = request->id};
	size_t len = sizeof(signature.signature);
	EVP_PKEY *key = read_key("ec.key");
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, signature.signature, &len, request->digest, request->len), 1);
	signature.len = len;
	assert_int_equal(send(worker->ends[1], &signature, sizeof(signature), 0), sizeof(signature));
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

#define EC_13 EC_HOST, TLS1_3_VERSION, "ecdsa_secp256r1_sha256"

static void the_client_accepts_the_signatures_of_all_schemes(void **state)
{
	static const struct {
		unsigned host;
		int version;
		const char *algorithms;
	} rows[] = {
		{RSA_HOST, TLS1_3_VERSION, "rsa_pss_rsae_sha256"},
		{RSA_HOST, TLS1_3_VERSION, "rsa_pss_rsae_sha384"},
		{RSA_HOST, TLS1_3_VERSION, "rsa_pss_rsae_sha512"},
		{RSA_HOST, TLS1_2_VERSION, "RSA+SHA256"},
		{RSA_HOST, TLS1_2_VERSION, "RSA+SHA384"},
		{RSA_HOST, TLS1_2_VERSION, "RSA+SHA512"},
		{EC_13},
		{EC_HOST, TLS1_2_VERSION, "ECDSA+SHA384"},
		{EC_HOST, TLS1_2_VERSION, "ECDSA+SHA512"},
	};
	struct worker worker;

	(void)state;
	new_worker(&worker);
	pid_t signer = start_signer(worker.ends[1], sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(handshake(&worker, rows[i].host, rows[i].version, rows[i].algorithms), DONE);
		assert_null(tls_remote_failure());
	}
	check_ended(signer, 0);
	free_worker(&worker);
}

static void other_digests_are_refused(void **state)
{
	struct worker worker;
	struct sign_request request;

	(void)state;
	new_worker(&worker);
	assert_int_equal(handshake(&worker, RSA_HOST, TLS1_2_VERSION, "RSA+SHA1"), FAILED);
	assert_false(asked_for(&worker, &request));
	free_worker(&worker);
}

static void after_a_timeout_requests_fail_immediately_for_a_while(void **state)
{
	struct worker worker;
	struct sign_request request;
	struct tls_remote_wants wants;
	struct pair pair, next;

	(void)state;
	new_worker(&worker);
	new_pair(&pair, &worker, EC_13);
	new_pair(&next, &worker, EC_13);
	assert_int_equal(step(&pair), WAITS);
	assert_true(tls_remote_watch(clock_now_ms(), &wants));
	assert_true(asked_for(&worker, &request));
	assert_true(wants.deadline_ms == request.until_ms);
	tls_remote_serve(wants.deadline_ms - 1);
	assert_int_equal(step(&pair), WAITS);
	assert_int_equal(pair.wakes, 0);
	tls_remote_serve(wants.deadline_ms);
	assert_int_equal(pair.wakes, 1);
	assert_int_equal(step(&pair), FAILED);
	assert_string_equal(tls_remote_failure(), "the signer process did not answer in time");
	assert_null(tls_remote_failure());
	assert_int_equal(step(&next), FAILED);
	assert_non_null(strstr(tls_remote_failure(), "recently"));
	assert_false(asked_for(&worker, &request)); /* it did not ask */
	free_pair(&next);
	free_pair(&pair);
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
	assert_int_equal(handshake(&worker, EC_13), DONE);
	check_ended(signer, 0);
	free_worker(&worker);
}

static void handshakes_wait_side_by_side_and_the_others_in_line(void **state)
{
	enum { COUNT = TLS_SIGN_FLIGHT + 2 };
	struct worker worker;
	struct pair pairs[COUNT];
	struct sign_request requests[COUNT], none;

	(void)state;
	new_worker(&worker);
	for (unsigned i = 0; i < COUNT; i++) {
		new_pair(&pairs[i], &worker, EC_13);
		assert_int_equal(step(&pairs[i]), WAITS);
	}
	for (unsigned i = 0; i < TLS_SIGN_FLIGHT; i++)
		assert_true(asked_for(&worker, &requests[i]));
	assert_false(asked_for(&worker, &none));
	/* The last one is answered first; it ends, and only then the first in line has its turn. */
	unsigned last = TLS_SIGN_FLIGHT - 1, third = TLS_SIGN_FLIGHT, fourth = third + 1;
	answer_it(&worker, &requests[last]);
	tls_remote_serve(clock_now_ms());
	assert_int_equal(step(&pairs[0]), WAITS);
	assert_int_equal(pairs[third].wakes, 0);
	assert_int_equal(step(&pairs[last]), DONE);
	assert_int_equal(pairs[third].wakes, 1);
	assert_int_equal(step(&pairs[fourth]), WAITS); /* it is not its turn */
	assert_false(asked_for(&worker, &none));
	assert_int_equal(step(&pairs[third]), WAITS);
	assert_true(asked_for(&worker, &requests[third]));
	answer_it(&worker, &requests[0]);
	answer_it(&worker, &requests[third]);
	tls_remote_serve(clock_now_ms());
	assert_int_equal(step(&pairs[0]), DONE);
	assert_int_equal(step(&pairs[third]), DONE);
	assert_int_equal(step(&pairs[fourth]), WAITS);
	assert_true(asked_for(&worker, &requests[fourth]));
	answer_it(&worker, &requests[fourth]);
	tls_remote_serve(clock_now_ms());
	assert_int_equal(step(&pairs[fourth]), DONE);
	for (unsigned i = 0; i < COUNT; i++)
		free_pair(&pairs[i]);
	free_worker(&worker);
}

/* Its request is at the signer, which may be busy with it: it still counts. */
static void a_handshake_that_is_given_up_frees_its_place_with_the_answer(void **state)
{
	enum { COUNT = TLS_SIGN_FLIGHT + 2 };
	struct worker worker;
	struct pair pairs[COUNT];
	struct sign_request requests[TLS_SIGN_FLIGHT], none;

	(void)state;
	new_worker(&worker);
	for (unsigned i = 0; i < COUNT; i++) {
		new_pair(&pairs[i], &worker, EC_13);
		assert_int_equal(step(&pairs[i]), WAITS);
	}
	for (unsigned i = 0; i < TLS_SIGN_FLIGHT; i++) {
		assert_true(asked_for(&worker, &requests[i]));
		free_pair(&pairs[i]);
	}
	free_pair(&pairs[TLS_SIGN_FLIGHT]); /* in line */
	struct pair *left = &pairs[COUNT - 1];
	assert_int_equal(step(left), WAITS);
	assert_int_equal(left->wakes, 0);
	answer_it(&worker, &requests[0]);
	tls_remote_serve(clock_now_ms());
	assert_int_equal(left->wakes, 1);
	assert_int_equal(step(left), WAITS);
	assert_true(asked_for(&worker, &none));
	assert_true(none.id != requests[0].id);
	free_pair(left);
	free_worker(&worker);
}

static void a_signature_that_is_not_fetched_frees_its_place(void **state)
{
	struct worker worker;
	struct sign_request request;
	struct tls_remote_wants wants;
	struct pair pair;

	(void)state;
	new_worker(&worker);
	new_pair(&pair, &worker, EC_13);
	assert_int_equal(step(&pair), WAITS);
	assert_true(asked_for(&worker, &request));
	answer_it(&worker, &request);
	tls_remote_serve(clock_now_ms());
	assert_int_equal(pair.wakes, 1);
	(void)tls_remote_watch(clock_now_ms(), &wants);
	tls_remote_serve(wants.deadline_ms);
	(void)tls_remote_watch(clock_now_ms(), &wants);
	assert_true(wants.deadline_ms == THAW_NEVER);
	assert_int_equal(step(&pair), FAILED);
	free_pair(&pair);
	free_worker(&worker);
}

static void a_request_waits_for_room_in_the_socket(void **state)
{
	struct worker worker;
	struct sign_request junk = {.id = 0}, request;
	struct tls_remote_wants wants;
	struct pair pair;

	(void)state;
	new_worker(&worker);
	while (send(worker.ends[0], &junk, sizeof(junk), MSG_DONTWAIT) == sizeof(junk))
		continue;
	new_pair(&pair, &worker, EC_13);
	assert_int_equal(step(&pair), WAITS);
	assert_true(tls_remote_watch(clock_now_ms(), &wants));
	assert_true(wants.write);
	while (asked_for(&worker, &request))
		assert_int_equal(request.id, 0);
	tls_remote_serve(clock_now_ms());
	(void)tls_remote_watch(clock_now_ms(), &wants);
	assert_false(wants.write);
	assert_true(asked_for(&worker, &request));
	answer_it(&worker, &request);
	tls_remote_serve(clock_now_ms());
	assert_int_equal(step(&pair), DONE);
	free_pair(&pair);
	free_worker(&worker);
}

static void without_a_signer_and_after_its_end_handshakes_fail(void **state)
{
	struct tls_remote_wants wants;
	struct worker worker;
	struct pair pair;

	(void)state;
	new_worker(&worker);
	new_pair(&pair, &worker, EC_13);
	assert_int_equal(step(&pair), WAITS);
	(void)shutdown(worker.ends[1], SHUT_RDWR);
	tls_remote_serve(clock_now_ms());
	assert_false(tls_remote_watch(clock_now_ms(), &wants));
	tls_remote_serve(wants.deadline_ms);
	assert_int_equal(step(&pair), FAILED);
	free_pair(&pair);
	new_pair(&pair, &worker, EC_13);
	assert_int_equal(step(&pair), FAILED);
	assert_string_equal(tls_remote_failure(), "there is no signer process");
	free_pair(&pair);
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
		cmocka_unit_test(other_digests_are_refused),
		cmocka_unit_test(after_a_timeout_requests_fail_immediately_for_a_while),
		cmocka_unit_test(the_client_accepts_the_signatures_of_all_schemes),
		cmocka_unit_test(answers_to_others_are_passed_over),
		cmocka_unit_test(handshakes_wait_side_by_side_and_the_others_in_line),
		cmocka_unit_test(a_handshake_that_is_given_up_frees_its_place_with_the_answer),
		cmocka_unit_test(a_signature_that_is_not_fetched_frees_its_place),
		cmocka_unit_test(a_request_waits_for_room_in_the_socket),
		cmocka_unit_test(without_a_signer_and_after_its_end_handshakes_fail),
		cmocka_unit_test(the_signer_refuses_what_it_should),
		cmocka_unit_test(a_key_that_cannot_be_opened_is_named_with_its_setting),
	};

	return cmocka_run_group_tests(tests, set_up, drop_files);
}
