#include "probe/reply.h"

#include <string.h>
#include <strings.h>

void reply_init(struct reply *reply, bool is_head)
{
	memset(reply, 0, sizeof(*reply));
	reply->asked.is_head = is_head;
}

static void keep(char *to, size_t room, const struct http_response *answer, const char *name)
{
	const struct http_field *field = http_response_find(answer, name);
	size_t len = field == NULL ? 0 : field->value.len < room - 1 ? field->value.len : room - 1;

	if (len > 0)
		memcpy(to, field->value.at, len);
	to[len] = '\0';
}

/* The text is printed, possibly on terminals. */
static void keep_visible(char *to, size_t room, const struct http_response *answer, const char *name)
{
	keep(to, room, answer, name);
	for (const char *at = to; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~') {
			to[0] = '\0';
			return;
		}
}

/* "BIGipServer<pool>" is the persistence cookie; other modules set "TS" with hexadecimal digits, or "F5_ST". */
static bool has_cookie_of_f5(const struct http_response *answer)
{
	for (size_t i = 0; i < answer->field_count; i++) {
		const struct http_field *field = &answer->fields[i];
		if (http_span_equal_nocase(field->name, "set-cookie") && field->value.len >= 11 &&
		    strncasecmp(field->value.at, "BIGipServer", 11) == 0)
			return true;
	}
	return false;
}

static enum reply_news begin_body(struct reply *reply, const struct http_response *answer)
{
	reply->status = answer->status;
	reply->stays = answer->keep_alive;
	reply->framing = answer->framing;
	reply->left = answer->framing == HTTP_RESPONSE_LENGTH ? answer->length : 0;
	reply->in_body = true;
	http_chunked_init(&reply->chunked);
	reply->chunked.repairs = &reply->repairs;
	keep(reply->server, sizeof(reply->server), answer, "server");
	keep(reply->type, sizeof(reply->type), answer, "content-type");
	keep(reply->keep_alive, sizeof(reply->keep_alive), answer, "keep-alive");
	keep_visible(reply->location, sizeof(reply->location), answer, "location");
	reply->cookie_of_f5 = has_cookie_of_f5(answer);
	return REPLY_HEAD;
}

static enum reply_news bad(struct reply *reply, const char *why)
{
	reply->why = why;
	return REPLY_BAD;
}

/* Collects the bytes of the head; the bytes after it are left. */
static enum reply_news feed_head(struct reply *reply, const char *data, size_t len, size_t *used)
{
	struct http_response answer;
	struct http_refusal refusal = {0};
	size_t room = sizeof(reply->head) - reply->head_len, before = reply->head_len, head = 0;
	size_t take = len < room ? len : room;

	memcpy(reply->head + before, data, take);
	reply->head_len += take;
	enum http_parse parse = http_response_parse(reply->head, reply->head_len, &reply->asked, &reply->scan, &answer,
						    &head, &refusal);
	if (parse == HTTP_PARSE_BAD)
		return bad(reply, refusal.why);
	*used = take;
	if (parse == HTTP_PARSE_MORE)
		return take < len ? bad(reply, "a head that is too long") : REPLY_MORE;
	*used = head - before;
	reply->head_len = 0;
	reply->scan = (struct http_scan){0};
	if (answer.status >= 200)
		return begin_body(reply, &answer);
	reply->interim = answer.status;
	return ++reply->interim_count > REPLY_INTERIM_MAX ? bad(reply, "more than 256 informational responses")
							  : REPLY_INTERIM;
}

static void keep_body(struct reply *reply, const char *data, size_t len)
{
	size_t room = REPLY_BODY_KEPT - reply->body_len;

	len = len < room ? len : room;
	memcpy(reply->body + reply->body_len, data, len);
	reply->body_len += len;
	reply->body[reply->body_len] = '\0';
}

static enum reply_news done(struct reply *reply)
{
	reply->done = true;
	return REPLY_DONE;
}

static enum reply_news feed_chunks(struct reply *reply, const char *data, size_t len, size_t *used)
{
	struct http_refusal refusal = {0};
	struct http_span span;
	size_t taken = 0;

	while (*used < len) {
		switch (http_chunked_decode(&reply->chunked, data + *used, len - *used, &taken, &span, &refusal)) {
		case HTTP_CHUNK_DATA:
			keep_body(reply, span.at, span.len);
			break;
		case HTTP_CHUNK_END:
			*used += taken;
			return done(reply);
		case HTTP_CHUNK_BAD:
			return bad(reply, refusal.why);
		case HTTP_CHUNK_MORE:
			break;
		}
		*used += taken;
	}
	return REPLY_MORE;
}

static enum reply_news feed_body(struct reply *reply, const char *data, size_t len, size_t *used)
{
	switch (reply->framing) {
	case HTTP_RESPONSE_NONE:
		return done(reply);
	case HTTP_RESPONSE_CHUNKED:
		return feed_chunks(reply, data, len, used);
	case HTTP_RESPONSE_LENGTH:
		*used = len < reply->left ? len : (size_t)reply->left;
		keep_body(reply, data, *used);
		reply->left -= *used;
		return reply->left == 0 ? done(reply) : REPLY_MORE;
	case HTTP_RESPONSE_UNTIL_CLOSE:
		break;
	}
	*used = len;
	keep_body(reply, data, len);
	return REPLY_MORE;
}

enum reply_news reply_feed(struct reply *reply, const char *data, size_t len, size_t *used)
{
	*used = 0;
	if (reply->done)
		return REPLY_DONE;
	if (reply->why != NULL)
		return REPLY_BAD;
	if (reply->in_body)
		return feed_body(reply, data, len, used);
	return len > 0 ? feed_head(reply, data, len, used) : REPLY_MORE;
}

enum reply_news reply_end(struct reply *reply)
{
	return reply->in_body && reply->framing == HTTP_RESPONSE_UNTIL_CLOSE ? done(reply) : REPLY_MORE;
}
