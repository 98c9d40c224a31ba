/* The callbacks for libcurl: for a socket, for a TLS context, before a request. */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/socket.h"
#include "curl/helper_inside.h"

#define LOGINS_MAX       5
#define REDIRECTIONS_MAX 30    /* the default of CURLOPT_MAXREDIRS since libcurl 8.3 */
#define RECORD_MAX       16384 /* RFC 8446 5.1 */

/* The filter BIO only has to wait while bytes are still unsent. */
static bool on_tick(void *arg)
{
	return helper_watch(arg, HELPER_OURS);
}

static void on_event(void *arg, const struct tls_event *event)
{
	thaw_curl *helper = arg;
	const struct thaw_curl_options *options = &helper->options.options;

	if (event->kind == TLS_EVENT_ASKED)
		helper->report.asked = event->means;
	if (event->kind == TLS_EVENT_GIVEN)
		helper->report.given = true;
	if (event->kind == TLS_EVENT_SIGNED)
		helper_add_own_time(helper, event->signed_ms);
	if (event->kind == TLS_EVENT_KEY_FAILED)
		(void)error_set(&helper->unusable, THAW_ERR_CONFIG, "the client's private key could not sign: %s",
				event->reason);
	if (event->kind == TLS_EVENT_FINISHED)
		helper->tls = tls_filter_version(helper->filter);
	if (helper->options.observer.on_event != NULL)
		helper->options.observer.on_event(helper->options.observer.arg, event);
	if (event->kind == TLS_EVENT_ASKED && options->asked != NULL)
		options->asked(options->arg, &(struct thaw_curl_ask){.means = event->means,
								     .priming = helper->priming,
								     .subject = event->subject,
								     .issuers = event->issuers,
								     .issuer_count = event->issuer_count});
}

static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	thaw_curl *helper = arg;

	if (purpose == CURLSOCKTYPE_IPCXN)
		helper->sockets[helper->opened++ % HELPER_SOCKETS_MAX] = fd;
	return CURL_SOCKOPT_OK;
}

/* Bytes that were still in the buffers are dropped, also if the connection was reset. */
static int on_close(void *arg, curl_socket_t fd)
{
	thaw_curl *helper = arg;

	helper->closes = true;
	helper->closing = fd;
	helper->received = helper_received(helper, fd);
	helper->options.closes(helper->options.observer.arg);
	helper->closes = false;
	return close(fd);
}

static CURLcode on_context(CURL *easy, void *ctx, void *arg)
{
	thaw_curl *helper = arg;
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct tls_filter_options options = {
		.credentials = helper->options.credentials,
		.observer = {.on_event = on_event, .arg = helper},
		.fd = helper_connected_socket(helper),
		.tick = on_tick,
		.arg = helper,
		.wait_ms = helper->options.options.block_ms,
	};

	(void)easy;
	helper->unusable.cls = THAW_ERR_NONE;
	tls_filter_leave(&helper->filter);
	helper->report.asked = THAW_MEANS_NONE;
	helper->report.given = false;
	helper->tls = NULL;
	helper->filter = tls_filter_new(ctx, &options, &err);
	if (helper->filter != NULL)
		return CURLE_OK;
	helper->unusable = err;
	return err.cls == THAW_ERR_RESOURCE ? CURLE_OUT_OF_MEMORY : CURLE_SSL_CERTPROBLEM;
}

static bool is_primed(const thaw_curl *helper, const char *remote, const char *local, int remote_port, int local_port)
{
	return helper->opened == helper->opened_when_primed && helper->primed.local_port == local_port &&
	       helper->primed.remote_port == remote_port && strcmp(helper->primed.local, local) == 0 &&
	       strcmp(helper->primed.remote, remote) == 0;
}

bool helper_has_excess(const thaw_curl *helper)
{
	return helper->filter != NULL ? tls_filter_has_data(helper->filter)
				      : socket_has_bytes(helper_connected_socket(helper));
}

/* Whether a further request of a perform is the next step of a login, or of a redirect that the caller lets libcurl
 * follow. Their number is limited, since a server may continue with either for ever. */
static enum thaw_curl_refusal judge_next(thaw_curl *helper, bool elsewhere)
{
	long status = 0;

	(void)curl_easy_getinfo(helper->easy, CURLINFO_RESPONSE_CODE, &status);
	bool login = status == 401 || status == 407, redirection = status / 100 == 3;
	helper->logins += login;
	helper->redirections += redirection;
	if (!login && !redirection)
		return THAW_CURL_REPEATED;
	if (elsewhere)
		return THAW_CURL_ELSEWHERE;
	return helper->logins > LOGINS_MAX || helper->redirections > REDIRECTIONS_MAX ? THAW_CURL_ENDLESS
										      : THAW_CURL_NOT_REFUSED;
}

/*
 * Called before the first byte of a request. libcurl repeats a request on its own if a connection from its pool
 * turns out to be closed, and after a 417. Only the caller can know whether that is safe, so the second request is
 * refused.
 */
static int on_request(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	thaw_curl *helper = arg;
	bool again = helper->requests++ > 0 && !helper->priming;
	helper->unseen = helper_unseen(helper, helper_received(helper, helper_connected_socket(helper)));
	bool elsewhere = helper->pin == PIN_PRIMED && !is_primed(helper, remote, local, remote_port, local_port);

	if (again) {
		helper->refused = judge_next(helper, elsewhere);
	} else if (helper->pin == PIN_PRIMED) {
		bool excess = !elsewhere && helper_has_excess(helper);
		helper->head_has_body = excess && !helper->kept; /* otherwise it is, for example, a 408 */
		helper->refused = elsewhere || excess ? THAW_CURL_LOST : THAW_CURL_NOT_REFUSED;
	}
	if (helper->refused == THAW_CURL_LOST)
		helper->pin = PIN_LOST;
	if (helper->refused != THAW_CURL_NOT_REFUSED)
		return CURL_PREREQFUNC_ABORT;
	if (helper->options.begins != NULL)
		helper->options.begins(helper->options.observer.arg);
	return CURL_PREREQFUNC_OK;
}

/* Removes everything from a handle that its owner continues to use. */
static void give_back(CURL *easy)
{
	(void)curl_easy_setopt(easy, CURLOPT_SHARE, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, NULL);
}

bool helper_take_over(thaw_curl *helper)
{
	CURL *easy = helper->easy;
	bool ok = curl_easy_setopt(easy, CURLOPT_SHARE, helper->share) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, helper) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, helper) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_PREREQDATA, helper) == CURLE_OK &&
		  /* one record per call of libcurl, so that each call waits for one record at most */
		  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)RECORD_MAX) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK;

	if (ok && helper->options.closes != NULL)
		ok = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
		     curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, helper) == CURLE_OK;
	if (!ok)
		give_back(easy);
	return ok;
}
