#include "send/explain.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "send/explain_inside.h"
#include "send/url.h"

static struct send_story read_story(const struct send_options *options, const struct send_result *result)
{
	struct send_story story = {.asked = result->ask_count > 0 || result->asked_before,
				   .declined = result->ask_count == 0 && result->declined_before,
				   .credentials = options->credentials != NULL,
				   .is_13 = strcmp(result->tls, "TLSv1.3") == 0,
				   .is_12 = options->tls == SEND_TLS_12 || strcmp(result->tls, "TLSv1.2") == 0,
				   .primed = result->primed,
				   .options = options};

	for (size_t i = 0; i < result->ask_count && i < SEND_ASKS_MAX; i++) {
		story.asked_late = story.asked_late || result->asks[i].means != THAW_MEANS_HANDSHAKE;
		story.in_upload = story.in_upload || !result->asks[i].priming;
		story.declined = result->asks[i].declined;
	}
	return story;
}

static const char *about_stall(const struct send_story *story, bool has_all)
{
	if (has_all && !(story->asked_late && story->in_upload))
		return "The server has received the whole file but sent no complete response. The file may have been "
		       "stored anyway. --response-timeout waits longer.";
	if (story->asked && story->declined)
		return explain_none_given(story);
	if (story->asked_late && story->in_upload)
		return "The server asked for the certificate and stopped reading. It waits for the certificate, which "
		       "is queued after the body: the upload is frozen. Prime the connection (--prime always) or hold "
		       "the body back (--expect always). Or the operator must make the server ask at the handshake, or "
		       "read on while it asks.";
	if (story->credentials && !story->asked)
		return "The server stopped reading. It has not asked for a certificate so far.";
	return "The server stopped reading.";
}

static const char *about_alert(unsigned alert, const struct send_story *story)
{
	switch (alert) {
	case 116: /* certificate_required */
		if (story->asked && story->declined)
			return explain_none_given(story);
		return "The server requires a client certificate and got none: name one with --cert and --key, or "
		       "--pkcs12.";
	case 48: /* unknown_ca */
		return "The server does not trust the CA that issued the certificate. Its operator must add that CA; "
		       "or add the intermediate CA's certificate after yours in the file of --cert.";
	case 42: /* bad_certificate */
	case 43: /* unsupported_certificate */
	case 46: /* certificate_unknown */
	case 49: /* access_denied */
		return "The server does not accept the certificate: its operator must trust the CA that issued it, and "
		       "allow this subject.";
	case 44:
		return "The server reports that the certificate is revoked.";
	case 45:
		return "The server reports that the certificate, its CA's certificate or the server's CRL has expired.";
	case 51: /* decrypt_error */
		return "The server could not verify the signature made with your key.";
	case 40: /* handshake_failure */
		return story->asked && story->declined ? explain_none_given(story)
						       : "Client and server have no TLS parameters in common, or the "
							 "server requires another certificate.";
	case 120: /* no_application_protocol */
		return "The server only speaks HTTP/2, which does not allow late client certificates. Its operator "
		       "must enable HTTP/1.1.";
	case 70: /* protocol_version */
		return "The server does not support this version of TLS: see --tls.";
	default:
		return "";
	}
}

static const char *about_loss(const struct send_story *story)
{
	if (story->asked && story->declined)
		return explain_none_given(story);
	if (story->asked_late && story->in_upload)
		return "The server asked for the certificate during the upload and then closed the connection. Prime "
		       "the connection (--prime always).";
	return "The server, or a device on the way to it, closed the connection without a response. The server's log "
	       "may show the reason. --retry tries again.";
}

static const char *about_key(const struct send_story *story)
{
	if (story->is_12)
		return "This is not the server's fault. Check the token (plugged in, unlocked, touched in time) or the "
		       "key.";
	return "This is not the server's fault. Check the token (plugged in, unlocked, touched in time) or the key. A "
	       "token that cannot sign with RSA-PSS, which TLS 1.3 requires, may work with --tls 1.2.";
}

static const char *about_slow_key(const struct send_result *result, char to[static EXPLAIN_ROOM])
{
	(void)snprintf(to, EXPLAIN_ROOM, "The key took %.1f s to sign%s.", (double)result->key_ms / 1000,
		       result->cause == SEND_TIMEOUT ? ", which counts towards --timeout"
						     : ": the server may not wait that long");
	return to;
}

