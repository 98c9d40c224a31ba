/* Priming: sends a HEAD on a new connection, which is then the only one that the upload may use. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/sized.h"
#include "curl/helper_inside.h"

#define SETTLE_MS    100 /* stop waiting after this time without a TLS message after the response to the HEAD */
#define SETTLE_TURNS 8   /* maximum number of such messages */

/* Closes the pooled connections, so that the next request opens a new one. */
static enum thaw_status empty_pool(thaw_curl *helper, struct thaw_error *err)
{
	(void)curl_easy_setopt(helper->easy, CURLOPT_SHARE, NULL);
	(void)curl_share_cleanup(helper->share);
	helper->share = curl_share_init();
	if (helper->share == NULL ||
	    curl_share_setopt(helper->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK ||
	    curl_easy_setopt(helper->easy, CURLOPT_SHARE, helper->share) != CURLE_OK)
		return error_set(err, THAW_ERR_RESOURCE, "priming: out of memory");
	return error_set(err, THAW_ERR_PEER,
			 "priming: the server answers HEAD with a body (RFC 9110 9.3.2 forbids it)");
}

static size_t swallow(char *bytes, size_t size, size_t count, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * count;
}

static int on_wait(void *arg, curl_off_t down, curl_off_t of_down, curl_off_t up, curl_off_t of_up)
{
	const thaw_curl *helper = arg;

	(void)down;
	(void)of_down;
	(void)up;
	(void)of_up;
	if (helper->options.waits != NULL)
		helper->options.waits(helper->options.observer.arg);
	return 0;
}

/* A copy of the caller's handle for a HEAD, without its body, methods and callbacks. It opens a new connection,
 * which is then the only one in the pool. */
static CURL *make_head(const thaw_curl *helper, char error[static CURL_ERROR_SIZE])
{
	CURL *head = curl_easy_duphandle(helper->easy);

	if (head == NULL)
		return NULL;
	bool ok = curl_easy_setopt(head, CURLOPT_SHARE, helper->share) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_MAXCONNECTS, 1L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_SSL_SESSIONID_CACHE, 0L) ==
			  CURLE_OK && /* the cache would be freed with this handle */
		  curl_easy_setopt(head, CURLOPT_UPLOAD, 0L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_NOBODY, 1L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_CUSTOMREQUEST, NULL) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_HTTPHEADER, helper->options.options.headers) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)0) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_RANGE, NULL) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_FAILONERROR, 0L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_NOPROGRESS, helper->options.waits == NULL ? 1L : 0L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_XFERINFOFUNCTION, on_wait) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_XFERINFODATA, helper) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_HEADERFUNCTION, NULL) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_WRITEFUNCTION, swallow) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_ERRORBUFFER, error) == CURLE_OK &&
		  (helper->url == NULL || curl_easy_setopt(head, CURLOPT_URL, helper->url) == CURLE_OK);
	if (!ok) {
		curl_easy_cleanup(head);
		return NULL;
	}
	return head;
}

/* Whether the connection of the completed HEAD is still open, and its addresses. */
static bool find_ends(CURL *head, struct ends *ends)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	char *local = NULL, *remote = NULL;

	if (curl_easy_getinfo(head, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD ||
	    curl_easy_getinfo(head, CURLINFO_LOCAL_IP, &local) != CURLE_OK || local == NULL ||
	    curl_easy_getinfo(head, CURLINFO_PRIMARY_IP, &remote) != CURLE_OK || remote == NULL ||
	    curl_easy_getinfo(head, CURLINFO_LOCAL_PORT, &ends->local_port) != CURLE_OK ||
	    curl_easy_getinfo(head, CURLINFO_PRIMARY_PORT, &ends->remote_port) != CURLE_OK)
		return false;
	(void)snprintf(ends->local, sizeof(ends->local), "%s", local);
	(void)snprintf(ends->remote, sizeof(ends->remote), "%s", remote);
	return true;
}

void helper_keep(thaw_curl *helper)
{
	helper->kept = find_ends(helper->easy, &helper->primed);
	helper->opened_when_primed = helper->opened;
}

