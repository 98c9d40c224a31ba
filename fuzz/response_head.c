/*
 * Any bytes as an upstream's response head: the result does not depend on how they are split, spans are inside them,
 * and an accepted head that is written again has the same meaning and needs no repair. The first input byte selects the
 * request.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "holds.h"
#include "http/response.h"
#include "http/response_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum http_parse parse;
	size_t used;
	struct http_response answer;
	struct http_refusal refusal;
};

static enum http_parse parse(char *bytes, size_t len, const struct http_request_kind *ask, struct http_scan *scan,
			     struct result *result)
{
	return http_response_parse(bytes, len, ask, scan, &result->answer, &result->used, &result->refusal);
}

static void inside(const char *bytes, size_t used, struct http_span span)
{
	HOLDS(span.at >= bytes && span.at + span.len <= bytes + used);
}

static void check(const char *bytes, size_t len, const struct http_request_kind *ask, const struct result *result)
{
	const struct http_response *answer = &result->answer;

	HOLDS(result->used >= 4 && result->used <= len && result->used <= HTTP_HEAD_MAX);
	HOLDS(bytes[result->used - 1] == '\n');
	if ((answer->repairs & HTTP_REPAIR_LINE_END) == 0)
		HOLDS(memcmp(bytes + result->used - 4, "\r\n\r\n", 4) == 0);
	HOLDS(answer->status >= 100 && answer->status <= 999);
	HOLDS(answer->length <= INT64_MAX);
	HOLDS(answer->status != 101 || ask->upgrade);
	if (ask->is_head || answer->status < 200 || answer->status == 204 || answer->status == 304)
		HOLDS(answer->framing == HTTP_RESPONSE_NONE);
	inside(bytes, result->used, answer->phrase);
	for (size_t i = 0; i < answer->field_count; i++) {
		inside(bytes, result->used, answer->fields[i].name);
		inside(bytes, result->used, answer->fields[i].value);
	}
}

/* As forwarded, without hop-by-hop fields: the framing stays the same. */
static void check_written(const struct http_response *answer, const struct http_request_kind *ask)
{
	static char out[2 * HTTP_HEAD_MAX];
	struct http_writer writer;
	struct http_scan scan = {0};
	struct result again;
	struct http_hops hops;

	http_writer_init(&writer, out, sizeof(out));
	http_write_status_line(&writer, answer->status, answer->phrase);
	http_hops_of(&hops, answer->fields, answer->field_count);
	for (size_t i = 0; i < answer->field_count; i++) {
		struct http_span name = answer->fields[i].name;
		bool frames = http_span_equal_nocase(name, "Content-Length") || http_hops_has(&hops, name);
		if (!frames || (answer->status == 101 && http_span_equal_nocase(name, "Upgrade")))
			http_write_span(&writer, name, answer->fields[i].value);
	}
	if (answer->framing == HTTP_RESPONSE_CHUNKED)
		http_write_field(&writer, "Transfer-Encoding", "chunked");
	else if (answer->has_length)
		http_write_field_number(&writer, "Content-Length", answer->length);
	http_write_end(&writer);
	HOLDS(!writer.overflow);
	enum http_parse parsed = parse(out, writer.len, ask, &scan, &again);
	if (parsed == HTTP_PARSE_BAD) /* fewer fields, or longer phrases, may only reach another limit */
		return;
	HOLDS(parsed == HTTP_PARSE_DONE && again.used == writer.len && again.answer.status == answer->status);
	HOLDS(again.answer.framing == answer->framing && again.answer.length == answer->length);
	HOLDS(again.answer.repairs == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_scan whole_scan = {0}, scan = {0};
	struct result whole, pieces = {.parse = HTTP_PARSE_MORE};

	if (size == 0)
		return 0;
	struct http_request_kind ask = {.is_head = (data[0] & 1) != 0, .upgrade = (data[0] & 2) != 0};
	size_t len = size - 1, step = data[0] / 4 + 1u;
	char *bytes = malloc(len + 1);
	HOLDS(bytes != NULL);
	memcpy(bytes, data + 1, len);
	whole.parse = parse(bytes, len, &ask, &whole_scan, &whole);
	for (size_t at = 0; at < len && pieces.parse == HTTP_PARSE_MORE;) {
		at = at + step < len ? at + step : len;
		char *here = malloc(at); /* of exact size, so that the sanitizer detects a read past the end */
		HOLDS(here != NULL);
		memcpy(here, data + 1, at); /* repairs have changed the other bytes */
		pieces.parse = parse(here, at, &ask, &scan, &pieces);
		free(here);
	}
	if (len > 0)
		HOLDS(pieces.parse == whole.parse);
	if (whole.parse == HTTP_PARSE_DONE) {
		HOLDS(pieces.used == whole.used && pieces.answer.framing == whole.answer.framing);
		HOLDS(pieces.answer.repairs == whole.answer.repairs);
		HOLDS(pieces.answer.field_count == whole.answer.field_count);
		check(bytes, len, &ask, &whole);
		check_written(&whole.answer, &ask);
	}
	free(bytes);
	return 0;
}
