/* Names of upstreams, looked up with a name server of the test's own. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <ares.h>
#include <cmocka.h>

#include "dns.h"
#include "loop/resolve.h"

#define TURNS_SPENT 10 /* that c-ares gets to notice that it has no memory */

static struct dns dns;
static struct resolver *resolver;
static bool within; /* one of the resolver's functions */

static int set_up(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	if (!loop_world_open() || !dns_open(&dns))
		return -1;
	resolver = resolver_new(loop, dns.servers, &now_ms, &err);
	return resolver != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	resolver_free(&resolver);
	dns_close(&dns);
	loop_world_close();
	return 0;
}

/* ---- one who asks ---- */

struct asker {
	struct resolve_wait wait;
	const char *name;
	unsigned calls;
	enum thaw_status status;
	struct resolved found;
	struct thaw_error err;
};

static void find(struct asker *asker)
{
	const struct resolved *resolved = NULL;

	asker->err = (struct thaw_error){0};
	within = true;
	asker->status = resolver_find(resolver, asker->name, &asker->wait, &resolved, &asker->err);
	within = false;
	if (asker->status == THAW_OK)
		asker->found = *resolved;
}

static void on_done(void *arg)
{
	struct asker *asker = arg;

	assert_false(within);
	asker->calls++;
	find(asker);
}

static void ask(struct asker *asker, const char *name)
{
	*asker = (struct asker){.name = name, .wait = {.done = on_done, .arg = asker}};
	find(asker);
}

static enum thaw_status ask_and_wait(struct asker *asker, const char *name)
{
	ask(asker, name);
	RUN_UNTIL(asker->status != THAW_WANT_READ);
	return asker->status;
}

static bool has(const struct asker *asker, const char *address)
{
	for (size_t i = 0; i < asker->found.count; i++) {
		const struct sockaddr_storage *at = &asker->found.addresses[i];
		char text[INET6_ADDRSTRLEN];
		const void *bytes = at->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)at)->sin_addr
							     : &((const struct sockaddr_in6 *)at)->sin6_addr;
		if (strcmp(inet_ntop(at->ss_family, bytes, text, sizeof(text)), address) == 0)
			return true;
	}
	return false;
}

/* ---- answers ---- */

static void both_families_are_found(void **state)
{
	struct asker asker;

	(void)state;
	dns.v4[0] = "192.0.2.1";
	dns.v4[1] = "192.0.2.2";
	dns.v6[0] = "2001:db8::1";
	ask(&asker, "app.test");
	assert_int_equal(asker.status, THAW_WANT_READ);
	RUN_UNTIL(asker.status != THAW_WANT_READ);
	assert_int_equal(asker.status, THAW_OK);
	assert_int_equal(asker.calls, 1);
	assert_int_equal(asker.found.count, 3);
	assert_true(has(&asker, "192.0.2.1") && has(&asker, "192.0.2.2") && has(&asker, "2001:db8::1"));
	assert_int_equal(dns.asked, 2);
}

static void one_family_is_enough(void **state)
{
	struct asker asker;

	(void)state;
	dns.v6[0] = "2001:db8::7";
	assert_int_equal(ask_and_wait(&asker, "six.test"), THAW_OK);
	assert_int_equal(asker.found.count, 1);
	assert_true(has(&asker, "2001:db8::7"));
	dns.v6[0] = NULL;
	dns.v4[0] = "192.0.2.7";
	assert_int_equal(ask_and_wait(&asker, "four.test"), THAW_OK);
	assert_int_equal(asker.found.count, 1);
	assert_true(has(&asker, "192.0.2.7"));
}

static void more_addresses_than_are_kept_do_no_harm(void **state)
{
	struct asker asker;

	(void)state;
	for (size_t i = 0; i < RESOLVE_ADDRESSES + 4; i++)
		dns.v4[i] = "192.0.2.9";
	assert_int_equal(ask_and_wait(&asker, "many.test"), THAW_OK);
	assert_int_equal(asker.found.count, RESOLVE_ADDRESSES);
}

