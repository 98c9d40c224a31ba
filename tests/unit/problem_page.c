/* A refusal as a page: nothing that a client sent becomes markup, and the policy fits the page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "gateway/problem_page.h"
#include "gateway/problem_words.h"
#include "gateway/request_id.h"
#include "tls/digest.h"

static const struct gw_asker visitor = {.id = "0123456789abcdef", .wall_ms = 1795446198123, .page = true};
static const struct gw_asker program = {.id = "0123456789abcdef", .wall_ms = 1795446198123};

/* The page as a string, which the caller frees. */
static char *page_of(const struct gw_problem_facts *facts)
{
	size_t len = 0;
	char *page = gw_problem_page(facts, &len);

	assert_non_null(page);
	char *text = malloc(len + 1);
	assert_non_null(text);
	memcpy(text, page, len);
	text[len] = '\0';
	free(page);
	return text;
}

static void what_a_client_sent_is_text(void **state)
{
	const struct gw_problem_facts facts = {
		.asker = &visitor,
		.status = 307,
		.reason = "<i>reason</i>",
		.heading = "<b>heading</b>",
		.detail = "a & b: <script>alert('1')</script>",
		.steps = "one <1>\ntwo \"2\"",
		.location = "https://other/\"><script src='//x'></script>?a&b",
	};
	char *page = page_of(&facts);

	(void)state;
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<i>"));
	assert_null(strstr(page, "<b>"));
	assert_non_null(strstr(page, "a &amp; b: &lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"));
	assert_non_null(strstr(page,
			       "<a href=\"https://other/&quot;&gt;&lt;script src=&#39;//x&#39;&gt;&lt;/script&gt;?"
			       "a&amp;b\">"));
	assert_non_null(strstr(page, "<li>one &lt;1&gt;</li>\n<li>two &quot;2&quot;</li>\n"));
	assert_non_null(strstr(page, "0123456789abcdef"));
	assert_non_null(strstr(page, "2026-11-23 15:03:18 UTC"));
	free(page);
}

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void the_policy_has_the_hash_of_the_style(void **state)
{
	const struct gw_problem_facts facts = {
		.asker = &visitor, .status = 404, .reason = "r", .heading = "h", .detail = "d", .steps = "s"};
	char *page = page_of(&facts), hex[TLS_DIGEST_HEX], want[64] = "'sha256-";
	const char *begin = strstr(page, "<style>") + 7, *end = strstr(page, "</style>");
	struct tls_digest *digest = tls_digest_new();
	uint8_t bytes[32];

	(void)state;
	assert_non_null(digest);
	assert_true(tls_digest_add(digest, begin, (size_t)(end - begin)));
	assert_true(tls_digest_end(digest, hex));
	tls_digest_free(&digest);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	base64_encode(bytes, sizeof(bytes), want + strlen(want));
	assert_non_null(strstr(GW_PAGE_POLICY, want));
	free(page);
}

static void check(struct gw_reply *reply, const char *type, bool policy)
{
	assert_string_equal(reply->content_type, type);
	assert_int_equal(reply->policy != NULL, policy);
	assert_non_null(memmem(reply->body, reply->body_len, visitor.id, strlen(visitor.id)));
	gw_reply_free(reply);
	assert_null(reply->body);
}

static void each_refusal_is_a_page_or_json(void **state)
{
	static const struct http_refusal refusal = {.status = 400, .why = "why"};
	struct gw_reply reply;

	(void)state;
	for (unsigned i = 0; i < GW_PROBLEMS; i++) {
		const struct gw_problem_words *words = gw_problem_words((enum gw_problem)i);
		assert_true(words->heading[0] != '\0' && words->steps[0] != '\0');
		assert_true(gw_problem_reply((enum gw_problem)i, &refusal, &visitor, &reply));
		check(&reply, "text/html; charset=utf-8", true);
		assert_true(gw_problem_reply((enum gw_problem)i, &refusal, &program, &reply));
		check(&reply, "application/problem+json", false);
	}
	for (unsigned i = 0; i <= THAW_REASON_BUDGET_PRESSURE; i++) {
		const struct gw_problem_words *words = gw_reason_words((enum thaw_reason)i);
		const struct gw_refused refused = {
			.verdict = THAW_VERDICT_IMPOSSIBLE, .reason = (enum thaw_reason)i, .detail = "x"};
		assert_true(words->heading[0] != '\0' && words->steps[0] != '\0');
		assert_true(gw_problem_verdict(&refused, &visitor, &reply));
		check(&reply, "text/html; charset=utf-8", true);
		assert_true(gw_problem_verdict(&refused, &program, &reply));
		check(&reply, "application/problem+json", false);
	}
}

static void a_redirection_names_where_in_the_page_too(void **state)
{
	const struct gw_refused refused = {.verdict = THAW_VERDICT_IMPOSSIBLE,
					   .reason = THAW_REASON_NO_POST_HANDSHAKE,
					   .detail = "",
					   .elsewhere = "https://other",
					   .target = {"/a?b", 4}};
	struct gw_reply reply;

	(void)state;
	assert_true(gw_problem_verdict(&refused, &visitor, &reply));
	assert_int_equal(reply.status, 307);
	assert_string_equal(reply.location, "https://other/a?b");
	assert_non_null(memmem(reply.body, reply.body_len, "href=\"https://other/a?b\"", 24));
	gw_reply_free(&reply);
}

/* Text that is too long, once escaped, fails whole: half a page is never sent. */
static void a_page_has_a_ceiling(void **state)
{
	size_t room = GW_PAGE_MAX / 4, len = 0;
	char *detail = malloc(room + 1);

	(void)state;
	assert_non_null(detail);
	memset(detail, '<', room);
	detail[room] = '\0';
	assert_null(gw_problem_page(&(struct gw_problem_facts){.asker = &visitor,
							       .status = 404,
							       .reason = "r",
							       .heading = "h",
							       .detail = detail,
							       .steps = "s"},
				    &len));
	free(detail);
}

static void ids_are_of_one_form_and_differ(void **state)
{
	enum { COUNT = 1000 };
	static char made[COUNT][GW_REQUEST_ID_ROOM];
	struct gw_request_ids ids = {.left = 0};

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		gw_request_id(&ids, made[i]);
		assert_int_equal(strlen(made[i]), GW_REQUEST_ID_ROOM - 1);
		assert_int_equal(strspn(made[i], "0123456789abcdefghjkmnpqrstvwxyz"), GW_REQUEST_ID_ROOM - 1);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(made[k], made[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_client_sent_is_text),
		cmocka_unit_test(the_policy_has_the_hash_of_the_style),
		cmocka_unit_test(each_refusal_is_a_page_or_json),
		cmocka_unit_test(a_redirection_names_where_in_the_page_too),
		cmocka_unit_test(a_page_has_a_ceiling),
		cmocka_unit_test(ids_are_of_one_form_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
