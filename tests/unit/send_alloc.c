/* Each allocation of an upload fails in turn, ours and libcurl's, and of OpenSSL's some: it is told, nothing is lost,
 * and what is said to have arrived has. */
#include "upload_world.h"

#include <curl/curl.h>

#include "../fault/alloc.h"
#include "send/request.h"
#include "send/send.h"

#define BODY  40000 /* some records */
#define BEGUN 17000 /* what the server has of it, for --resume */
#define STEP  41    /* with OpenSSL's allocations, which are thousands */

static char file[80], body[BODY];

/* ---- bodies ---- */

static bool is_form;

static void open_body(bool failing)
{
	const struct send_part parts[] = {{.name = "a", .file = file}, {.name = "b", .file = file}};
	struct thaw_error err = {0};
	unsigned files = open_files();

	fault_inside(true);
	struct send_body *opened = send_body_open(file, parts, is_form ? 2 : 0, &err);
	fault_inside(false);
	assert_int_equal(opened == NULL, failing);
	if (opened == NULL)
		assert_int_equal(err.cls, THAW_ERR_RESOURCE);
	else
		assert_true(send_body_length(opened) >= (is_form ? 2 * BODY : BODY));
	send_body_close(&opened);
	assert_null(opened);
	assert_int_equal(open_files(), files);
}

static void a_body_without_memory(void **state)
{
	(void)state;
	is_form = false;
	assert_int_equal(fault_each(open_body, 1), 1);
	is_form = true;
	assert_int_equal(fault_each(open_body, 1), 8); /* itself, two heads, an end */
}

/* ---- what libcurl is told ---- */

static size_t count_lines(const struct curl_slist *list)
{
	size_t count = 0;

	for (; list != NULL; list = list->next)
		count++;
	return count;
}

/* A header line that is left out would make another request of it. */
static void set_request(bool failing)
{
	const struct send_options options = {.url = shop_url,
					     .method = "POST",
					     .headers = {"A: b", "Content-Language: en"},
					     .header_count = 2,
					     .connect_to = (const char *const[]){"127.0.0.1:1:a:1", ":::2"},
					     .connect_to_count = 2,
					     .sni = "b",
					     .prime_url = shop_url,
					     .ca = ca,
					     .stall_ms = 1000};
	const struct resume part = {.from = BEGUN, .etag = "\"e\""};
	struct thaw_error err = {0};
	struct send_body *opened = send_body_open(file, NULL, 0, &err);
	struct request request = {.options = &options, .easy = curl_easy_init(), .body = opened};

	assert_non_null(opened);
	assert_non_null(request.easy);
	fault_inside(true);
	bool ok = request_prepare(&request) && request_set_part(&request, &part);
	fault_inside(false);
	assert_int_equal(ok, !failing);
	if (ok) {
		assert_int_equal(count_lines(request.plain), 7);
		assert_int_equal(count_lines(request.expecting), 7);
		assert_int_equal(count_lines(request.priming), 2);
		assert_int_equal(count_lines(request.connect_to), 3);
		assert_string_equal(request.connect_to->data, "b:1:a:1");
	}
	assert_true(request_set_part(&request, NULL)); /* with memory again */
	assert_int_equal(count_lines(request.plain), request.host != NULL ? 5 : 4);
	assert_int_equal(send_body_length(opened), BODY);
	curl_easy_cleanup(request.easy);
	request_free(&request);
	send_body_close(&opened);
}

static void a_request_without_memory(void **state)
{
	(void)state;
	assert_true(fault_each(set_request, 1) > 40);
}

/* ---- whole uploads ---- */

static struct {
	enum send_tls tls;
	enum send_choice prime;
	bool form, resumes, puts_together, twice;
} upload;

static unsigned done, failed;
static bool openssl_is_spared;

static void spare_openssl(bool spared)
{
	openssl_is_spared = spared;
	fault_openssl(!spared);
}

static void on_news(void *arg, const struct send_news *news)
{
	(void)arg;
	if (news->kind == SEND_NEWS_NOTE)
		assert_int_not_equal(news->text[0], '\0');
}

static bool on_answer(void *arg, const char *bytes, size_t len)
{
	(void)arg;
	(void)bytes;
	return len > 0;
}

/* What is said to have been done was: by the certificate's owner, and no byte is missing. */
static void check_done(const struct send_result *result)
{
	assert_int_equal(result->cause, SEND_DONE);
	assert_int_equal(result->status, 200);
	assert_true(shop->with_certificate);
	assert_true(shop->uploads > 0);
	if (upload.form) {
		assert_int_equal(result->sent, shop->len);
		assert_non_null(memmem(shop->bytes, shop->len, body, BODY));
	} else {
		assert_int_equal(shop->len, BODY);
		assert_memory_equal(shop->bytes, body, BODY);
		assert_int_equal(result->resumed_from + result->sent, BODY);
	}
}