static void a_long_answer_comes_by_tcp(void **state)
{
	struct asker asker;

	(void)state;
	dns.manner = DNS_BY_TCP;
	dns.v4[0] = "192.0.2.3";
	assert_int_equal(ask_and_wait(&asker, "long.test"), THAW_OK);
	assert_true(has(&asker, "192.0.2.3"));
	assert_true(dns.by_tcp > 0);
}

static void lookups_of_one_name_share_one_query(void **state)
{
	struct asker askers[5], other;

	(void)state;
	dns.v4[0] = "192.0.2.1";
	for (size_t i = 0; i < 5; i++)
		ask(&askers[i], "shared.test");
	ask(&other, "other.test");
	resolver_cancel(&askers[2].wait); /* he is not told */
	for (size_t i = 0; i < 5; i++)
		RUN_UNTIL(i == 2 || askers[i].status == THAW_OK);
	RUN_UNTIL(other.status == THAW_OK);
	assert_int_equal(askers[2].calls, 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(askers[i].calls, i != 2);
	assert_int_equal(dns.asked, 4);   /* two names, two families */
	resolver_cancel(&askers[2].wait); /* does no harm */
}

/* localhost is in every /etc/hosts: no name server is asked, and it is looked at again after a minute. */
static void the_hosts_file_is_read(void **state)
{
	struct asker asker;

	(void)state;
	dns.v4[0] = "192.0.2.1";
	ask(&asker, "localhost");
	assert_int_equal(asker.status, THAW_OK);
	assert_int_equal(asker.calls, 0);
	assert_true(has(&asker, "127.0.0.1"));
	put_forward(RESOLVE_TTL_NONE + 1);
	ask(&asker, "localhost");
	assert_int_equal(asker.status, THAW_OK);
	assert_int_equal(dns.asked, 0);
}

/* ---- time to live ---- */

/* The name is asked for again after that many ms, and not before. */
static void expect_kept_for(const char *name, uint64_t ms)
{
	struct asker asker;

	dns.v4[0] = "192.0.2.1";
	assert_int_equal(ask_and_wait(&asker, name), THAW_OK);
	unsigned asked = dns.asked;
	uint64_t found_ms = now_ms;
	put_forward(ms - ms / 4);
	assert_int_equal(ask_and_wait(&asker, name), THAW_OK);
	assert_int_equal(dns.asked, asked);
	assert_int_equal(asker.calls, 0);
	assert_true(has(&asker, "192.0.2.1"));
	dns.v4[0] = "192.0.2.2"; /* it has moved */
	put_forward(found_ms + ms - now_ms);
	assert_int_equal(ask_and_wait(&asker, name), THAW_OK);
	assert_true(dns.asked > asked);
	assert_int_equal(asker.calls, 1);
	assert_true(has(&asker, "192.0.2.2"));
	assert_false(has(&asker, "192.0.2.1"));
}

static void answers_are_kept_until_their_time_ends(void **state)
{
	(void)state;
	dns.ttl = 300;
	expect_kept_for("five-minutes.test", 300000);
	dns.ttl = 0; /* at least a second, else each request would ask */
	expect_kept_for("not-at-all.test", RESOLVE_TTL_MIN);
	dns.ttl = 86400; /* at most an hour */
	expect_kept_for("a-day.test", RESOLVE_TTL_MAX);
	dns.ttl = 0xffffffff; /* RFC 2181 8: as if it were 0 */
	expect_kept_for("for-ever.test", RESOLVE_TTL_MIN);
}

static void an_alias_ends_with_its_own_time(void **state)
{
	(void)state;
	dns.cname = true;
	dns.ttl = 300;
	dns.cname_ttl = 20;
	expect_kept_for("alias.test", 20000);
}

/* ---- failures ---- */

static void a_name_that_is_not_there_is_not_asked_for_at_every_request(void **state)
{
	struct asker asker;

	(void)state;
	dns.manner = DNS_NXDOMAIN;
	assert_int_equal(ask_and_wait(&asker, "missing.test"), THAW_FAILED);
	assert_int_equal(asker.err.cls, THAW_ERR_SYSTEM);
	assert_non_null(strstr(asker.err.text, "missing.test: "));
	assert_non_null(strstr(asker.err.text, "not found"));
	unsigned asked = dns.asked;
	ask(&asker, "missing.test");
	assert_int_equal(asker.status, THAW_FAILED);
	assert_int_equal(dns.asked, asked);
	put_forward(RESOLVE_AGAIN_MS);
	dns.manner = DNS_ANSWERS;
	dns.v4[0] = "192.0.2.1";
	assert_int_equal(ask_and_wait(&asker, "missing.test"), THAW_OK);
	assert_true(has(&asker, "192.0.2.1"));
}

static void answers_that_are_none_are_failures(void **state)
{
	static const enum dns_manner manners[] = {DNS_EMPTY, DNS_CUT};

	(void)state;
	dns.v4[0] = "192.0.2.1";
	dns.v6[0] = "2001:db8::1";
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
		struct asker asker;
		dns.manner = manners[i];
		assert_int_equal(ask_and_wait(&asker, i == 0 ? "empty.test" : "cut.test"), THAW_FAILED);
		assert_int_equal(asker.err.cls, THAW_ERR_SYSTEM);
		assert_true(dns.asked > 0);
	}
}

