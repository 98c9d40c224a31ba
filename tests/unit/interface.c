/* What holds for each call of libthaw: errors, and structs of another version's size. */
#include <assert.h>

#include "trust_world.h"

#define POISON 0xA5

/* An error as a caller has it that does not initialize it. */
static struct thaw_error poisoned(void)
{
	struct thaw_error err;

	memset(&err, POISON, sizeof(err));
	return err;
}

static void assert_none(const struct thaw_error *err)
{
	assert_int_equal(err->cls, THAW_ERR_NONE);
	assert_string_equal(err->text, "");
}

static void errors_need_not_be_initialized(void **state)
{
	const struct thaw_quota_limits none = {.size = sizeof(none)};
	struct thaw_error err = poisoned();
	thaw_trust *trust = (thaw_trust *)(void *)&err;
	thaw_quota *quota = (thaw_quota *)(void *)&err;
	thaw_store *store = (thaw_store *)(void *)&err;

	(void)state;
	assert_int_equal(thaw_trust_load("/nowhere/ca.pem", NULL, &trust, &err), THAW_FAILED);
	assert_null(trust);
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	assert_int_equal(strncmp(err.text, "/nowhere/ca.pem", 15), 0);
	err = poisoned();
	assert_int_equal(thaw_quota_new(&none, &quota, &err), THAW_FAILED);
	assert_null(quota);
	assert_int_equal(err.cls, THAW_ERR_USAGE);
	quota = made_quota_new(&(struct thaw_quota_limits){.memory = 1 << 20, .disk = 1 << 20, .workers = 1});
	err = poisoned();
	assert_int_equal(thaw_store_new(quota, 0, "/nowhere", &store, &err), THAW_FAILED);
	assert_null(store);
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	thaw_quota_free(&quota);
}

static void after_success_there_is_no_error(void **state)
{
	const struct thaw_quota_limits limits = {.size = sizeof(limits), .workers = 1, .memory = 1 << 20};
	struct thaw_error err = poisoned();
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ssl = SSL_new(ctx);
	thaw_trust *trust;
	thaw_conn *conn;
	thaw_quota *quota;
	thaw_store *store;
	thaw_spool *spool;

	(void)state;
	write_certificates("root.pem", &pki.root, 1);
	assert_int_equal(thaw_trust_load(in_folder("root.pem"), NULL, &trust, &err), THAW_OK);
	assert_none(&err);
	err = poisoned();
	assert_int_equal(thaw_conn_new(ssl, &conn, &err), THAW_OK);
	assert_none(&err);
	err = poisoned();
	assert_int_equal(thaw_quota_new(&limits, &quota, &err), THAW_OK);
	assert_none(&err);
	err = poisoned();
	assert_int_equal(thaw_store_new(quota, 0, NULL, &store, &err), THAW_OK);
	assert_none(&err);
	err = poisoned();
	assert_int_equal(thaw_spool_new(store, NULL, 100, &spool, &err), THAW_OK);
	assert_none(&err);
	thaw_spool_free(&spool);
	thaw_store_free(&store);
	thaw_quota_free(&quota);
	thaw_conn_free(&conn);
	thaw_trust_free(&trust);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static int join_in_the_callback(SSL *ssl, int *alert, void *arg)
{
	struct pair *pair = arg;

	if (pair->conn == NULL)
		pair->conn = made_conn_new(ssl);
	return pair->conn != NULL ? thaw_ctx_client_hello(ssl, alert, NULL) : SSL_CLIENT_HELLO_ERROR;
}

static void a_conn_may_be_made_in_the_client_hello_callback(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};

		open_server(&pair, versions[v]);
		begin(&pair);
		thaw_conn_free(&pair.conn);
		SSL_CTX_set_client_hello_cb(pair.server_ctx, join_in_the_callback, &pair);
		equip(pair.client, pki.client, pki.key, (X509 *[]){pki.issuing}, 1);
		for (int turn = 0; turn < TURNS_MAX && pair.conn == NULL; turn++) {
			(void)SSL_do_handshake(pair.client);
			(void)SSL_do_handshake(pair.server);
		}
		assert_non_null(pair.conn);
		settle(&pair);
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		finish(&pair);
		close_contexts(&pair);
	}
}

/* ---- sizes */

