/* thaw/curl.h without memory: each allocation fails in turn, ours and libcurl's. The handle that a helper could not
 * take over is its owner's as before. */
#include "upload_world.h"

#include <curl/curl.h>

#include "../fault/alloc.h"
#include "curl/helper.h"
#include "thaw/curl.h"

#define BODY 20000

static const char body[BODY] = "the first of many";
static struct curl_slist *fields; /* of the HEAD */
static bool without_openssl;      /* libcurl is built without it */
static unsigned done, refused;

CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

/* Each kind of value is passed as a pointer is, where Linux runs. */
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	va_list args;

	if (without_openssl && option == CURLOPT_SSL_CTX_FUNCTION)
		return CURLE_NOT_BUILT_IN;
	va_start(args, option);
	void *value = va_arg(args, void *);
	va_end(args);
	return __real_curl_easy_setopt(easy, option, value);
}

static size_t drop(char *bytes, size_t size, size_t count, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * count;
}

/* Outside: there is always memory for what is the test's. */
static CURL *make_handle(void)
{
	CURL *easy = curl_easy_init();

	assert_non_null(easy);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_URL, shop_url), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_CAINFO, ca), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_SSLCERT, certificate), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_SSLKEY, key), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT"), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)BODY), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L), CURLE_OK);
	/* libcurl 7.88 without memory frees what it has in there twice. */
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L), CURLE_OK);
	return easy;
}

static void check_arrived(void)
{
	assert_int_equal(shop->len, BODY);
	assert_memory_equal(shop->bytes, body, BODY);
	assert_true(shop->with_certificate);
}

static void upload(bool failing)
{
	const struct thaw_curl_options options = {.size = sizeof(options), .url = shop_url, .headers = fields};
	unsigned files = open_files();
	CURL *easy = make_handle();
	thaw_curl *helper = NULL;
	struct thaw_error err = {0};
	CURLcode code = CURLE_OK;

	shop_reset(true, false);
	fault_inside(true);
	enum thaw_status status = thaw_curl_prime(easy, &options, &helper, &err);
	if (status == THAW_OK)
		code = curl_easy_perform(easy);
	fault_inside(false);
	assert_true(failing || (status == THAW_OK && code == CURLE_OK));
	assert_true(status != THAW_OK || helper != NULL);
	if (status != THAW_OK) {
		assert_int_not_equal(err.cls, THAW_ERR_NONE);
		assert_int_not_equal(err.text[0], '\0');
		assert_int_equal(shop->uploads, 0);
		assert_int_equal(curl_easy_perform(easy), CURLE_OK); /* without priming */
		check_arrived();
	} else if (code == CURLE_OK) {
		assert_int_not_equal(thaw_curl_report(helper)->asked, THAW_MEANS_NONE);
		assert_true(thaw_curl_report(helper)->given);
		check_arrived();
	}
	refused += status != THAW_OK;
	done += status == THAW_OK && code == CURLE_OK;
	err = (struct thaw_error){0};
	assert_int_equal(thaw_curl_prime(easy, &options, &helper, &err), THAW_OK); /* with memory again */
	assert_int_equal(curl_easy_perform(easy), CURLE_OK);
	assert_false(thaw_curl_lost(helper));
	check_arrived();
	curl_easy_cleanup(easy);
	thaw_curl_free(&helper);
	assert_null(helper);
	assert_int_equal(open_files(), files);
}

static void priming_without_memory(void **state)
{
	(void)state;
	fields = curl_slist_append(NULL, "A: b");
	assert_non_null(fields);
	fault_openssl(false);
	done = refused = 0;
	assert_true(fault_each(upload, 1) > 100);
	fault_openssl(true);
	assert_true(refused > 50 && done > 0);
	curl_slist_free_all(fields);
}

static void a_libcurl_without_openssl(void **state)
{
	unsigned files = open_files();
	CURL *easy = make_handle();
	thaw_curl *helper = NULL;
	struct thaw_error err = {0};

	(void)state;
	shop_reset(true, false);
	without_openssl = true;
	assert_int_equal(thaw_curl_prime(easy, NULL, &helper, &err), THAW_FAILED);
	without_openssl = false;
	assert_null(helper);
	assert_non_null(strstr(err.text, "OpenSSL"));
	assert_int_equal(curl_easy_perform(easy), CURLE_OK);
	check_arrived();
	curl_easy_cleanup(easy);
	assert_int_equal(open_files(), files); /* its connections ended with it */
}

/* Each of the two forms that libcurl has had, and text that has no code of OpenSSL's. */
static void words_for_its_failures(void **state)
{
	static const char bare[] = "error:0A000152:SSL routines::unsafe legacy renegotiation disabled";
	static const char behind[] =
		"TLS connect error: error:0A000152:SSL routines::unsafe legacy renegotiation disabled";
	static const char other[] = "TLS connect error: error:none:SSL error:";
	char one[HELPER_WORDS_ROOM], two[HELPER_WORDS_ROOM];

	(void)state;
	assert_non_null(strstr(helper_words(bare, one), "RFC 5746"));
	assert_string_equal(helper_words(behind, two), one);
	assert_ptr_equal(helper_words(other, one), other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_libcurl_without_openssl),
		cmocka_unit_test(priming_without_memory),
		cmocka_unit_test(words_for_its_failures),
	};

	(void)alarm(600); /* a watchdog */
	(void)signal(SIGPIPE, SIG_IGN);
	if (!fault_install() ||
	    curl_global_init_mem(CURL_GLOBAL_ALL, malloc, free, realloc, strdup, calloc) != CURLE_OK)
		return 1;
	int how = cmocka_run_group_tests(tests, open_shop, close_shop);
	curl_global_cleanup();
	return how;
}
