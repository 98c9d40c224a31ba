#include "send/conclude.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "send/answer.h"

/* An error response counts even if the connection fails afterwards: many servers reset it (RFC 9112 9.6). */
static enum send_cause cause_of_end(const struct transfer *transfer)
{
	if (transfer->result->status >= 300)
		return SEND_REFUSED;
	if (clock_now_ms() >= transfer->deadline_ms)
		return SEND_TIMEOUT;
	if (!transfer->begun)
		return SEND_NO_WAY;
	return helper_stalled_ms(transfer->helper) > 0 ? SEND_STALLED : SEND_LOST;
}

bool conclude_refuses_certificate(const struct transfer *transfer)
{
	return transfer->result->ask_count > 0 && send_refuses_certificate(transfer->result->alert);
}

static enum send_cause cause_of(const struct transfer *transfer, CURLcode code)
{
	long status = transfer->result->status;

	if (send_body_error(transfer->body)->cls != THAW_ERR_NONE)
		return SEND_NO_BODY;
	if (transfer->out_failed)
		return SEND_NO_OUT;
	if (transfer->result->key_failed)
		return SEND_NO_KEY;
	if (helper_credentials_error(transfer->helper)->cls == THAW_ERR_CONFIG)
		return SEND_NO_BODY;
	if (code != CURLE_OK && status < 200 && conclude_refuses_certificate(transfer))
		return SEND_NO_CERTIFICATE;
	if (transfer->result->oversized)
		return cause_of_end(transfer);
	switch ((int)code) {
	case CURLE_ABORTED_BY_CALLBACK: /* after a 417, for example, libcurl would send the request again */
		return status >= 300 ? SEND_REFUSED : SEND_LOST;
	case CURLE_OK:
		if (status < 200 || status > 299)
			return SEND_REFUSED;
		return send_body_whole(transfer->body) ? SEND_DONE : SEND_EARLY;
	case CURLE_OUT_OF_MEMORY:
		return SEND_NO_ROOM;
	case CURLE_URL_MALFORMAT:
		return SEND_NO_SENSE;
	case CURLE_SSL_CACERT_BADFILE:
		return SEND_NO_BODY;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return SEND_NO_HOST;
	case CURLE_COULDNT_CONNECT:
		return SEND_NO_WAY;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return SEND_NO_TRUST;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		return SEND_NO_TLS;
	default:
		return cause_of_end(transfer);
	}
}

/* libcurl's text only has the time that a failed connect took; errno has the cause. */
static const char *words_of(const struct transfer *transfer, CURLcode code, char to[static HELPER_WORDS_ROOM])
{
	const char *words = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code);
	const char *after = strstr(words, " after ");
	int error = transfer->result->system_error;

	if (code == CURLE_COULDNT_CONNECT && error != 0 && after != NULL) {
		(void)snprintf(to, HELPER_WORDS_ROOM, "%.*s: %s", (int)(after - words), words, strerror(error));
		return to;
	}
	return helper_words(words, to);
}

/* libcurl reads the CA file for each connection, and does not report what is wrong with it. */
static void bad_file(const struct transfer *transfer, struct thaw_error *err)
{
	const struct thaw_error *credentials = helper_credentials_error(transfer->helper);
	const char *ca = transfer->options->ca;

	if (credentials->cls != THAW_ERR_NONE)
		*err = *credentials;
	else
		(void)error_set(err, THAW_ERR_CONFIG, "cannot read the CA certificates from %s",
				ca != NULL ? ca : "the system's file");
}

static void too_large(const struct transfer *transfer, struct thaw_error *err)
{
	if (transfer->head_too_large)
		(void)error_set(err, THAW_ERR_PEER,
				"the response's head, with its 1xx responses and trailers, is larger than %d KiB, or "
				"has more than %d lines",
				TRANSFER_HEAD_MAX / 1024, TRANSFER_LINES_MAX);
	else
		(void)error_set(
			err, THAW_ERR_PEER,
			"a line of the response's head is longer than %d KiB, or one of its trailers than %d KiB",
			HELPER_LINE_MAX / 1024, HELPER_TRAILER_MAX / 1024);
}

void conclude(struct transfer *transfer, CURLcode code)
{
	struct send_result *result = transfer->result;
	const char *tls = helper_tls(transfer->helper);
	char room[HELPER_WORDS_ROOM];
	long proxy = 0, error = 0, tunnel = 0;

	result->status = 0;
	if (transfer->answered)
		(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &result->status);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &result->verify);
	if (curl_easy_getinfo(transfer->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxy) == CURLE_OK && proxy > 1)
		result->verify = SEND_VERIFY_PROXY;
	if (curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error) == CURLE_OK)
		result->system_error = (int)error;
	if (curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel) == CURLE_OK)
		result->tunnel_status = tunnel;
	result->late = code == CURLE_OPERATION_TIMEDOUT;
	result->garbled = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY;
	result->oversized = transfer->head_too_large || helper_line_too_long(transfer->helper, code, transfer->error);
	answer_end(result);
	result->cause = cause_of(transfer, code);
	result->stalled_ms = helper_stalled_ms(transfer->helper);
	result->stalled_with = helper_stalled_with(transfer->helper);
	result->continued = transfer->hold.continued;
	(void)snprintf(result->tls, sizeof(result->tls), "%s", tls != NULL ? tls : "");
	if (result->cause == SEND_DONE)
		result->sent = send_body_given(transfer->body);
	if (code == CURLE_ABORTED_BY_CALLBACK &&
	    result->cause == SEND_LOST) /* libcurl was about to repeat the request */
		(void)error_set(&result->err, THAW_ERR_PEER, "it was closed or reset before a response");
	if (result->oversized && result->cause == SEND_LOST)
		too_large(transfer, &result->err);
	if (send_body_error(transfer->body)->cls != THAW_ERR_NONE)
		result->err = *send_body_error(transfer->body);
	else if (result->cause == SEND_NO_BODY)
		bad_file(transfer, &result->err);
	else if (result->cause == SEND_NO_OUT)
		(void)error_set(&result->err, THAW_ERR_SYSTEM, "cannot write the response to standard output");
	else if (result->cause == SEND_REFUSED)
		(void)error_set(&result->err, THAW_ERR_PEER, "the server answered %ld", result->status);
	else if (result->cause == SEND_STALLED)
		(void)error_set(&result->err, THAW_ERR_TIMEOUT, "%s moved for %.1f s",
				result->stalled_with > 0 ? "too little" : "nothing", (double)result->stalled_ms / 1000);
	else if (result->cause != SEND_DONE)
		(void)error_set(&result->err, THAW_ERR_PEER, "%s", words_of(transfer, code, room));
}
