/* What is decided from a ClientHello, for every host and every client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls/offer.h"

enum { BITS = 10 };

static bool bit(unsigned of, unsigned n)
{
	return (of >> n & 1) != 0;
}

/* Each host with each client: the number's bits, and one of the kinds. */
static void each(void (*check)(const struct tls_policy *manner, const struct tls_hello *hello))
{
	for (unsigned of = 0; of < 1U << BITS; of++)
		for (int http2 = TLS_HTTP2_OFF; http2 <= TLS_HTTP2_ON; http2++)
			for (int kind = 0; kind < TLS_KINDS; kind++) {
				struct tls_policy manner = {.http2 = (enum tls_http2)http2,
							    .asks_late = bit(of, 0),
							    .hold_to_tls12 = bit(of, 1),
							    .no_tls13 = bit(of, 2)};
				struct tls_hello hello = {.tls12 = bit(of, 3),
							  .tls13 = bit(of, 4),
							  .h2 = bit(of, 5),
							  .http1 = bit(of, 6),
							  .post_handshake = bit(of, 7),
							  .extended_master = bit(of, 8),
							  .resumes = bit(of, 9),
							  .kind = (enum tls_client_kind)kind};
				check(&manner, &hello);
			}
}

static void check_http2(const struct tls_policy *manner, const struct tls_hello *hello)
{
	bool offers = tls_offers_http2(manner, hello);
	bool browser = hello->kind == TLS_KIND_CHROMIUM || hello->kind == TLS_KIND_FIREFOX;

	if (!hello->h2 || manner->http2 == TLS_HTTP2_OFF)
		assert_false(offers);
	else if (manner->http2 == TLS_HTTP2_ON || !manner->asks_late)
		assert_true(offers);
	else
		assert_int_equal(offers, browser && hello->tls13 && !manner->no_tls13);
}

static void http2_is_offered_to_clients_that_can_still_be_asked(void **state)
{
	(void)state;
	each(check_http2);
}

static void check_follow(const struct tls_policy *manner, const struct tls_hello *hello)
{
	bool may = tls_may_follow(manner, hello);

	assert_false(may && tls_offers_http2(manner, hello));
	assert_false(may && (!manner->asks_late || manner->no_tls13 || !hello->tls13 || hello->h2 || !hello->http1));
	assert_false(may && !tls_kind_retries(hello->kind));
	if (manner->asks_late && !manner->no_tls13 && hello->tls13 && !hello->h2 && hello->http1 &&
	    hello->kind == TLS_KIND_FIREFOX)
		assert_true(may);
}

static void browsers_follow_with_http1_alone_over_tls13(void **state)
{
	(void)state;
	each(check_follow);
}

static void check_hold(const struct tls_policy *manner, const struct tls_hello *hello)
{
	bool held = tls_holds_to_tls12(manner, hello, false);

	assert_false(tls_holds_to_tls12(manner, hello, true));
	assert_false(held && (!manner->hold_to_tls12 || !hello->tls12 || hello->post_handshake));
	assert_false(held && tls_offers_http2(manner, hello));
	if (manner->hold_to_tls12 && hello->tls12 && !hello->post_handshake && !hello->h2)
		assert_true(held);
}

static void http2_and_on_demand_clients_are_not_limited_to_tls12(void **state)
{
	(void)state;
	each(check_hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http2_is_offered_to_clients_that_can_still_be_asked),
		cmocka_unit_test(browsers_follow_with_http1_alone_over_tls13),
		cmocka_unit_test(http2_and_on_demand_clients_are_not_limited_to_tls12),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
