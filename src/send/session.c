#include "send/session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "send/url.h"

static bool makes_no_sense(struct send_result *result, const char *why)
{
	result->cause = SEND_NO_SENSE;
	(void)error_set(&result->err, THAW_ERR_USAGE, "%s", why);
	return false;
}

bool session_makes_sense(const struct send_options *options, const struct send_body *body, struct send_result *result)
{
	if (options->resume && (!send_body_is_file(body) || strcmp(options->method, "PUT") != 0))
		return makes_no_sense(result, "--resume: only a PUT of a file can be resumed");
	if (options->prime_url != NULL && send_url_relation(options->url, options->prime_url) == SEND_URL_OTHER_ORIGIN)
		return makes_no_sense(result, "--prime-url must name the same server as the URL of the upload");
	return true;
}

void send_session_end(struct send_session **session)
{
	struct send_session *gone = *session;

	*session = NULL;
	if (gone == NULL)
		return;
	if (gone->easy != NULL)
		curl_easy_cleanup(gone->easy);
	thaw_curl_free(&gone->helper);
	request_free(&gone->request);
	free(gone->url);
	free(gone);
}

/* The length up to and including the last slash of the path. */
static size_t folder_len(const char *url)
{
	size_t len = strcspn(url, "?#");

	while (len > 0 && url[len - 1] != '/')
		len--;
	return len;
}

/* The connection of the last upload can be reused if it has the certificate, or if the path is the same. */
static bool may_reuse(const struct send_session *session, const struct send_options *options)
{
	size_t len = folder_len(session->url);
	bool same_folder = folder_len(options->url) == len && strncmp(session->url, options->url, len) == 0;

	return session->known.asked != THAW_MEANS_NONE || same_folder || !send_primes(options->prime, &session->known);
}

static bool fits(const struct send_session *session, const struct send_options *options)
{
	const struct send_options *last = &session->options;

	return last->credentials == options->credentials && last->user == options->user && last->sni == options->sni &&
	       send_url_relation(session->url, options->url) == SEND_URL_SAME_ORIGIN;
}

static bool make_helper(struct send_session *session)
{
	const struct send_options *options = &session->options;
	struct helper_options helper = {
		.options = {.stall_ms = options->stall_ms,
			    .block_ms = UINT32_MAX /* it has nothing else to do, and a slow network is not a stall */},
		.credentials = options->credentials,
		.observer = {.on_event = transfer_on_event, .arg = &session->transfer},
		.begins = transfer_begins,
		.closes = transfer_closes,
		.waits = transfer_waits,
		.connect_ms = options->stall_ms,
		.response_ms = options->response_ms,
	};

	if (session->helper == NULL)
		session->helper = helper_new(session->easy, &helper, &session->result->err);
	session->transfer.helper = session->helper;
	return session->helper != NULL;
}

bool session_aim(struct send_session *session)
{
	struct request before = session->request;
	const struct send_options *options = &session->options;
	bool anew = session->easy == NULL;

	if (anew)
		session->easy = curl_easy_init();
	session->known.https = strncasecmp(options->url, "https://", 8) == 0;
	session->known.credentials = options->credentials != NULL;
	session->known.tls_open = options->tls == SEND_TLS_ANY;
	session->transfer.options = options;
	session->transfer.result = session->result;
	session->transfer.easy = session->easy;
	session->transfer.body = session->body;
	session->request = (struct request){.options = options, .easy = session->easy, .body = session->body};
	bool ok = session->easy != NULL && request_prepare(&session->request) && transfer_prepare(&session->transfer) &&
		  make_helper(session);
	const char *prime = session->request.prime_url != NULL ? session->request.prime_url : options->prime_url;
	ok = ok && helper_aim(session->helper, prime, session->request.priming);
	if (ok && session->known.tried_12 && !session->known.is_13) /* as found out before */
		ok = request_set_tls(&session->request, SEND_TLS_12);
	request_free(&before);
	return ok;
}

struct send_session *session_for(struct send_session **last, const struct send_options *options)
{
	if (*last != NULL && !fits(*last, options))
		send_session_end(last);
	if (*last == NULL)
		*last = calloc(1, sizeof(**last));
	struct send_session *session = *last;
	char *url = session != NULL ? strdup(options->url) : NULL;
	if (url == NULL)
		return NULL;
	session->reuses = session->url != NULL && may_reuse(session, options);
	free(session->url);
	session->url = url;
	session->options = *options;
	session->options.url = url;
	return session;
}
