/*
 * Any HTTP/2 header list: its HTTP/1.1 head parses to the same method, target, host and framing, with the same fields
 * and no others. The first input byte says whether a body follows, or whether it is a trailer section; fields end in
 * RS, their names in US.
 */
#include <stdint.h>
#include <string.h>

#include "base/ascii.h"
#include "holds.h"
#include "http/chunked.h"
#include "http/h2_head.h"
#include "http/target.h"

#define LIST_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct list {
	struct http_field fields[LIST_MAX];
	size_t count;
};

/* The list's spans are in memory of exact size, for the sanitizer. */
static struct http_span copy(const char *bytes, size_t len)
{
	char *memory = malloc(len > 0 ? len : 1);

	HOLDS(memory != NULL);
	if (len > 0)
		memcpy(memory, bytes, len);
	return (struct http_span){memory, len};
}

static void read_list(struct list *list, const char *bytes, size_t len)
{
	list->count = 0;
	while (len > 0 && list->count < LIST_MAX) {
		const char *end = memchr(bytes, '\x1e', len);
		size_t all = end != NULL ? (size_t)(end - bytes) : len;
		const char *middle = all > 0 ? memchr(bytes, '\x1f', all) : NULL;
		size_t name = middle != NULL ? (size_t)(middle - bytes) : all;
		list->fields[list->count].name = copy(bytes, name);
		list->fields[list->count++].value = middle != NULL ? copy(middle + 1, all - name - 1) : copy("", 0);
		all += end != NULL;
		bytes += all;
		len -= all;
	}
}

static void free_list(struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free((char *)list->fields[i].name.at);
		free((char *)list->fields[i].value.at);
	}
}

static bool same(struct http_span a, struct http_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* The only field with that name, which must exist. */
static struct http_span the(const struct list *list, const char *name)
{
	const struct http_field *found = NULL;

	for (size_t i = 0; i < list->count; i++)
		if (http_span_equal(list->fields[i].name, name)) {
			HOLDS(found == NULL);
			found = &list->fields[i];
		}
	HOLDS(found != NULL);
	return found->value;
}

static bool any(const struct list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (http_span_equal(list->fields[i].name, name))
			return true;
	return false;
}

static void check_framing(const struct list *list, const struct http_request *request, bool websocket, bool ended)
{
	uint64_t length = 0;

	if (websocket) {
		HOLDS(request->framing == HTTP_BODY_NONE);
	} else if (any(list, "content-length")) {
		struct http_span value = the(list, "content-length");
		HOLDS(ascii_number(value.at, value.len, INT64_MAX, &length));
		HOLDS(request->framing == HTTP_BODY_LENGTH && request->length == length && (length == 0 || !ended));
	} else {
		HOLDS(request->framing == (ended ? HTTP_BODY_NONE : HTTP_BODY_CHUNKED));
	}
}

/* Checks that the head has the list's copied fields in order, and otherwise only fields that we add. */
static void check_fields(const struct list *list, const struct http_request *request)
{
	static const char *const ours[] = {"host",   "connection",       "upgrade", "transfer-encoding",
					   "cookie", "sec-websocket-key"};
	size_t at = 0;

	for (size_t i = 0; i < request->field_count; i++) {
		bool is_ours = false;
		for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
			is_ours |= http_span_equal(request->fields[i].name, ours[k]);
		if (is_ours)
			continue;
		while (at < list->count &&
		       (list->fields[at].name.at[0] == ':' || http_span_equal(list->fields[at].name, "host") ||
			http_span_equal(list->fields[at].name, "cookie") ||
			http_span_equal(list->fields[at].name, "sec-websocket-key")))
			at++;
		HOLDS(at < list->count && same(request->fields[i].name, list->fields[at].name) &&
		      same(request->fields[i].value, list->fields[at].value));
		at++;
	}
}

static void check_request(const struct list *list, const struct http_request *request, bool ended)
{
	struct http_span method = the(list, ":method"), host = {NULL, 0};
	struct http_span authority = any(list, ":authority") ? the(list, ":authority") : the(list, "host");
	bool websocket = any(list, ":protocol");
	struct http_refusal refusal;

	HOLDS(websocket ? http_span_equal(request->method, "GET") : same(request->method, method));
	HOLDS(same(request->target, the(list, ":path")) && request->minor == 1);
	HOLDS(http_authority_parse(authority, &host, &refusal) && same(request->host, host));
	check_framing(list, request, websocket, ended);
	check_fields(list, request);
}

static void check_text(const struct list *list, const struct buffer *text, bool ended)
{
	struct http_span exact = copy(text->bytes, text->len);
	struct http_scan scan = {0};
	struct http_request request = {0};
	struct http_refusal refusal = {0};
	size_t used = 0;

	HOLDS(text->len <= HTTP_HEAD_DEFAULT);
	enum http_parse parsed = http_head_parse(exact.at, exact.len, &scan, &request, &used, &refusal);
	HOLDS(parsed != HTTP_PARSE_MORE);
	if (parsed == HTTP_PARSE_DONE) {
		HOLDS(used == exact.len);
		check_request(list, &request, ended);
	} else {
		HOLDS(refusal.status >= 400);
	}
	http_request_free(&request);
	free((char *)exact.at);
}

static void check_trailers(const struct list *list)
{
	struct h2_head head = {.outcome = H2_HEAD_GOOD};
	struct http_trailers trailers;
	struct http_field field;
	size_t at = 0, count = 0;

	for (size_t i = 0; i < list->count; i++)
		h2_head_trailer(&head, list->fields[i].name, list->fields[i].value);
	trailers.lines = head.text;
	HOLDS(head.text.len <= HTTP_TRAILER_MAX);
	while (head.outcome == H2_HEAD_GOOD && http_trailers_next(&trailers, &at, &field)) {
		HOLDS(same(field.name, list->fields[count].name) && same(field.value, list->fields[count].value));
		count++;
	}
	HOLDS(head.outcome != H2_HEAD_GOOD || count == list->count);
	h2_head_free(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[H2_KEY_LEN];
	static struct list list;
	struct h2_head head = {.outcome = H2_HEAD_GOOD};
	bool ended = size > 0 && (data[0] & 1) != 0;

	read_list(&list, (const char *)data + 1, size > 0 ? size - 1 : 0);
	for (size_t i = 0; i < list.count; i++)
		h2_head_field(&head, list.fields[i].name, list.fields[i].value);
	if (h2_head_end(&head, ended, key) == H2_HEAD_GOOD)
		check_text(&list, &head.text, ended);
	HOLDS(head.outcome != H2_HEAD_REFUSED || (head.refusal.status >= 400 && head.refusal.why != NULL));
	HOLDS(head.outcome != H2_HEAD_MALFORMED || head.why != NULL);
	HOLDS(head.outcome != H2_HEAD_NO_MEMORY);
	h2_head_free(&head);
	check_trailers(&list);
	free_list(&list);
	return 0;
}