/* Anybody may send such: the true answer is waited for. */
static void what_is_no_answer_to_the_question_is_ignored(void **state)
{
	static const enum dns_manner manners[] = {DNS_SHORT, DNS_WRONG_ID};

	(void)state;
	dns.v4[0] = "192.0.2.1";
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
		struct asker asker;
		unsigned asked = dns.asked;
		dns.manner = manners[i];
		ask(&asker, i == 0 ? "short.test" : "wrong.test");
		RUN_UNTIL(dns.asked >= asked + 2);
		dns.manner = DNS_ANSWERS; /* when it is asked for the second time */
		RUN_UNTIL(asker.status != THAW_WANT_READ);
		assert_int_equal(asker.status, THAW_OK);
		assert_true(dns.asked > asked + 2);
	}
}

static void a_silent_name_server_is_given_up(void **state)
{
	struct asker asker;

	(void)state;
	dns.manner = DNS_SILENT;
	assert_int_equal(ask_and_wait(&asker, "silent.test"), THAW_FAILED);
	assert_int_equal(asker.calls, 1);
	assert_true(dns.asked >= 4); /* more than once */
	assert_non_null(strstr(asker.err.text, "silent.test: "));
}

static void a_name_server_that_is_not_there_is_a_failure(void **state)
{
	struct asker asker;

	(void)state;
	ev_io_stop(loop, &dns.udp_io);
	(void)close(dns.udp);
	/* Newer releases of c-ares notice at once. */
	ask(&asker, "nobody.test");
	unsigned waited = asker.status == THAW_WANT_READ;
	RUN_UNTIL(asker.status != THAW_WANT_READ);
	assert_int_equal(asker.status, THAW_FAILED);
	assert_int_equal(asker.calls, waited);
	dns.udp = -1;
}

/* ---- old answers ---- */

static void an_old_answer_is_used_while_no_new_one_can_be_had(void **state)
{
	struct asker asker;

	(void)state;
	dns.ttl = 10;
	dns.v4[0] = "192.0.2.1";
	assert_int_equal(ask_and_wait(&asker, "old.test"), THAW_OK);
	put_forward(10000);
	dns.manner = DNS_NXDOMAIN;
	assert_int_equal(ask_and_wait(&asker, "old.test"), THAW_OK); /* after it has tried */
	assert_int_equal(asker.calls, 1);
	assert_true(has(&asker, "192.0.2.1"));
	/* while that goes on nobody waits, and the name server is asked in the background */
	for (int i = 0; i < 5; i++) {
		unsigned asked = dns.asked;
		while (dns.asked < asked + 2) {
			put_forward(RESOLVE_AGAIN_MS);
			ask(&asker, "old.test");
			assert_int_equal(asker.status, THAW_OK);
			assert_true(has(&asker, "192.0.2.1"));
			turn_once();
		}
	}
	/* it comes back, with another address */
	dns.manner = DNS_ANSWERS;
	dns.v4[0] = "192.0.2.2";
	do {
		put_forward(RESOLVE_AGAIN_MS);
		ask(&asker, "old.test");
		assert_int_equal(asker.status, THAW_OK);
		turn_once();
	} while (!has(&asker, "192.0.2.2"));
	/* for ten minutes, and no longer */
	put_forward(10000 + RESOLVE_STALE_MS);
	dns.manner = DNS_NXDOMAIN;
	assert_int_equal(ask_and_wait(&asker, "old.test"), THAW_FAILED);
}

