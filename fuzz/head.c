/*
 * Any bytes as a head: the result does not depend on how they are split, spans are inside them, and an accepted head
 * that is written again from its parts has the same meaning. Any path: its routing form satisfies http/route_path.h.
 */
#include <stdint.h>
#include <string.h>

#include "holds.h"
#include "http/head.h"
#include "http/route_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum http_parse parse;
	size_t used;
	struct http_request request;
	struct http_refusal refusal;
	char *memory; /* the memory of the spans, of the input's exact size */
	size_t len;
};

static void inside(const struct result *result, struct http_span span)
{
	HOLDS(span.at == NULL || (span.at >= result->memory && span.at + span.len <= result->memory + result->used));
	HOLDS(span.at != NULL || span.len == 0);
}

static void check_request(const struct result *result)
{
	const struct http_request *request = &result->request;

	HOLDS(result->used <= result->len && result->used <= HTTP_HEAD_DEFAULT);
	HOLDS(memcmp(result->memory + result->used - 4, "\r\n\r\n", 4) == 0);
	HOLDS(request->method.len > 0 && request->target.len > 0 && request->path.len > 0);
	HOLDS(request->path.at[0] == '/' || http_span_equal(request->path, "*"));
	HOLDS(request->minor <= 1 && request->host.len <= HTTP_HOST_MAX);
	HOLDS(request->minor == 0 || request->host.len > 0);
	HOLDS(request->framing == HTTP_BODY_LENGTH || request->length == 0);
	HOLDS(request->length <= INT64_MAX);
	HOLDS(request->framing != HTTP_BODY_CHUNKED || request->minor == 1);
	HOLDS(!request->expect_continue || request->framing != HTTP_BODY_NONE);
	HOLDS(request->field_count <= HTTP_FIELDS_DEFAULT);
	inside(result, request->method);
	inside(result, request->target);
	inside(result, request->path);
	inside(result, request->query);
	inside(result, request->host);
	for (size_t i = 0; i < request->field_count; i++) {
		HOLDS(request->fields[i].name.len > 0);
		inside(result, request->fields[i].name);
		inside(result, request->fields[i].value);
		for (size_t j = 0; j < request->fields[i].value.len; j++)
			HOLDS(strchr("\r\n", request->fields[i].value.at[j]) == NULL);
	}
}

static bool same_text(struct http_span a, struct http_span b)
{
	return (a.at == NULL) == (b.at == NULL) && a.len == b.len && (a.at == NULL || memcmp(a.at, b.at, a.len) == 0);
}

static void same_request(const struct http_request *a, const struct http_request *b)
{
	HOLDS(same_text(a->method, b->method) && same_text(a->target, b->target) && same_text(a->path, b->path));
	HOLDS(same_text(a->query, b->query) && same_text(a->host, b->host) && a->field_count == b->field_count);
	for (size_t i = 0; i < a->field_count; i++)
		HOLDS(same_text(a->fields[i].name, b->fields[i].name) &&
		      same_text(a->fields[i].value, b->fields[i].value));
	HOLDS(a->framing == b->framing && a->length == b->length && a->minor == b->minor);
	HOLDS(a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue && a->is_head == b->is_head);
}

static void same_result(const struct result *a, const struct result *b)
{
	HOLDS(a->parse == b->parse);
	if (a->parse == HTTP_PARSE_BAD)
		HOLDS(a->refusal.status == b->refusal.status && strcmp(a->refusal.why, b->refusal.why) == 0);
	if (a->parse != HTTP_PARSE_DONE)
		return;
	HOLDS(a->used == b->used);
	same_request(&a->request, &b->request);
}

/* The input's bytes up to `len`, in memory of exactly that size. */
static char *copy(const char *bytes, size_t len)
{
	char *memory = malloc(len > 0 ? len : 1);
	HOLDS(memory != NULL);
	if (len > 0)
		memcpy(memory, bytes, len);
	return memory;
}