/* How large a struct was that ended with that field. */
#define UP_TO(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* So large, of a caller whose struct ends there: what is read behind it is the sanitizer's to find. */
static void *cut(const void *whole, size_t size)
{
	void *part = malloc(size);

	assert_non_null(part);
	memcpy(part, whole, size);
	memcpy(part, &size, sizeof(size));
	return part;
}

/* No field may ever be added in front of another one, nor into padding: what an older program has there is no zero. */
#define ENDS_WITH(type, field, bytes)                                                      \
	static_assert(UP_TO(type, field) == sizeof(type), "padding at the end of " #type); \
	static_assert(offsetof(type, size) == 0 && sizeof(type) >= (bytes), #type " has become smaller")
#if UINTPTR_MAX == UINT64_MAX
ENDS_WITH(struct thaw_trust_options, max_cert_list, 48);
ENDS_WITH(struct thaw_ask_options, decline_grace_ms, 48);
ENDS_WITH(struct thaw_quota_limits, request_memory, 72);
ENDS_WITH(struct thaw_quota_use, ended, 48);
ENDS_WITH(struct thaw_spool_use, memory_most, 56);
#endif

static void an_older_trust_options_has_the_defaults_for_what_it_lacks(void **state)
{
	const struct thaw_trust_options now = {.ca = in_folder("root.pem"), .purpose = THAW_PURPOSE_ANY, .depth = 1};
	const size_t sizes[] = {UP_TO(struct thaw_trust_options, ca), UP_TO(struct thaw_trust_options, crl_check),
				sizeof(now)};
	thaw_trust *trusts[4] = {NULL};

	(void)state;
	write_certificates("root.pem", &pki.root, 1);
	for (int i = 0; i < 3; i++) {
		struct thaw_trust_options *older = cut(&now, sizes[i]);
		assert_int_equal(thaw_trust_open(older, &trusts[i], NULL), THAW_OK);
		free(older);
	}
	assert_int_equal(thaw_trust_load(in_folder("root.pem"), NULL, &trusts[3], NULL), THAW_OK);
	assert_memory_equal(thaw_trust_id(trusts[0]), thaw_trust_id(trusts[3]), THAW_TRUST_ID_LEN);
	assert_memory_equal(thaw_trust_id(trusts[1]), thaw_trust_id(trusts[3]), THAW_TRUST_ID_LEN);
	assert_memory_not_equal(thaw_trust_id(trusts[2]), thaw_trust_id(trusts[3]), THAW_TRUST_ID_LEN);
	for (int i = 0; i < 4; i++)
		thaw_trust_free(&trusts[i]);
}

static void an_older_ask_has_default_deadlines(void **state)
{
	const struct thaw_ask_options now = {.trust = pki.both, .moment = THAW_MOMENT_HEADERS, .timeout_ms = 5};
	struct thaw_ask_options *older = cut(&now, UP_TO(struct thaw_ask_options, moment));
	struct pair pair = {0};

	(void)state;
	open_server(&pair, TLS1_3_VERSION);
	come(&pair, pki.client, pki.key, NULL);
	assert_int_equal(thaw_conn_ask(pair.conn, older, NOW_MS), THAW_OK);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_PENDING);
	assert_int_equal(thaw_conn_deadline(pair.conn), NOW_MS + 120000);
	settle(&pair);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
	finish(&pair);
	close_contexts(&pair);
	free(older);
}

/* As they might have been. */
struct older_use {
	size_t size;
	uint64_t memory, disk;
};
struct older_held {
	size_t size;
	uint64_t unread;
};

static void an_older_quota_and_its_counts(void **state)
{
	const struct thaw_quota_limits now = {.workers = 1, .memory = 64 * THAW_SPOOL_CHUNK, .request_memory = 1};
	struct thaw_quota_limits *older = cut(&now, UP_TO(struct thaw_quota_limits, disk));
	struct older_use *use = cut(&(struct older_use){0}, sizeof(*use));
	struct older_held *held = cut(&(struct older_held){0}, sizeof(*held));
	thaw_quota *quota = NULL;
	thaw_store *store = NULL;
	thaw_spool *spool = NULL;
	char bytes[3 * THAW_SPOOL_CHUNK] = "";

	(void)state;
	assert_int_equal(thaw_quota_new(older, &quota, NULL), THAW_OK);
	assert_int_equal(thaw_store_new(quota, 0, NULL, &store, NULL), THAW_OK);
	assert_int_equal(thaw_spool_new(store, NULL, UINT64_MAX, &spool, NULL), THAW_OK);
	assert_int_equal(thaw_spool_write(spool, bytes, sizeof(bytes), NULL), THAW_OK); /* more than request_memory */
	assert_int_equal(thaw_quota_read_use(quota, (void *)use), THAW_OK);
	assert_int_equal(thaw_spool_read_use(spool, (void *)held), THAW_OK);
	assert_true(use->memory >= sizeof(bytes));
	assert_int_equal(held->unread, sizeof(bytes));
	assert_int_equal(use->size, sizeof(*use));
	thaw_spool_free(&spool);
	thaw_store_free(&store);
	thaw_quota_free(&quota);
	free(older);
	free(use);
	free(held);
}

/* A program that was compiled with the headers of a later version. */
struct newer {
	struct thaw_trust_options known;
	uint64_t later;
};

static void what_a_newer_struct_adds_must_be_zero(void **state)
{
	struct newer newer = {.known = {.size = sizeof(newer), .ca = in_folder("root.pem")}};
	struct thaw_error err;
	thaw_trust *trust;

	(void)state;
	write_certificates("root.pem", &pki.root, 1);
	assert_int_equal(thaw_trust_open(&newer.known, &trust, &err), THAW_OK);
	thaw_trust_free(&trust);
	newer.later = 1;
	assert_int_equal(thaw_trust_open(&newer.known, &trust, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_USAGE);
	assert_null(trust);
}

/* Their own fields are filled; what the library does not know is zero. */
static void a_newer_result_is_filled_as_far_as_it_is_known(void **state)
{
	struct {
		struct thaw_quota_use known;
		uint64_t later;
	} newer = {.known = {.size = sizeof(newer)}, .later = 7};
	thaw_quota *quota = made_quota_new(&(struct thaw_quota_limits){.memory = 1 << 20, .workers = 1});

	(void)state;
	newer.known.memory = 7;
	assert_int_equal(thaw_quota_read_use(quota, &newer.known), THAW_OK);
	assert_int_equal(newer.known.memory, 0);
	assert_int_equal(newer.later, 0);
	assert_int_equal(newer.known.size, sizeof(newer));
	thaw_quota_free(&quota);
}

static void a_size_that_was_not_set_is_misuse(void **state)
{
	struct thaw_error err = {0};
	struct thaw_quota_limits limits = {.workers = 1, .memory = 1 << 20};
	struct thaw_trust_options options = {.ca = in_folder("root.pem")};
	struct thaw_ask_options ask = {.trust = pki.both, .moment = THAW_MOMENT_HEADERS};
	struct thaw_quota_use use = {0};
	thaw_quota *quota = NULL;
	thaw_trust *trust = NULL;
	struct pair pair = {0};

	(void)state;
	assert_int_equal(thaw_quota_new(&limits, &quota, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_USAGE);
	assert_int_equal(thaw_trust_open(&options, &trust, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_USAGE);
	memset(&options.size, POISON, sizeof(options.size));
	assert_int_equal(thaw_trust_open(&options, &trust, &err), THAW_FAILED);
	quota = made_quota_new(&limits);
	assert_int_equal(thaw_quota_read_use(quota, &use), THAW_FAILED);
	thaw_quota_free(&quota);
	open_server(&pair, TLS1_3_VERSION);
	come(&pair, pki.client, pki.key, NULL);
	assert_int_equal(thaw_conn_ask(pair.conn, &ask, NOW_MS), THAW_FAILED);
	assert_int_equal(thaw_conn_error(pair.conn)->cls, THAW_ERR_USAGE);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_NONE);
	finish(&pair);
	close_contexts(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_need_not_be_initialized),
		cmocka_unit_test(after_success_there_is_no_error),
		cmocka_unit_test(a_conn_may_be_made_in_the_client_hello_callback),
		cmocka_unit_test(an_older_trust_options_has_the_defaults_for_what_it_lacks),
		cmocka_unit_test(an_older_ask_has_default_deadlines),
		cmocka_unit_test(an_older_quota_and_its_counts),
		cmocka_unit_test(what_a_newer_struct_adds_must_be_zero),
		cmocka_unit_test(a_newer_result_is_filled_as_far_as_it_is_known),
		cmocka_unit_test(a_size_that_was_not_set_is_misuse),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