static enum thaw_error_class class_of(CURLcode code)
{
	if (code == CURLE_OUT_OF_MEMORY)
		return THAW_ERR_RESOURCE;
	return code == CURLE_OPERATION_TIMEDOUT ? THAW_ERR_TIMEOUT : THAW_ERR_PEER;
}

static enum thaw_status send_head(thaw_curl *helper, CURL *head, const char *error, struct thaw_error *err)
{
	char room[HELPER_WORDS_ROOM];

	helper->priming = true;
	helper->head = head;
	helper->head_from_ms = clock_now_ms();
	helper->head_own_ms = helper->own_ms;
	CURLcode code = helper_limit_head(helper) ? curl_easy_perform(head) : CURLE_OUT_OF_MEMORY;
	bool long_line = helper_line_too_long(helper, code, error);
	helper->head = NULL;
	helper->priming = false;
	if (code != CURLE_OK && helper->unusable.cls != THAW_ERR_NONE)
		return error_set(err, helper->unusable.cls, "%s", helper->unusable.text);
	if (long_line)
		return error_set(err, THAW_ERR_PEER, "priming: a line of the response's head is longer than %d KiB",
				 HELPER_LINE_MAX / 1024);
	if (code != CURLE_OK)
		return error_set(err, class_of(code), "priming: %s",
				 helper_words(error[0] != '\0' ? error : curl_easy_strerror(code), room));
	(void)curl_easy_getinfo(head, CURLINFO_RESPONSE_CODE, &helper->report.status);
	helper->report.primed++;
	helper->report.tls = helper_tls(helper);
	helper->report.kept = find_ends(head, &helper->primed);
	return THAW_OK;
}

/*
 * A server may ask shortly after its response to the HEAD. libcurl 8.14 treats a pooled connection with unread data
 * as broken and opens another, so the ask is answered and the following tickets are read here. False: the data is
 * not just TLS messages.
 */
static bool settle(const thaw_curl *helper)
{
	struct pollfd socket = {.fd = helper_connected_socket(helper), .events = POLLIN};
	bool excess = helper_has_excess(helper);

	if (helper->filter == NULL || helper->report.asked != THAW_MEANS_NONE)
		return !excess;
	for (int turn = 0; turn < SETTLE_TURNS && !excess && poll(&socket, 1, SETTLE_MS) > 0; turn++)
		excess = helper_has_excess(helper);
	return !excess;
}

enum thaw_status thaw_curl_prime(void *curl, const struct thaw_curl_options *options, thaw_curl **helper,
				 struct thaw_error *err)
{
	struct helper_options ours = {.options = {.size = sizeof(ours.options)}};
	char error[CURL_ERROR_SIZE] = "";

	error_clear(err);
	if (options != NULL &&
	    !sized_take(&ours.options, sizeof(ours.options), options, SIZED_UP_TO(struct thaw_curl_options, url)))
		return error_usage(err, SIZED_WRONG, "thaw_curl_options");
	if (*helper == NULL)
		*helper = helper_new(curl, &ours, err);
	thaw_curl *self = *helper;
	if (self == NULL)
		return THAW_FAILED;
	self->lost += self->pin == PIN_LOST;
	helper_begin(self);
	self->report.kept = self->kept = false;
	self->report.asked = THAW_MEANS_NONE;
	self->report.given = false;
	self->tls = NULL;
	if (self->head_has_body)
		return empty_pool(self, err);
	if (self->lost > self->options.options.tries)
		return error_set(err, THAW_ERR_PEER, "the primed connection was closed before the upload (%u times)",
				 self->lost);
	CURL *head = make_head(self, error);
	if (head == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "priming: out of memory");
	enum thaw_status status = send_head(self, head, error, err);
	curl_easy_cleanup(head);
	helper_begin(self);
	if (status != THAW_OK)
		return status;
	if (!self->report.kept)
		return error_set(err, THAW_ERR_PEER,
				 "the server closes the connection after the response to the priming request");
	if (!settle(self)) {
		self->report.kept = false;
		self->head_has_body = true;
		return empty_pool(self, err);
	}
	self->pin = PIN_PRIMED;
	self->opened_when_primed = self->opened;
	return THAW_OK;
}