static const char *about(const struct send_result *result, const struct send_story *story, char to[static EXPLAIN_ROOM])
{
	switch (result->cause) {
	case SEND_REFUSED:
		return explain_status(result, story, to);
	case SEND_EARLY:
		return "The server reported success before it had the whole body. Treat the upload as failed.";
	case SEND_STALLED:
		return about_stall(story, result->total >= 0 && result->sent >= (uint64_t)result->total);
	case SEND_NO_CERTIFICATE:
		return about_alert(result->alert, story);
	case SEND_LOST:
	case SEND_NO_TLS:
		if (result->oversized)
			return "The file may have been stored anyway. Check that the URL names the service; its "
			       "operator "
			       "must make its responses' header fields smaller.";
		if (result->garbled && result->primed)
			return "The response is not valid HTTP/1.1. It may be a body that the server sent in response "
			       "to the HEAD: use --prime never.";
		if (result->alert != 0)
			return about_alert(result->alert, story);
		if (result->key_ms >= SEND_SLOW_KEY_MS)
			return about_slow_key(result, to);
		if (result->cause == SEND_NO_TLS && strstr(result->err.text, "not TLS") != NULL)
			return "This port does not speak TLS: check the port, or use http:// in the URL.";
		return about_loss(story);
	case SEND_NO_KEY:
		return about_key(story);
	case SEND_NO_TRUST:
		return explain_distrust(story->options, result, to);
	case SEND_UNPRIMED:
		return "With --prime always this is an error. --prime auto sends without priming, and holds the body "
		       "back instead (Expect: 100-continue).";
	case SEND_TIMEOUT:
		return result->key_ms >= SEND_SLOW_KEY_MS
			       ? about_slow_key(result, to)
			       : "The upload took longer than --timeout: use a higher value, or no --timeout.";
	case SEND_NO_HOST:
	case SEND_NO_WAY:
		return explain_no_way(story->options, result);
	case SEND_NO_OUT:
		return "The upload may have been stored anyway.";
	case SEND_DONE:
	case SEND_NO_BODY:
	case SEND_NO_SENSE:
	case SEND_NO_ROOM:
		break;
	}
	return "";
}

/* Whether docs/cures.md can help: not if a name or a file is wrong. */
static bool is_the_servers(const struct send_result *result)
{
	bool refused = result->cause == SEND_REFUSED && (result->status == 401 || result->status == 403 ||
							 result->status == 413 || result->status == 408);

	if (result->schemes[0] != '\0' || result->says != SEND_SAYS_NOTHING || result->retry_after_s > 0)
		return false;
	return refused || result->cause == SEND_STALLED || (result->cause == SEND_LOST && result->ask_count > 0);
}

/* Whether a fault of the client's own certificate may be the cause. */
static bool is_about_certificate(const struct send_result *result)
{
	bool refused = result->cause == SEND_REFUSED && (result->status == 400 || result->status == 401 ||
							 result->status == 403 || result->status == 495);

	return result->cause == SEND_NO_CERTIFICATE ||
	       ((refused || result->cause == SEND_LOST || result->cause == SEND_NO_TLS) && result->ask_count > 0);
}

void send_explain(const struct send_options *options, struct send_result *result)
{
	struct send_story story = read_story(options, result);
	char room[EXPLAIN_ROOM];
	const char *words = about(result, &story, room);

	bool moved = result->cause == SEND_REFUSED && result->status / 100 == 3;
	char url[SEND_URL_ROOM] = "";
	const char *between = moved ? "." : "";

	if (is_the_servers(result)) {
		between = " See docs/cures.md, and run: thaw probe ";
		if (!send_url_text(options->url, url))
			(void)snprintf(url, sizeof(url), "URL");
	} else if (moved && result->location[0] != '\0') {
		if (send_url_text(result->location, url))
			between = ": ";
		else
			url[0] = '\0';
	}
	bool own = result->fault[0] != '\0' && is_about_certificate(result);
	(void)snprintf(result->hint, sizeof(result->hint), "%s%s%s%s%s", own ? result->fault : "", own ? ". " : "",
		       words, between, url);
	if (own)
		result->hint[0] = (char)toupper((unsigned char)result->hint[0]);
}
