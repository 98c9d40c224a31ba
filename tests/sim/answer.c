#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Copies the value of a field; false: the field is missing. */
static bool field(const char *head, const char *end, const char *name, char *value, size_t room)
{
	size_t len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line != NULL && line < end; line = strstr(line + 2, "\r\n")) {
		const char *at = line + 2;
		if (strncasecmp(at, name, len) != 0 || at[len] != ':')
			continue;
		at += len + 1;
		at += strspn(at, " ");
		size_t size = strcspn(at, "\r");
		if (size >= room)
			return false;
		memcpy(value, at, size);
		value[size] = '\0';
		return true;
	}
	return false;
}

static enum answer_state bad(const char **why, const char *text)
{
	*why = text;
	return ANSWER_BAD;
}

static void drop(struct answer_reader *reader, size_t len)
{
	memmove(reader->data, reader->data + len, reader->len - len);
	reader->len -= len;
	reader->data[reader->len] = '\0';
}

static enum answer_state take_body(struct answer_reader *reader, struct answer *answer, const char *body, size_t len,
				   const char **why)
{
	answer->body = malloc(len + 1);
	if (answer->body == NULL)
		abort();
	memcpy(answer->body, body, len);
	answer->body[len] = '\0';
	answer->body_len = len;
	answer->complete = true;
	if (len > 0 && strstr(answer->type, "json") != NULL) {
		answer->json = json_loadb(answer->body, len, JSON_REJECT_DUPLICATES, NULL);
		if (answer->json == NULL)
			return bad(why, "a body that calls itself JSON and is not");
	}
	drop(reader, (size_t)(body - reader->data) + len);
	return ANSWER_COMPLETE;
}

/* Decodes a chunked body in place. Returns its length; -1: incomplete; -2: malformed. */
static long take_chunks(struct answer_reader *reader, char *body, size_t *len)
{
	char *at = body, *to = body, *end = reader->data + reader->len;

	for (;;) {
		char *line = memchr(at, '\n', (size_t)(end - at));
		size_t size = strtoul(at, NULL, 16);
		if (line == NULL)
			return -1;
		if (line[-1] != '\r' || size > ANSWER_MAX)
			return -2;
		at = line + 1;
		if (size == 0)
			break;
		if ((size_t)(end - at) < size + 2)
			return -1;
		if (memcmp(at + size, "\r\n", 2) != 0)
			return -2;
		memmove(to, at, size);
		to += size;
		at += size + 2;
	}
	char *last = strncmp(at, "\r\n", 2) == 0 ? at : strstr(at, "\r\n\r\n");
	if (last == NULL || end - at < 2)
		return -1;
	last += last == at ? 2 : 4;
	*len = (size_t)(last - body);
	return to - body;
}

/* Decodes a copy, and takes it only if it is complete: an incomplete body, and what follows it, stay unchanged. */
static enum answer_state take_chunked(struct answer_reader *reader, struct answer *answer, char *body, const char **why)
{
	struct answer_reader *copy = malloc(sizeof(*copy));
	size_t used = 0;

	if (copy == NULL)
		abort();
	memcpy(copy, reader, sizeof(*copy));
	long len = take_chunks(copy, copy->data + (body - reader->data), &used);
	enum answer_state state = ANSWER_MORE;
	if (len == -2)
		state = bad(why, "a malformed chunk");
	else if (len >= 0) {
		state = take_body(copy, answer, copy->data + (body - reader->data), (size_t)len, why);
		drop(reader, (size_t)(body - reader->data) + used);
	}
	free(copy);
	return state;
}

enum answer_state answer_take(struct answer_reader *reader, struct answer *answer, bool is_head, const char **why)
{
	char value[64];
	int minor = 0, at = 0;
	unsigned status = 0;
	bool chunked = false;

	reader->data[reader->len] = '\0';
	const char *end = strstr(reader->data, "\r\n\r\n");
	if (end == NULL)
		return reader->len == ANSWER_MAX - 1 ? bad(why, "a head without an end") : ANSWER_MORE;
	const char *body = end + 4;
	if (sscanf(reader->data, "HTTP/1.%1d %3u %n", &minor, &status, &at) != 2 || minor != 1 || at != 13 ||
	    status < 100)
		return bad(why, "a status line that is none");
	if (status < 200) {
		answer->hundreds += status == 100;
		drop(reader, (size_t)(body - reader->data));
		return ANSWER_CONTINUE;
	}
	size_t len = 0;
	if (field(reader->data, end + 2, "Content-Length", value, sizeof(value)))
		len = (size_t)strtoull(value, NULL, 10);
	else if (!is_head && field(reader->data, end + 2, "Transfer-Encoding", value, sizeof(value)))
		chunked = strcmp(value, "chunked") == 0;
	else if (!is_head && status != 204 && status != 304)
		return bad(why, "a response without Content-Length");
	if (is_head || status == 204 || status == 304)
		len = 0;
	if ((size_t)(body - reader->data) + len >= ANSWER_MAX)
		return bad(why, "a response larger than any of ours");
	if (reader->len - (size_t)(body - reader->data) < len)
		return ANSWER_MORE;
	answer->status = status;
	answer->close =
		field(reader->data, end + 2, "Connection", value, sizeof(value)) && strcasecmp(value, "close") == 0;
	(void)field(reader->data, end + 2, "Location", answer->location, sizeof(answer->location));
	(void)field(reader->data, end + 2, "Content-Type", answer->type, sizeof(answer->type));
	(void)field(reader->data, end + 2, "X-Site", answer->site, sizeof(answer->site));
	if (chunked)
		return take_chunked(reader, answer, (char *)body, why);
	return take_body(reader, answer, body, len, why);
}

void answer_free(struct answer *answer)
{
	json_decref(answer->json);
	free(answer->body);
	*answer = (struct answer){0};
}