static bool late; /* much later than the resolver's patience, and before c-ares gives up */

static void on_late(struct ev_loop *of, ev_timer *timer, int events)
{
	(void)of;
	(void)timer;
	(void)events;
	late = true;
}

/* The lookup goes on; who asks is not made to wait for its end. */
static void an_old_answer_is_used_when_the_new_one_takes_long(void **state)
{
	struct asker first, second;

	(void)state;
	dns.ttl = 10;
	dns.v4[0] = "192.0.2.1";
	assert_int_equal(ask_and_wait(&first, "slow.test"), THAW_OK);
	put_forward(10000);
	dns.manner = DNS_SILENT;
	unsigned asked = dns.asked;
	ev_timer timer;
	ev_timer_init(&timer, on_late, 3., 0.);
	ev_timer_start(loop, &timer);
	late = false;
	assert_int_equal(ask_and_wait(&first, "slow.test"), THAW_OK);
	assert_int_equal(first.calls, 1);
	assert_false(late);
	ev_timer_stop(loop, &timer);
	assert_true(has(&first, "192.0.2.1"));
	ask(&second, "slow.test");
	assert_int_equal(second.status, THAW_OK);
	assert_int_equal(second.calls, 0);
	/* c-ares asks again by itself, and then it is answered */
	RUN_UNTIL(dns.asked >= asked + 2);
	dns.manner = DNS_ANSWERS;
	dns.v4[0] = "192.0.2.2";
	do {
		turn_once();
		ask(&second, "slow.test");
		assert_int_equal(second.status, THAW_OK);
	} while (!has(&second, "192.0.2.2"));
}

/* ---- beginning and end ---- */

static struct asker chained[2];

static void on_chain(void *arg)
{
	(void)arg;
	chained[0].calls++;
	ask(&chained[1], "second.test");
	find(&chained[0]);
}

static void a_callback_may_start_another_lookup(void **state)
{
	(void)state;
	dns.v4[0] = "192.0.2.1";
	chained[0] = (struct asker){.name = "first.test", .wait = {.done = on_chain}};
	chained[1].status = THAW_WANT_READ;
	find(&chained[0]);
	RUN_UNTIL(chained[1].status == THAW_OK);
	assert_int_equal(chained[0].status, THAW_OK);
	assert_int_equal(chained[0].calls, 1);
	assert_int_equal(chained[1].calls, 1);
}

static void it_may_end_in_the_middle(void **state)
{
	struct asker askers[3];

	(void)state;
	dns.manner = DNS_SILENT;
	ask(&askers[0], "one.test");
	ask(&askers[1], "one.test");
	ask(&askers[2], "two.test");
	RUN_UNTIL(dns.asked > 0);
	resolver_free(&resolver);
	assert_null(resolver);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(askers[i].calls, 0);
		assert_false(askers[i].wait.waiting);
		resolver_cancel(&askers[i].wait);
	}
	resolver_free(&resolver);
}

static void name_servers_must_be_addresses(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	assert_null(resolver_new(loop, "not an address", &now_ms, &err));
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	assert_non_null(strstr(err.text, "cannot initialize name lookups"));
}

/* c-ares 1.34 itself loses some of what it has when it gets no more. Its functions of these names are new in it. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:ares_malloc_zero\nleak:ares_realloc_zero\n";
}

static unsigned allocations_left = UINT_MAX; /* UINT_MAX: as many as it wants */

