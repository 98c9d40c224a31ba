/* Hints about error responses. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "send/explain_inside.h"

const char *explain_none_given(const struct send_story *story)
{
	return story->credentials
		       ? "The server asked for a certificate, but yours could not be sent: the server accepts no "
			 "signature algorithm of its key. Use a certificate with another type of key."
		       : "The server asked for a certificate, but none is configured: name one with --cert and --key, "
			 "or --pkcs12.";
}

/* The settings of servers that limit a body: for all bodies, and while the server waits for a certificate. */
static const struct {
	const char *server; /* beginning of its Server field */
	const char *size, *late;
} limits[] = {
	{"Apache-Coyote", "maxPostSize", "maxSavePostSize"}, /* Tomcat */
	{"Apache", "LimitRequestBody", "SSLRenegBufferSize"},
	{"nginx", "client_max_body_size", "client_max_body_size"}, /* nginx never asks late */
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

static const char *about_too_large(const struct send_result *result, const struct send_story *story,
				   char to[static EXPLAIN_ROOM])
{
	bool again = story->asked_late && story->in_upload, unasked = story->credentials && !story->asked;
	bool plain = strncasecmp(result->server, "nginx", 5) == 0;
	const char *prime = story->primed ? "" : "Prime the connection (--prime always); or its ";

	if (!plain && again)
		(void)snprintf(
			to, EXPLAIN_ROOM,
			"The server asked for the certificate during the upload%s, and does not buffer that much of a "
			"body meanwhile. %soperator must raise the limit (%s), or ask at the handshake.",
			story->primed ? ", although the connection was primed" : "", story->primed ? "Its " : prime,
			limit_of(result, true));
	else if (!plain && unasked)
		(void)snprintf(
			to, EXPLAIN_ROOM,
			"If the server requires a certificate for this path, it does not buffer that much of a body "
			"before it asks. %soperator must raise that limit (%s), or the limit for all bodies (%s).",
			story->primed ? "Its " : prime, limit_of(result, true), limit_of(result, false));
	else
		(void)snprintf(to, EXPLAIN_ROOM,
			       "The server does not accept a body of this size; its operator can raise the limit (%s).",
			       limit_of(result, false));
	return to;
}

/* Whether the scheme is in a list such as "Basic, Digest". */
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

/* Whether a header field is enough for one of the schemes: not for schemes with several steps, or for a whole
 * connection. */
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
static const char *way_in(const struct send_options *options, const struct send_result *result)
{
	const char *schemes = result->schemes;
	bool digest = has_scheme(schemes, "Digest"), basic = has_scheme(schemes, "Basic");
	bool tried = options->user != NULL && (options->login == SEND_LOGIN_DIGEST ? digest : basic);

	if (tried && digest && result->only_auth_int)
		return "It requires qop=auth-int, which thaw send does not support: its operator has to allow "
		       "qop=auth.";
	if (tried)
		return "The server rejects the user and password of --user.";
	if (digest)
		return "Use --user NAME --digest.";
	if (basic)
		return "Use --user NAME.";
	return is_by_header(schemes)
		       ? "Use --header 'Authorization: ...'."
		       : "thaw send does not support this scheme: the server's operator must allow another one.";
}

static const char *about_login(const struct send_options *options, const struct send_result *result,
			       char to[static EXPLAIN_ROOM])
{
	(void)snprintf(to, EXPLAIN_ROOM,
		       "The server wants a login by %s (WWW-Authenticate), which is not a client certificate. %s",
		       result->schemes, way_in(options, result));
	return to;
}

static const char *about_page(const struct send_result *result, const struct send_story *story)
{
	switch (result->says) {
	case SEND_SAYS_NO_CERTIFICATE:
		return story->credentials ? "The server asked for a certificate at the handshake but got none: yours "
					    "is not from one of the CAs that it accepts."
					  : "The server requires a client certificate and got none: name one with "
					    "--cert and --key, or --pkcs12.";
	case SEND_SAYS_BAD_CERTIFICATE:
		return "The server could not verify the certificate: its operator must trust the CA that issued it, "
		       "and "
		       "renew expired CRLs.";
	case SEND_SAYS_PLAIN:
		return "The server speaks TLS on this port: use https:// in the URL.";
	case SEND_SAYS_NOTHING:
		break;
	}
	return "";
}

static const char *about_forbidden(const struct send_story *story)
{
	if (story->asked && story->declined)
		return explain_none_given(story);
	if (story->asked)
		return "The certificate was sent, but the server does not accept it: its operator must trust the CA "
		       "that issued it, and allow this subject.";
	if (story->credentials && story->is_13)
		return "The server asked for no certificate over TLS 1.3. The TLS libraries of Java and Node.js cannot "
		       "ask late over TLS 1.3: try --tls 1.2, or the operator must make the server ask at the "
		       "handshake.";
	if (story->credentials)
		return "The server asked for no certificate. If it requires one for this path, it may have given up "
		       "because the body is larger than its buffer.";
	return "The server asked for no certificate, and none is configured. If it requires one, name it with --cert "
	       "and --key, or --pkcs12.";
}

/* If there is a location, it is appended to the text. */
static const char *about_redirection(const struct send_result *result, const struct send_options *options,
				     char to[static EXPLAIN_ROOM])
{
	switch (result->follow) {
	case SEND_FOLLOW_NOWHERE:
		return "The server redirects the upload, but names no location";
	case SEND_FOLLOW_UNASKED:
		return "The server redirects the upload: use --location to follow, or upload to";
	case SEND_FOLLOW_LIMIT:
		(void)snprintf(to, EXPLAIN_ROOM,
			       "%u redirects were followed (--max-redirs), and the server redirects again, to",
			       options->follow_max);
		return to;
	case SEND_FOLLOW_PLAIN:
		return "The server redirects from https to http. This is never followed, since anybody on the network "
		       "could read the file. The location is";
	case SEND_FOLLOW_SCHEME:
		return "The server redirects to a URL that is neither https nor http";
	case SEND_FOLLOW_BODY:
		return "The server redirects, but standard input cannot be read again: upload a file, or upload to";
	case SEND_FOLLOW_STATUS:
	case SEND_FOLLOW:
		break;
	}
	if (result->location[0] == '\0')
		return "The server redirects the upload, but names no location";
	if (result->status == 303) /* RFC 9110 15.4.4 */
		return "The server names the location of the result, but does not confirm that it stored the file: "
		       "check";
	return "The server redirects with a status that does not repeat the request (307 and 308 do): upload to";
}

const char *explain_status(const struct send_result *result, const struct send_story *story,
			   char to[static EXPLAIN_ROOM])
{
	long status = result->status;

	if (result->says != SEND_SAYS_NOTHING)
		return about_page(result, story);
	if (status == 401 && result->schemes[0] != '\0')
		return about_login(story->options, result, to);
	if (result->retry_after_s > 0 && (status == 408 || status == 413 || status == 429 || status >= 500)) {
		(void)snprintf(to, EXPLAIN_ROOM,
			       "The server asks to retry in %llu s (Retry-After). --retry waits for up to one hour.",
			       (unsigned long long)result->retry_after_s);
		return to;
	}
	if (status == 413)
		return about_too_large(result, story, to);
	if (status == 401 || status == 403)
		return about_forbidden(story);
	if (status == 500 && story->credentials && !story->asked && story->is_13)
		return "The server asked for no certificate over TLS 1.3. If it failed because its TLS library cannot "
		       "ask late over TLS 1.3 (Node.js, Java), try --tls 1.2.";
	if (status == 405 || status == 501)
		return "The server does not allow this method for this URL: see --method, or ask its operator to allow "
		       "it.";
	if (status == 411)
		return "The server requires the length in advance: upload a file instead of a pipe.";
	if (status == 417)
		return "The server does not support Expect: 100-continue: use --expect never.";
	if (status == 408)
		return "The server timed out while it waited for the body or for the certificate.";
	if (status / 100 == 3)
		return about_redirection(result, story->options, to);
	return "";
}
