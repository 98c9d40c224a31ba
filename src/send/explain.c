#include "send/explain.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "send/url.h"
#include "tls/observe.h"

const char *send_size_text(uint64_t bytes, char to[static SEND_SIZE_ROOM])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double size = (double)bytes;
	size_t unit = 0;

	while (size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		size /= 1024;
		unit++;
	}
	(void)snprintf(to, SEND_SIZE_ROOM, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
	return to;
}

/* ---- what is known of the asks ---- */

struct story {
	bool asked, asked_late, declined, in_upload;
	bool credentials, is_13, is_12, primed;
	const struct send_options *options;
};

#define WORDS_ROOM 512 /* of a hint without a URL */

static struct story read_story(const struct send_options *options, const struct send_result *result)
{
	struct story story = {.asked = result->ask_count > 0 || result->asked_before,
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

/* An empty answer, whatever came of it. OpenSSL gives one also where no signature fits (RFC 8446 4.4.2.2). */
static const char *about_none_given(const struct story *story)
{
	return story->credentials
		       ? "The server asked for a certificate, and yours could not be given: its key makes no signature "
			 "that the server takes. It wants one with another kind of key."
		       : "The server asked for a certificate, and there was none to give: name one with --cert and "
			 "--key, or --pkcs12.";
}

/* ---- refusals ---- */

/* The settings of a server that limit a body: all of them, and one that waits for a certificate. */
static const struct {
	const char *server; /* how its Server field begins */
	const char *size, *late;
} limits[] = {
	{"Apache-Coyote", "maxPostSize", "maxSavePostSize"}, /* Tomcat */
	{"Apache", "LimitRequestBody", "SSLRenegBufferSize"},
	{"nginx", "client_max_body_size", "client_max_body_size"}, /* which never asks late */
	{"Microsoft-IIS", "maxAllowedContentLength", "uploadReadAheadSize"},
	{"", "nginx: client_max_body_size, Apache: LimitRequestBody, IIS: maxAllowedContentLength",
	 "Apache: SSLRenegBufferSize, Tomcat: maxSavePostSize, IIS: uploadReadAheadSize"},
};

static const char *limit_of(const struct send_result *result, bool late)
{
	size_t i = 0;

	while (strncasecmp(result->server, limits[i].server, strlen(limits[i].server)) != 0)
		i++;
	return late ? limits[i].late : limits[i].size;
}

static const char *about_too_large(const struct send_result *result, const struct story *story,
				   char to[static WORDS_ROOM])
{
	bool again = story->asked_late && story->in_upload, unasked = story->credentials && !story->asked;
	bool plain = strncasecmp(result->server, "nginx", 5) == 0;
	const char *prime = story->primed ? "" : "Prime the connection (--prime always); or its ";

	if (!plain && again)
		(void)snprintf(to, WORDS_ROOM,
			       "The server asked for the certificate during the upload%s, and holds no more of a body "
			       "meanwhile. %soperator raises the limit (%s), or asks at the handshake.",
			       story->primed ? ", although the connection was primed" : "",
			       story->primed ? "Its " : prime, limit_of(result, true));
	else if (!plain && unasked)
		(void)snprintf(to, WORDS_ROOM,
			       "If the server wants a certificate for this path, it holds no more of a body before it "
			       "asks. %soperator raises the limit (%s), or that of every body (%s).",
			       story->primed ? "Its " : prime, limit_of(result, true), limit_of(result, false));
	else
		(void)snprintf(to, WORDS_ROOM,
			       "The server takes no body of this size; its operator can raise the limit (%s).",
			       limit_of(result, false));
	return to;
}

/* Whether a scheme is among "Basic, Digest". */
static bool has_scheme(const char *schemes, const char *name)
{
	for (const char *at = schemes; *at != '\0'; at += strspn(at, ", ")) {
		size_t len = strcspn(at, ",");
		if (len == strlen(name) && strncasecmp(at, name, len) == 0)
			return true;
		at += len;
	}
	return false;
}

/* Whether a scheme is among them for which a field does: none that logs in by steps, or a connection. */
static bool is_by_header(const char *schemes)
{
	static const char *const others[] = {"Basic", "Digest", "NTLM", "Negotiate"};
	size_t known = 0, all = schemes[0] != '\0';

	for (const char *at = schemes; *at != '\0'; at++)
		all += *at == ',';
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		known += has_scheme(schemes, others[i]);
	return all > known;
}

/* What to do about it. */
static const char *way_in(const struct send_options *options, const char *schemes)
{
	bool digest = has_scheme(schemes, "Digest"), basic = has_scheme(schemes, "Basic");
	bool tried = options->user != NULL && (options->login == SEND_LOGIN_DIGEST ? digest : basic);

	if (tried)
		return "It does not accept the user and password of --user.";
	if (digest)
		return "Name the user: --user NAME --digest.";
	if (basic)
		return "Name the user: --user NAME.";
	return is_by_header(schemes) ? "Give it with --header 'Authorization: ...'."
				     : "thaw send cannot log in by that: the server's operator allows another scheme.";
}

static const char *about_login(const struct send_options *options, const struct send_result *result,
			       char to[static WORDS_ROOM])
{
	(void)snprintf(to, WORDS_ROOM,
		       "The server wants a login by %s (WWW-Authenticate), which is not a client certificate. %s",
		       result->schemes, way_in(options, result->schemes));
	return to;
}

static const char *about_page(const struct send_result *result, const struct story *story)
{
	switch (result->says) {
	case SEND_SAYS_NO_CERTIFICATE:
		return story->credentials
			       ? "The server got no certificate on this connection, although it asks for one at "
				 "the handshake: none of its CAs has issued yours."
			       : "The server wants a certificate, and got none: name one with --cert and --key, "
				 "or --pkcs12.";
	case SEND_SAYS_BAD_CERTIFICATE:
		return "The server could not verify the certificate: its operator must trust the CA that issued it, "
		       "and "
		       "renew expired CRLs.";
	case SEND_SAYS_PLAIN:
		return "The server speaks TLS on this port: the URL begins with https://.";
	case SEND_SAYS_NOTHING:
		break;
	}
	return "";
}

static const char *about_forbidden(const struct story *story)
{
	if (story->asked && story->declined)
		return about_none_given(story);
	if (story->asked)
		return "The certificate was given, and the server does not accept it: its operator must trust the CA "
		       "that issued it, "
		       "and allow this subject.";
	if (story->credentials && story->is_13)
		return "The server asked for no certificate over TLS 1.3. Java's and Node's TLS cannot ask late there: "
		       "try --tls 1.2; "
		       "or the operator asks at the handshake.";
	if (story->credentials)
		return "The server asked for no certificate. If it wants one for this path, it may have given up "
		       "because the "
		       "body was larger than what it holds.";
	return "The server asked for no certificate, and there was none to give. If it wants one, name it with --cert "
	       "and --key, "
	       "or --pkcs12.";
}

/* Where there is a place, it follows the text. */
static const char *about_redirection(const struct send_result *result, const struct send_options *options,
				     char to[static WORDS_ROOM])
{
	switch (result->follow) {
	case SEND_FOLLOW_NOWHERE:
		return "The server wants it sent elsewhere, and names no place";
	case SEND_FOLLOW_UNASKED:
		return "The server wants it sent elsewhere: follow with --location, or send it there";
	case SEND_FOLLOW_LIMIT:
		(void)snprintf(to, WORDS_ROOM,
			       "%u redirections were followed (--max-redirs), and the server names another place",
			       options->follow_max);
		return to;
	case SEND_FOLLOW_PLAIN:
		return "The server redirects from https to http, which is never followed: anybody could read the file "
		       "on "
		       "its way. The other place is";
	case SEND_FOLLOW_SCHEME:
		return "The server redirects to what is neither an https nor an http URL";
	case SEND_FOLLOW_BODY:
		return "The server redirects, and standard input cannot be read again: send a file, or send it there";
	case SEND_FOLLOW_STATUS:
	case SEND_FOLLOW:
		break;
	}
	if (result->location[0] == '\0')
		return "The server wants it sent elsewhere, and names no place";
	if (result->status == 303) /* RFC 9110 15.4.4 */
		return "The server says where the result is, and not whether it has stored the file: look there";
	return "The server redirects without saying that the same is to be sent again (307 and 308 do): send it there";
}

static const char *about_status(const struct send_result *result, const struct story *story, char to[static WORDS_ROOM])
{
	long status = result->status;

	if (result->says != SEND_SAYS_NOTHING)
		return about_page(result, story);
	if (status == 401 && result->schemes[0] != '\0')
		return about_login(story->options, result, to);
	if (result->retry_after_s > 0 && (status == 408 || status == 413 || status == 429 || status >= 500)) {
		(void)snprintf(to, WORDS_ROOM,
			       "The server says when to try again: in %llu s. --retry waits for up to an hour.",
			       (unsigned long long)result->retry_after_s);
		return to;
	}
	if (status == 413)
		return about_too_large(result, story, to);
	if (status == 401 || status == 403)
		return about_forbidden(story);
	if (status == 500 && story->credentials && !story->asked && story->is_13)
		return "The server asked for no certificate over TLS 1.3. A server that fails because its TLS cannot "
		       "ask late "
		       "there (Node's, Java's) may do with --tls 1.2.";
	if (status == 405 || status == 501)
		return "The server does not take this method here: see --method; or its operator allows it.";
	if (status == 411)
		return "The server wants to know the length before: send a file, not standard input from a pipe.";
	if (status == 417)
		return "The server knows no Expect: 100-continue: --expect never.";
	if (status == 408)
		return "The server waited for the body, or for the certificate, for as long as it does.";
	if (status / 100 == 3)
		return about_redirection(result, story->options, to);
	return "";
}

/* ---- what ended otherwise ---- */

static const char *about_stall(const struct story *story, bool has_all)
{
	if (has_all && !(story->asked_late && story->in_upload))
		return "The server's system has the whole file, and there is no whole answer: it may have been stored "
		       "all "
		       "the same. "
		       "--response-timeout waits longer.";
	if (story->asked && story->declined)
		return about_none_given(story);
	if (story->asked_late && story->in_upload)
		return "The server asked for the certificate, and stopped reading: it waits for an answer that is "
		       "behind the body. That "
		       "is the freeze. Prime the connection (--prime always) or wait with the body (--expect always); "
		       "or the "
		       "operator makes it ask at the handshake, or go on reading while it asks.";
	if (story->credentials && !story->asked)
		return "The server stopped reading, and has asked for no certificate so far.";
	return "The server stopped reading.";
}

static const char *about_alert(unsigned alert, const struct story *story)
{
	switch (alert) {
	case 116: /* certificate_required */
		if (story->asked && story->declined)
			return about_none_given(story);
		return "The server wants a certificate, and got none: name one with --cert and --key, or --pkcs12.";
	case 48: /* unknown_ca */
		return "The server does not trust the CA that issued the certificate: its operator adds it; or the "
		       "intermediate CA's certificate is missing after yours in the file of --cert.";
	case 42: /* bad_certificate */
	case 43: /* unsupported_certificate */
	case 46: /* certificate_unknown */
	case 49: /* access_denied */
		return "The server does not accept the certificate: its operator must trust the CA that issued it, and "
		       "allow this subject.";
	case 44:
		return "The server says that the certificate is revoked.";
	case 45:
		return "The server says that the certificate has expired, or its CA's, or the CRL that it checks.";
	case 51: /* decrypt_error */
		return "The server could not verify the signature that your key made.";
	case 40: /* handshake_failure */
		return story->asked && story->declined ? about_none_given(story)
						       : "Client and server found no common terms, or the server wants "
							 "another certificate.";
	case 120: /* no_application_protocol */
		return "The server speaks HTTP/2 only, which knows no late ask: its operator lets it speak HTTP/1.1, "
		       "too.";
	case 70: /* protocol_version */
		return "The server does not speak this version of TLS: see --tls.";
	default:
		return "";
	}
}

static const char *about_loss(const struct story *story)
{
	if (story->asked && story->declined)
		return about_none_given(story);
	if (story->asked_late && story->in_upload)
		return "The server asked for the certificate during the upload, and then ended the connection. Prime "
		       "it (--prime "
		       "always).";
	return "";
}

static const char *about_key(const struct story *story)
{
	if (story->is_12)
		return "The server had no part in it. Look at the token (plugged in, unlocked, touched in time), or at "
		       "the key.";
	return "The server had no part in it. Look at the token (plugged in, unlocked, touched in time), or at the "
	       "key. "
	       "A token that cannot sign with RSA-PSS, as TLS 1.3 wants it, may do with --tls 1.2.";
}

static const char *about_slow_key(const struct send_result *result, char to[static WORDS_ROOM])
{
	(void)snprintf(to, WORDS_ROOM, "The key took %.1f s to sign%s.", (double)result->key_ms / 1000,
		       result->cause == SEND_TIMEOUT ? ", which counts for --timeout"
						     : ": the server may not wait for so long");
	return to;
}

#define EXPIRED       10 /* openssl-verify(1): X509_V_ERR_CERT_HAS_EXPIRED */
#define NOT_YET_VALID 9
#define UNSPECIFIED   1

static const char *about_trust(long verify)
{
	if (verify == EXPIRED || verify == NOT_YET_VALID)
		return "The server's certificate, or its CA's, is not valid today: its operator renews it; or this "
		       "machine's "
		       "clock is wrong.";
	if (verify == SEND_VERIFY_PROXY)
		return "It is the proxy's that is not accepted: this system has to trust it.";
	if (verify <= UNSPECIFIED) /* libcurl looks at the name before the chain */
		return "The server's certificate is for another name: use that in the URL.";
	return "Name the CA that issued the server's certificate with --ca.";
}

static const char *about(const struct send_result *result, const struct story *story, char to[static WORDS_ROOM])
{
	switch (result->cause) {
	case SEND_REFUSED:
		return about_status(result, story, to);
	case SEND_EARLY:
		return "The server answered as if all were well before it had the whole body: do not believe it.";
	case SEND_STALLED:
		return about_stall(story, result->total >= 0 && result->sent >= (uint64_t)result->total);
	case SEND_NO_CERTIFICATE:
		return about_alert(result->alert, story);
	case SEND_LOST:
	case SEND_NO_TLS:
		if (result->garbled && result->primed)
			return "What came is not an HTTP/1.1 response. It may be a body that the server sent with its "
			       "answer to the HEAD: --prime never.";
		if (result->alert != 0)
			return about_alert(result->alert, story);
		if (result->key_ms >= SEND_SLOW_KEY_MS)
			return about_slow_key(result, to);
		return about_loss(story);
	case SEND_NO_KEY:
		return about_key(story);
	case SEND_NO_TRUST:
		return about_trust(result->verify);
	case SEND_UNPRIMED:
		return "--prime auto goes on without, and waits with the body instead (Expect: 100-continue).";
	case SEND_TIMEOUT:
		return result->key_ms >= SEND_SLOW_KEY_MS ? about_slow_key(result, to) : "";
	case SEND_DONE:
	case SEND_NO_HOST:
	case SEND_NO_WAY:
	case SEND_NO_BODY:
	case SEND_NO_SENSE:
	case SEND_NO_OUT:
	case SEND_NO_ROOM:
		break;
	}
	return "";
}

/* Whether the cures may help: not where a name or a file is wrong. */
static bool is_the_servers(const struct send_result *result)
{
	bool refused = result->cause == SEND_REFUSED && (result->status == 401 || result->status == 403 ||
							 result->status == 413 || result->status == 408);

	if (result->schemes[0] != '\0' || result->says != SEND_SAYS_NOTHING || result->retry_after_s > 0)
		return false;
	return refused || result->cause == SEND_STALLED || (result->cause == SEND_LOST && result->ask_count > 0);
}

/* Where a fault of the client's own certificate may be the cause. */
static bool is_about_certificate(const struct send_result *result)
{
	bool refused = result->cause == SEND_REFUSED && (result->status == 400 || result->status == 401 ||
							 result->status == 403 || result->status == 495);

	return result->cause == SEND_NO_CERTIFICATE ||
	       ((refused || result->cause == SEND_LOST || result->cause == SEND_NO_TLS) && result->ask_count > 0);
}

void send_explain(const struct send_options *options, struct send_result *result)
{
	struct story story = read_story(options, result);
	char room[WORDS_ROOM];
	const char *words = about(result, &story, room);

	bool moved = result->cause == SEND_REFUSED && result->status / 100 == 3;
	char url[SEND_URL_ROOM] = "";
	const char *between = moved ? "." : "";

	if (is_the_servers(result)) {
		between = " See docs/cures.md, and: thaw probe ";
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

/* ---- what became of it ---- */

/* "26.0 MiB of 50.0 MiB" */
static const char *far_text(const struct send_result *result, char to[static 3 * SEND_SIZE_ROOM])
{
	char sent[SEND_SIZE_ROOM], total[SEND_SIZE_ROOM];

	(void)snprintf(to, (size_t)3 * SEND_SIZE_ROOM, "%s%s%s", send_size_text(result->sent, sent),
		       result->total >= 0 ? " of " : "",
		       result->total >= 0 ? send_size_text((uint64_t)result->total, total) : "");
	return to;
}

static const char *ask_text(const struct send_result *result)
{
	return result->ask_count > 0 || result->asked_before ? "the server has asked for a certificate"
							     : "the server has not asked for a certificate";
}

const char *send_outcome_text(const struct send_result *result, char to[static SEND_OUTCOME_ROOM])
{
	char far[3 * SEND_SIZE_ROOM], with[SEND_SIZE_ROOM];
	const char *how_far = far_text(result, far), *words = result->err.text;

	switch (result->cause) {
	case SEND_DONE:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "sent %s in %.1f s: %ld", how_far, (double)result->ms / 1000,
			       result->status);
		break;
	case SEND_REFUSED:
	case SEND_EARLY:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "the server answered %ld after %s; %s", result->status, how_far,
			       ask_text(result));
		break;
	case SEND_STALLED:
		if (result->stalled_with > 0)
			(void)snprintf(to, SEND_OUTCOME_ROOM, "stalled: only %s moved in %.1f s, after %s; %s",
				       send_size_text(result->stalled_with, with), (double)result->stalled_ms / 1000,
				       how_far, ask_text(result));
		else
			(void)snprintf(to, SEND_OUTCOME_ROOM, "stalled: nothing moved for %.1f s, after %s; %s",
				       (double)result->stalled_ms / 1000, how_far, ask_text(result));
		break;
	case SEND_LOST:
	case SEND_TIMEOUT:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "%s after %s: %s; %s",
			       result->cause == SEND_LOST ? "the connection ended" : "out of time", how_far, words,
			       ask_text(result));
		break;
	case SEND_NO_KEY:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "the client's key made no signature: %s", result->key_reason);
		break;
	case SEND_NO_CERTIFICATE:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "the server refused the certificate: TLS alert %u (%s)",
			       result->alert, tls_alert_name(result->alert));
		break;
	case SEND_NO_HOST:
	case SEND_NO_WAY:
	case SEND_NO_TRUST:
	case SEND_NO_TLS:
	case SEND_UNPRIMED:
	case SEND_NO_BODY:
	case SEND_NO_SENSE:
	case SEND_NO_OUT:
	case SEND_NO_ROOM:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "%s", words);
		break;
	}
	return to;
}
