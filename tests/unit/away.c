/* Notes of clients that were sent away: who is found again, for how long, from which process, and what a hostile one
 * can do. */
#include "peers_world.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/wait.h>

#include "../made.h"
#include "gateway/away.h"
#include "hostile.h"

#define NOW_MS UINT64_C(123456789)

static char other_folder[] = "/tmp/thaw-unit-away-XXXXXX";
static thaw_trust *other_trust;

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union address address_of(const char *text)
{
	union address address = {.v4 = {.sin_family = AF_INET, .sin_port = htons(1234)}};

	if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1)
		return address;
	address = (union address){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(4321)}};
	assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
	return address;
}

/* A client from there, which is good until the next call. */
static struct away_client client_from(const char *text)
{
	static union address address;

	address = address_of(text);
	return (struct away_client){&address.any, "api.example", TLS_KIND_FIREFOX, trust};
}

/* The client with that number, of 2^32. */
static struct away_client client_number(uint32_t number)
{
	static union address address;

	address = (union address){.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(number)}}};
	return (struct away_client){&address.any, "api.example", TLS_KIND_FIREFOX, trust};
}

static struct away *new_table(void)
{
	struct away *away = away_new();

	assert_non_null(away);
	return away;
}

static bool note(struct away *away, const char *text, uint64_t now_ms)
{
	struct away_client client = client_from(text);

	return away_note(away, &client, now_ms, TLS_AWAY_MS);
}

static bool look(const struct away *away, const char *text, uint64_t now_ms)
{
	struct away_client client = client_from(text);

	return away_look(away, &client, now_ms);
}

static void the_same_client_is_found_each_time(void **state)
{
	struct away *away = new_table();

	(void)state;
	assert_false(look(away, "192.0.2.1", NOW_MS));
	assert_true(note(away, "192.0.2.1", NOW_MS));
	for (int i = 0; i < 10; i++)
		assert_true(look(away, "192.0.2.1", NOW_MS + 1));
	assert_true(look(away, "::ffff:192.0.2.1", NOW_MS));
	assert_false(look(away, "192.0.2.2", NOW_MS));
	assert_true(note(away, "2001:db8::1:2:3:4", NOW_MS));
	assert_true(look(away, "2001:db8::ffff:0:0:1", NOW_MS)); /* of the same /64 */
	assert_false(look(away, "2001:db8:0:1::1", NOW_MS));
	assert_false(look(away, "192.0.2.2", NOW_MS));
	away_free(&away);
	assert_null(away);
}

static void another_host_kind_or_trust_is_another_note(void **state)
{
	struct away *away = new_table();
	struct away_client client = client_from("192.0.2.1");

	(void)state;
	assert_true(away_note(away, &client, NOW_MS, TLS_AWAY_MS));
	assert_true(away_look(away, &client, NOW_MS));
	client.name = "www.example";
	assert_false(away_look(away, &client, NOW_MS));
	client = client_from("192.0.2.1");
	client.name = "";
	assert_false(away_look(away, &client, NOW_MS));
	client = client_from("192.0.2.1");
	client.kind = TLS_KIND_CHROMIUM;
	assert_false(away_look(away, &client, NOW_MS));
	client = client_from("192.0.2.1");
	client.trust = other_trust;
	assert_false(away_look(away, &client, NOW_MS));
	assert_true(away_note(away, &client, NOW_MS, TLS_AWAY_MS));
	client.trust = trust;
	assert_true(away_look(away, &client, NOW_MS)); /* both are there */
	away_free(&away);
}

static void clients_without_an_address_are_not_noted(void **state)
{
	struct away *away = new_table();
	const struct sockaddr local = {.sa_family = AF_UNIX};
	struct away_client client = {.name = "", .kind = TLS_KIND_FIREFOX, .trust = trust};

	(void)state;
	for (int i = 0; i < 2; i++) {
		client.address = i == 0 ? NULL : &local;
		assert_false(away_note(away, &client, NOW_MS, TLS_AWAY_MS));
		assert_false(away_look(away, &client, NOW_MS));
	}
	assert_false(note(NULL, "192.0.2.1", NOW_MS));
	assert_false(look(NULL, "192.0.2.1", NOW_MS));
	away_free(&away);
}

static void a_note_is_good_for_some_seconds(void **state)
{
	struct away *away = new_table();

	(void)state;
	for (uint64_t now_ms = 0; now_ms < UINT64_C(1) << 40; now_ms = now_ms * 3 + 17) {
		assert_true(note(away, "192.0.2.1", now_ms));
		assert_true(look(away, "192.0.2.1", now_ms));
		assert_true(look(away, "192.0.2.1", now_ms + TLS_AWAY_MS - AWAY_STEP_MS));
		assert_false(look(away, "192.0.2.1", now_ms + TLS_AWAY_MS + AWAY_STEP_MS));
		assert_false(look(away, "192.0.2.1", now_ms + 24 * 3600 * 1000));
	}
	/* a later reset prolongs it */
	assert_true(note(away, "192.0.2.9", NOW_MS));
	assert_true(note(away, "192.0.2.9", NOW_MS + TLS_AWAY_MS / 2));
	assert_true(look(away, "192.0.2.9", NOW_MS + TLS_AWAY_MS));
	away_free(&away);
}

