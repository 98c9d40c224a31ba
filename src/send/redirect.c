#include "send/redirect.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "send/url.h"

static bool begins(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

enum send_follow send_follows(const struct send_options *options, long status, const char *target, unsigned followed,
			      bool repeatable)
{
	if (status != 307 && status != 308) /* RFC 9110 15.4: only these two repeat the same request */
		return SEND_FOLLOW_STATUS;
	if (target[0] == '\0')
		return SEND_FOLLOW_NOWHERE;
	if (options->follow_max == 0)
		return SEND_FOLLOW_UNASKED;
	if (followed >= options->follow_max)
		return SEND_FOLLOW_LIMIT;
	if (begins(options->url, "https:") && begins(target, "http:"))
		return SEND_FOLLOW_PLAIN;
	if (!begins(target, "https://") && !begins(target, "http://"))
		return SEND_FOLLOW_SCHEME;
	return repeatable ? SEND_FOLLOW : SEND_FOLLOW_BODY;
}

/* Fields about the content. Any other field may be a credential: Authorization, Cookie, X-Api-Key, PRIVATE-TOKEN. */
static bool is_harmless(const char *line)
{
	return begins(line, "content-") || begins(line, "accept");
}

void send_redirect(const struct send_options *from, const char *target, struct send_options *to)
{
	bool same = send_url_relation(from->url, target) == SEND_URL_SAME_ORIGIN;

	*to = *from;
	to->url = target;
	if (same)
		return;
	to->prime_url = to->sni = NULL; /* they belong to the old server */
	to->header_count = 0;
	for (size_t i = 0; i < from->header_count; i++)
		if (is_harmless(from->headers[i]) || (from->follow_trusting && !begins(from->headers[i], "host:")))
			to->headers[to->header_count++] = from->headers[i];
	if (from->follow_trusting)
		return;
	to->credentials = NULL;
	to->fault = to->user = NULL;
}

bool redirect_follow(const struct send_options *options, struct send_body *body, struct send_options *next,
		     struct send_result *result)
{
	char text[SEND_URL_ROOM + 128], url[SEND_URL_ROOM];

	if (result->cause != SEND_REFUSED || result->status / 100 != 3 || result->follow != SEND_FOLLOW)
		return false;
	if (!(send_body_is_file(body) ? send_body_skip(body, 0) : send_body_rewind(body))) {
		result->follow = SEND_FOLLOW_BODY;
		return false;
	}
	(void)snprintf(result->url, sizeof(result->url), "%s", result->location);
	result->followed++;
	result->err.cls = THAW_ERR_NONE;
	result->primed = result->expected = result->continued = false;
	result->prime_status = 0;
	send_redirect(options, result->url, next);
	bool bare = !options->follow_trusting &&
		    (options->credentials != next->credentials || options->user != next->user ||
		     options->header_count != next->header_count);
	(void)snprintf(text, sizeof(text), "redirected to %s%s",
		       send_url_text(result->url, url) ? url : "a URL that is too long to print",
		       bare ? ", without the certificate, --user and --header fields" : "");
	if (options->tell != NULL)
		options->tell(options->arg, &(struct send_news){.kind = SEND_NEWS_NOTE, .text = text});
	return true;
}