/* libcurl has no other words for it where it makes an address of a numeric one. */
static bool is_of_memory(const struct send_result *result)
{
	return result->cause == SEND_NO_ROOM || strstr(result->err.text, "malloc failure") != NULL ||
	       strstr(result->err.text, "Could not resolve host") != NULL;
}

/* And nothing stands still for want of memory. */
static void check_failed(const struct send_result *result)
{
	assert_int_not_equal(result->cause, SEND_DONE);
	assert_true(result->cause != SEND_STALLED && result->cause != SEND_TIMEOUT);
	assert_true(!openssl_is_spared || is_of_memory(result));
}

static void send_it(bool failing)
{
	const struct send_options options = {.url = shop_url,
					     .method = upload.form ? "POST" : "PUT",
					     .file = file,
					     .parts = {{"a", file}},
					     .part_count = upload.form,
					     .headers = {"A: b"},
					     .header_count = 1,
					     .credentials = credentials,
					     .ca = ca,
					     .tls = upload.tls,
					     .prime = upload.prime,
					     .resume = upload.resumes,
					     .stall_ms = 30000,
					     .tell = on_news,
					     .take = on_answer};
	struct send_result result;
	unsigned files = open_files();

	shop_reset(true, upload.puts_together);
	if (upload.resumes) {
		memcpy(shop->bytes, body, BEGUN);
		shop->len = BEGUN;
	}
	fault_inside(true);
	struct send_session *session = NULL;
	enum thaw_status status = send_run(&options, upload.twice ? &session : NULL, &result);
	if (upload.twice && status == THAW_OK)
		status = send_run(&options, &session, &result);
	fault_inside(false);
	assert_true(failing || result.reused == upload.twice);
	send_session_end(&session);
	if (status == THAW_OK)
		check_done(&result);
	else
		check_failed(&result);
	if (!failing) {
		assert_int_equal(status, THAW_OK);
		assert_int_equal(result.primed, upload.prime != SEND_NEVER);
		assert_int_equal(result.resumed_from, upload.resumes && upload.puts_together ? BEGUN : 0);
	}
	done += status == THAW_OK;
	failed += status != THAW_OK;
	assert_int_equal(open_files(), files);
}

static unsigned long each_upload(unsigned long step)
{
	done = failed = 0;
	unsigned long count = fault_each(send_it, step);
	assert_true(failed > 0 && done > 1); /* some can be borne */
	send_it(false);                      /* with memory again */
	return count;
}

static void an_upload_without_memory(void **state)
{
	(void)state;
	memset(&upload, 0, sizeof(upload));
	for (upload.prime = SEND_AUTO; upload.prime <= SEND_NEVER; upload.prime++) {
		upload.form = upload.prime == SEND_ALWAYS;
		spare_openssl(true);
		assert_true(each_upload(1) > 80);
	}
	memset(&upload, 0, sizeof(upload));
	spare_openssl(false);
	for (upload.tls = SEND_TLS_12; upload.tls <= SEND_TLS_13; upload.tls++)
		assert_true(each_upload(STEP) > 1000);
}

static void a_second_upload_on_the_same_connection_without_memory(void **state)
{
	(void)state;
	memset(&upload, 0, sizeof(upload));
	spare_openssl(true);
	upload.twice = true;
	assert_true(each_upload(1) > 120);
	spare_openssl(false);
}

static void resuming_without_memory(void **state)
{
	(void)state;
	memset(&upload, 0, sizeof(upload));
	spare_openssl(true);
	upload.resumes = true;
	for (int together = 0; together < 2; together++) {
		upload.puts_together = together == 1;
		assert_true(each_upload(3) > 100);
	}
	spare_openssl(false);
}

static int set_up(void **state)
{
	if (open_shop(state) != 0)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/body", folder);
	for (size_t i = 0; i < BODY; i++)
		body[i] = (char)('a' + i * i % 23);
	FILE *to = fopen(file, "w");
	return to != NULL && fwrite(body, 1, BODY, to) == BODY && fclose(to) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)unlink(file);
	return close_shop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_without_memory),
		cmocka_unit_test(a_request_without_memory),
		cmocka_unit_test(an_upload_without_memory),
		cmocka_unit_test(a_second_upload_on_the_same_connection_without_memory),
		cmocka_unit_test(resuming_without_memory),
	};

	(void)alarm(600); /* a watchdog */
	(void)signal(SIGPIPE, SIG_IGN);
	if (!fault_install() ||
	    curl_global_init_mem(CURL_GLOBAL_ALL, malloc, free, realloc, strdup, calloc) != CURLE_OK)
		return 1;
	int how = cmocka_run_group_tests(tests, set_up, tear_down);
	curl_global_cleanup();
	return how;
}