/* A human has to choose the certificate. */
static void note_is_good_for_as_long_as_it_says_until_the_client_has_answered(void **state)
{
	const uint64_t minute_ms = 60000;
	struct away *away = new_table();
	struct away_client client = client_from("192.0.2.1");

	(void)state;
	for (int answers = 0; answers < 2; answers++) {
		uint64_t now_ms = NOW_MS + (uint64_t)answers * 10 * minute_ms;
		assert_true(away_note(away, &client, now_ms, 2 * minute_ms));
		assert_true(away_note(away, &client, now_ms, TLS_AWAY_MS)); /* makes it no shorter */
		assert_true(away_look(away, &client, now_ms + minute_ms));
		if (answers != 0) {
			away_answered(away, &client, now_ms + minute_ms);
			assert_true(away_look(away, &client, now_ms + minute_ms + TLS_AWAY_MS - AWAY_STEP_MS));
		}
		assert_int_equal(away_look(away, &client, now_ms + minute_ms + TLS_AWAY_MS + AWAY_STEP_MS),
				 answers == 0);
		assert_int_equal(away_look(away, &client, now_ms + 2 * minute_ms - AWAY_STEP_MS), answers == 0);
		away_answered(away, &client, now_ms + 3 * minute_ms); /* brings nothing back */
		assert_false(away_look(away, &client, now_ms + 3 * minute_ms));
	}
	assert_true(away_note(away, &client, NOW_MS, UINT64_MAX));
	assert_true(away_look(away, &client, NOW_MS + AWAY_LONGEST_MS - AWAY_STEP_MS));
	assert_false(away_look(away, &client, NOW_MS + AWAY_LONGEST_MS + AWAY_STEP_MS));
	away_answered(NULL, &client, NOW_MS);
	away_free(&away);
}

static void in_a_full_table_the_newest_are_found(void **state)
{
	enum { CROWD = 200000, MORE = 1000 };
	struct away *away = new_table();
	unsigned found = 0;

	(void)state;
	for (uint32_t i = 0; i < CROWD; i++) {
		struct away_client client = client_number(i);
		assert_true(away_note(away, &client, NOW_MS, TLS_AWAY_MS));
	}
	for (uint32_t i = 0; i < CROWD; i++) {
		struct away_client client = client_number(i);
		found += away_look(away, &client, NOW_MS);
	}
	assert_int_equal(found, 16384); /* as many as there is room for */
	assert_true(note(away, "2001:db8::1", NOW_MS + AWAY_STEP_MS));
	for (uint32_t i = CROWD; i < CROWD + MORE; i++) {
		struct away_client client = client_number(i);
		assert_true(away_note(away, &client, NOW_MS + 2 * AWAY_STEP_MS, TLS_AWAY_MS));
	}
	assert_true(look(away, "2001:db8::1", NOW_MS + 2 * AWAY_STEP_MS));
	away_free(&away);
}

static void every_process_sees_every_note(void **state)
{
	struct away *away = new_table();
	int status = 0;

	(void)state;
	assert_true(note(away, "192.0.2.1", NOW_MS));
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(look(away, "192.0.2.1", NOW_MS) && note(away, "192.0.2.2", NOW_MS) ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(look(away, "192.0.2.2", NOW_MS));
	away_free(&away);
}

/* There is nothing that it could keep the others from. */
static void a_worker_killed_while_it_writes_a_note_blocks_no_other(void **state)
{
	struct away *away = new_table();
	int status = 0, ready[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (uint32_t i = 0;; i++) {
			struct away_client client = client_number(i);
			(void)away_note(away, &client, NOW_MS, TLS_AWAY_MS);
			if (i == 1000 && write(ready[1], "x", 1) != 1)
				_exit(1);
		}
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(note(away, "2001:db8::1", NOW_MS));
	assert_true(look(away, "2001:db8::1", NOW_MS));
	(void)close(ready[0]);
	(void)close(ready[1]);
	away_free(&away);
}

static void a_hostile_worker_can_spoil_notes_only(void **state)
{
	struct away *away = new_table();

	(void)state;
	for (size_t i = 0; i < HOSTILE_WORDS; i++) {
		hostile_worker(hostile_words[i], SIZE_MAX);
		assert_false(look(away, "192.0.2.1", NOW_MS));
		assert_true(note(away, "192.0.2.1", NOW_MS));
		assert_true(look(away, "192.0.2.1", NOW_MS));
		hostile_worker(hostile_words[i], SIZE_MAX);
		assert_false(look(away, "192.0.2.1", NOW_MS));
	}
	away_free(&away);
}

static int set_up(void **state)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char path[96];

	if (set_up_peers(state) != 0 || mkdtemp(other_folder) == NULL || tls_pki_make(other_folder, &err) != THAW_OK)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/ca.pem", other_folder);
	other_trust = made_trust_load(path, NULL, &err);
	return other_trust != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const files[] = {"ca.pem", "server.pem", "server.key", "client.pem", "client.key"};
	char path[96];

	thaw_trust_free(&other_trust);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", other_folder, files[i]);
		(void)unlink(path);
	}
	return rmdir(other_folder) == 0 ? tear_down_peers(state) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_client_is_found_each_time),
		cmocka_unit_test(another_host_kind_or_trust_is_another_note),
		cmocka_unit_test(clients_without_an_address_are_not_noted),
		cmocka_unit_test(a_note_is_good_for_some_seconds),
		cmocka_unit_test(note_is_good_for_as_long_as_it_says_until_the_client_has_answered),
		cmocka_unit_test(in_a_full_table_the_newest_are_found),
		cmocka_unit_test(every_process_sees_every_note),
		cmocka_unit_test(a_worker_killed_while_it_writes_a_note_blocks_no_other),
		cmocka_unit_test(a_hostile_worker_can_spoil_notes_only),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
