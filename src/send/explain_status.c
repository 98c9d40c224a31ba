/* Hints about answers that refuse. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "send/explain_inside.h"

const char *explain_none_given(const struct send_story *story)
{
	return story->credentials
		       ? "The server asked for a certificate, and yours could not be given: its key makes no signature "
			 "that the server takes. It wants one with another kind of key."
		       : "The server asked for a certificate, and there was none to give: name one with --cert and "
			 "--key, or --pkcs12.";
}

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

static const char *about_too_large(const struct send_result *result, const struct send_story *story,
				   char to[static EXPLAIN_ROOM])
{
	bool again = story->asked_late && story->in_upload, unasked = story->credentials && !story->asked;
	bool plain = strncasecmp(result->server, "nginx", 5) == 0;
	const char *prime = story->primed ? "" : "Prime the connection (--prime always); or its ";

	if (!plain && again)
		(void)snprintf(to, EXPLAIN_ROOM,
			       "The server asked for the certificate during the upload%s, and holds no more of a body "
			       "meanwhile. %soperator raises the limit (%s), or asks at the handshake.",
			       story->primed ? ", although the connection was primed" : "",
			       story->primed ? "Its " : prime, limit_of(result, true));
	else if (!plain && unasked)
		(void)snprintf(to, EXPLAIN_ROOM,
			       "If the server wants a certificate for this path, it holds no more of a body before it "
			       "asks. %soperator raises the limit (%s), or that of every body (%s).",
			       story->primed ? "Its " : prime, limit_of(result, true), limit_of(result, false));
	else
		(void)snprintf(to, EXPLAIN_ROOM,
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
static const char *way_in(const struct send_options *options, const struct send_result *result)
{
	const char *schemes = result->schemes;
	bool digest = has_scheme(schemes, "Digest"), basic = has_scheme(schemes, "Basic");
	bool tried = options->user != NULL && (options->login == SEND_LOGIN_DIGEST ? digest : basic);

	if (tried && digest && result->only_auth_int)
		return "It requires qop=auth-int, which thaw send does not support: its operator has to allow "
		       "qop=auth.";
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

static const char *about_forbidden(const struct send_story *story)
{
	if (story->asked && story->declined)
		return explain_none_given(story);
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
				     char to[static EXPLAIN_ROOM])
{
	switch (result->follow) {
	case SEND_FOLLOW_NOWHERE:
		return "The server wants it sent elsewhere, and names no place";
	case SEND_FOLLOW_UNASKED:
		return "The server wants it sent elsewhere: follow with --location, or send it there";
	case SEND_FOLLOW_LIMIT:
		(void)snprintf(to, EXPLAIN_ROOM,
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