static bool may_allocate(void)
{
	if (allocations_left == UINT_MAX)
		return true;
	if (allocations_left > 0)
		allocations_left--;
	return allocations_left > 0;
}

static void *allocate(size_t len)
{
	return may_allocate() ? malloc(len) : NULL;
}

static void *reallocate(void *old, size_t len)
{
	return may_allocate() ? realloc(old, len) : NULL;
}

static void a_resolver_without_memory_is_none(void **state)
{
	unsigned spent = 1, failed = 0;

	(void)state;
	resolver_free(&resolver);
	assert_int_equal(ares_library_init_mem(ARES_LIB_INIT_ALL, allocate, free, reallocate), ARES_SUCCESS);
	for (unsigned k = 1; spent > 0; k++) {
		struct thaw_error err = {0};
		allocations_left = k;
		resolver = resolver_new(loop, dns.servers, &now_ms, &err);
		spent = allocations_left == 0;
		allocations_left = UINT_MAX;
		assert_int_equal(resolver == NULL, err.cls != THAW_ERR_NONE);
		failed += resolver == NULL;
		resolver_free(&resolver);
	}
	assert_true(failed > 3);
	ares_library_cleanup();
}

/*
 * From the k-th allocation on c-ares gets no memory, for every k: who asks hears it at once, or is told, or waits for a
 * time that c-ares sees to (as for a name server that is silent), in which the resolver may end. /etc/hosts has been
 * read before: without memory for a line of it c-ares 1.34 goes on using what it has freed.
 */
static void without_memory_nothing_is_lost(void **state)
{
	unsigned spent = 1, failed = 0;

	(void)state;
	dns.v4[0] = "192.0.2.1";
	dns.v6[0] = "2001:db8::1";
	resolver_free(&resolver);
	assert_int_equal(ares_library_init_mem(ARES_LIB_INIT_ALL, allocate, free, reallocate), ARES_SUCCESS);
	for (unsigned k = 1; spent > 0; k++) {
		struct thaw_error err = {0};
		struct asker asker;
		resolver = resolver_new(loop, dns.servers, &now_ms, &err);
		assert_non_null(resolver);
		ask(&asker, "localhost");
		allocations_left = k;
		ask(&asker, "memory.test");
		for (int turn = 0; asker.status == THAW_WANT_READ && (allocations_left > 0 || turn < TURNS_SPENT);
		     turn++)
			turn_once();
		spent = allocations_left == 0;
		allocations_left = UINT_MAX;
		failed += asker.status == THAW_FAILED;
		if (asker.status == THAW_FAILED) { /* and afterwards all is well */
			assert_string_not_equal(asker.err.text, "");
			put_forward(RESOLVE_AGAIN_MS);
			assert_int_equal(ask_and_wait(&asker, "memory.test"), THAW_OK);
		}
		resolver_free(&resolver);
	}
	assert_true(failed > 10);
	ares_library_cleanup();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(both_families_are_found),
		TEST(one_family_is_enough),
		TEST(more_addresses_than_are_kept_do_no_harm),
		TEST(a_long_answer_comes_by_tcp),
		TEST(lookups_of_one_name_share_one_query),
		TEST(the_hosts_file_is_read),
		TEST(answers_are_kept_until_their_time_ends),
		TEST(an_alias_ends_with_its_own_time),
		TEST(a_name_that_is_not_there_is_not_asked_for_at_every_request),
		TEST(answers_that_are_none_are_failures),
		TEST(what_is_no_answer_to_the_question_is_ignored),
		TEST(a_silent_name_server_is_given_up),
		TEST(a_name_server_that_is_not_there_is_a_failure),
		TEST(an_old_answer_is_used_while_no_new_one_can_be_had),
		TEST(an_old_answer_is_used_when_the_new_one_takes_long),
		TEST(a_callback_may_start_another_lookup),
		TEST(it_may_end_in_the_middle),
		TEST(name_servers_must_be_addresses),
		TEST(a_resolver_without_memory_is_none),
		TEST(without_memory_nothing_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