/* Parts of pseudo-random sizes up to `step`; 0: all at once. The bytes move before each call when `moving`. */
static void parse(struct result *result, const char *bytes, size_t len, size_t step, uint32_t seed, bool moving)
{
	struct http_scan scan = {0};
	size_t have = 0;

	*result = (struct result){.parse = HTTP_PARSE_MORE, .memory = copy(bytes, len), .len = len};
	while (result->parse == HTTP_PARSE_MORE && have < len) {
		seed = seed * 1664525 + 1013904223;
		size_t part = step == 0 ? len : 1 + (seed >> 8) % step;
		have += part < len - have ? part : len - have;
		if (moving) {
			free(result->memory);
			result->memory = copy(bytes, have);
			result->len = have;
		}
		result->parse =
			http_head_parse(result->memory, have, &scan, &result->request, &result->used, &result->refusal);
		HOLDS(result->parse != HTTP_PARSE_MORE || (scan.at <= have && scan.at + 1 >= have));
	}
}

static void append(char *out, size_t *len, const char *bytes, size_t count)
{
	if (count > 0)
		memcpy(out + *len, bytes, count);
	*len += count;
}

/* Never longer than before, so that no limit is reached. */
static void check_written_again(const struct result *result)
{
	const struct http_request *request = &result->request;
	char *out = malloc(result->used);
	size_t len = 0;
	struct result again;

	HOLDS(out != NULL);
	append(out, &len, request->method.at, request->method.len);
	append(out, &len, " ", 1);
	append(out, &len, request->target.at, request->target.len);
	append(out, &len, request->minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n", 11);
	for (size_t i = 0; i < request->field_count; i++) {
		append(out, &len, request->fields[i].name.at, request->fields[i].name.len);
		append(out, &len, ":", 1);
		append(out, &len, request->fields[i].value.at, request->fields[i].value.len);
		append(out, &len, "\r\n", 2);
	}
	append(out, &len, "\r\n", 2);
	parse(&again, out, len, 0, 0, false);
	HOLDS(again.parse == HTTP_PARSE_DONE && again.used == len);
	same_request(&again.request, request);
	free(again.memory);
	http_request_free(&again.request);
	free(out);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void check_form(const char *form, size_t len)
{
	size_t segment = 0;

	HOLDS(len > 0 && form[0] == '/' && http_route_covers("/", form, len));
	for (size_t i = 0; i < len; i++) {
		HOLDS((unsigned char)form[i] >= 0x20 && form[i] != 0x7F && form[i] != '\\' && form[i] != ';');
		HOLDS(form[i] != '%' || len - i < 3 || !is_hex(form[i + 1]) || !is_hex(form[i + 2]));
		HOLDS(form[i] != '/' || i == 0 || form[i - 1] != '/');
		if (form[i] == '/')
			segment = i + 1;
		bool last = i + 1 == len || form[i + 1] == '/';
		HOLDS(!last || form[i] != '.' || i - segment >= 2 || form[segment] != '.');
	}
}

static void check_route_path(struct http_span path)
{
	struct http_refusal refusal = {0}, none = {0};
	char *form = malloc(path.len > 0 ? path.len : 1), *again = malloc(path.len > 0 ? path.len : 1);
	size_t len = 0, again_len = 0;

	HOLDS(form != NULL && again != NULL);
	if (!http_route_path(path, form, path.len, &len, &refusal)) {
		HOLDS(refusal.status == 400 && refusal.why != NULL);
	} else if (!http_span_equal(path, "*")) {
		HOLDS(len <= path.len);
		check_form(form, len);
		/* A routing form without '%' is its own routing form. */
		if (memchr(form, '%', len) == NULL) {
			HOLDS(http_route_path((struct http_span){form, len}, again, len, &again_len, &none));
			HOLDS(again_len == len && memcmp(again, form, len) == 0);
		}
	}
	free(form);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct result whole, parts;
	uint32_t seed = (uint32_t)size;

	for (size_t i = 0; i < size; i++)
		seed = (seed ^ data[i]) * 16777619;
	parse(&whole, bytes, size, 0, 0, false);
	parse(&parts, bytes, size, 1, seed, false);
	same_result(&whole, &parts);
	free(parts.memory);
	http_request_free(&parts.request);
	parse(&parts, bytes, size, 1 + size / 4, seed, true);
	same_result(&whole, &parts);
	free(parts.memory);
	http_request_free(&parts.request);
	if (whole.parse == HTTP_PARSE_DONE) {
		check_request(&whole);
		check_written_again(&whole);
		check_route_path(whole.request.path);
	}
	check_route_path((struct http_span){size > 0 ? bytes : "", size});
	free(whole.memory);
	http_request_free(&whole.request);
	return 0;
}
