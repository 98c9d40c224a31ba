#include "curl/helper.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "curl/helper_inside.h"

#define TRIES_DEFAULT      3
#define TIMEOUT_MS_DEFAULT 60000
#define STALL_MS_DEFAULT   30000
#define BLOCK_MS_DEFAULT   60000

thaw_curl *helper_new(CURL *easy, const struct helper_options *options, struct thaw_error *err)
{
	thaw_curl *helper = calloc(1, sizeof(*helper));
	bool ok = helper != NULL;

	if (ok) {
		struct thaw_curl_options *public = &helper->options.options;
		helper->easy = easy;
		helper->until_ms = THAW_NEVER;
		helper->options = *options;
		public->tries = public->tries != 0 ? public->tries : TRIES_DEFAULT;
		public->timeout_ms = public->timeout_ms != 0 ? public->timeout_ms : TIMEOUT_MS_DEFAULT;
		public->stall_ms = public->stall_ms != 0 ? public->stall_ms : STALL_MS_DEFAULT;
		public->block_ms = public->block_ms != 0 ? public->block_ms : BLOCK_MS_DEFAULT;
		helper->url = public->url != NULL ? strdup(public->url) : NULL;
		helper->share = curl_share_init();
		ok = helper->share != NULL && (public->url == NULL || helper->url != NULL) &&
		     curl_share_setopt(helper->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) == CURLSHE_OK &&
		     helper_take_over(helper);
		public->url = helper->url;
	}
	if (!ok) {
		CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, NULL);
		bool other = code == CURLE_NOT_BUILT_IN || code == CURLE_UNKNOWN_OPTION;
		(void)error_set(err, THAW_ERR_RESOURCE, "%s",
				other ? "libcurl is not built with OpenSSL; install a libcurl that is"
				      : "out of memory");
		thaw_curl_free(&helper);
	}
	return helper;
}

void thaw_curl_free(thaw_curl **helper)
{
	thaw_curl *gone = *helper;

	*helper = NULL;
	if (gone == NULL)
		return;
	tls_filter_leave(&gone->filter);
	if (gone->share != NULL)
		(void)curl_share_cleanup(gone->share);
	free(gone->url);
	free(gone);
}

void helper_limit(thaw_curl *helper, uint32_t timeout_ms, uint64_t until_ms)
{
	helper->until_ms = until_ms;
	helper->options.options.timeout_ms = timeout_ms;
}

void helper_begin(thaw_curl *helper)
{
	helper->requests = helper->logins = helper->redirections = 0;
	helper->pin = PIN_NONE;
	helper->refused = THAW_CURL_NOT_REFUSED;
	helper->stalled_ms = 0;
	helper->begins = true;
	helper->moved_at_ms = helper_now(helper);
}

bool helper_pin_kept(thaw_curl *helper)
{
	helper_begin(helper);
	if (!helper->kept)
		return false;
	helper->pin = PIN_PRIMED;
	return true;
}

bool helper_aim(thaw_curl *helper, const char *url, struct curl_slist *fields)
{
	char *own = url != NULL ? strdup(url) : NULL;

	if (url != NULL && own == NULL)
		return false;
	free(helper->url);
	helper->url = own;
	helper->options.options.url = own;
	helper->options.options.headers = fields;
	helper->lost = 0;
	return true;
}

bool thaw_curl_lost(const thaw_curl *helper)
{
	return helper != NULL && helper->pin == PIN_LOST;
}

enum thaw_curl_refusal thaw_curl_refused(const thaw_curl *helper)
{
	return helper != NULL ? helper->refused : THAW_CURL_NOT_REFUSED;
}

const struct thaw_curl_report *thaw_curl_report(const thaw_curl *helper)
{
	return &helper->report;
}

const struct thaw_error *helper_credentials_error(const thaw_curl *helper)
{
	return &helper->unusable;
}

bool helper_head_has_body(const thaw_curl *helper)
{
	return helper->head_has_body;
}
