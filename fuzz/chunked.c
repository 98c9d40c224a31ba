/* Any bytes as a chunked body: the result does not depend on how they are split, and the data is part of the input. */
#include <stdint.h>
#include <string.h>

#include "holds.h"
#include "http/chunked.h"
#include "http/repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum http_chunk chunk; /* never DATA */
	size_t used, len;
	char *body;
	struct http_refusal refusal;
	unsigned repairs;
};

static void decode_part(struct http_chunked *chunked, const char *part, size_t len, struct result *result)
{
	char *memory = malloc(len > 0 ? len : 1); /* of its own size, for the sanitizer */
	size_t at = 0;

	HOLDS(memory != NULL);
	if (len > 0)
		memcpy(memory, part, len);
	do {
		struct http_span data = {NULL, 0};
		size_t used = 0;
		result->chunk = http_chunked_decode(chunked, memory + at, len - at, &used, &data, &result->refusal);
		HOLDS(used <= len - at);
		HOLDS(result->chunk != HTTP_CHUNK_MORE || used == len - at);
		if (result->chunk == HTTP_CHUNK_DATA) {
			HOLDS(data.len > 0 && data.len <= used && data.at + data.len == memory + at + used);
			memcpy(result->body + result->len, data.at, data.len);
			result->len += data.len;
		}
		at += used;
	} while (result->chunk == HTTP_CHUNK_DATA);
	result->used += at;
	free(memory);
}

/* In parts of pseudo-random sizes up to `step`; 0: all at once. */
static void decode(struct result *result, const char *bytes, size_t len, size_t step, uint32_t seed, bool repairs)
{
	struct http_chunked chunked;
	size_t at = 0;

	http_chunked_init(&chunked);
	*result = (struct result){.chunk = HTTP_CHUNK_MORE, .body = malloc(len > 0 ? len : 1)};
	HOLDS(result->body != NULL);
	chunked.repairs = repairs ? &result->repairs : NULL;
	while (result->chunk == HTTP_CHUNK_MORE && at < len) {
		seed = seed * 1664525 + 1013904223;
		size_t part = step == 0 ? len : 1 + (seed >> 8) % step;
		part = part < len - at ? part : len - at;
		decode_part(&chunked, bytes + at, part, result);
		HOLDS(chunked.line <= HTTP_CHUNK_LINE_MAX + 1 && chunked.trailer <= HTTP_TRAILER_MAX + 1);
		HOLDS(chunked.left <= INT64_MAX && chunked.extensions <= HTTP_CHUNK_EXTENSIONS_MAX + 1);
		at += part;
	}
}

static void same(const struct result *a, const struct result *b)
{
	HOLDS(a->chunk == b->chunk && a->used == b->used && a->len == b->len && a->repairs == b->repairs);
	HOLDS(a->len == 0 || memcmp(a->body, b->body, a->len) == 0);
	if (a->chunk == HTTP_CHUNK_BAD)
		HOLDS(a->refusal.status == b->refusal.status && strcmp(a->refusal.why, b->refusal.why) == 0);
}

static void append(char *out, size_t *len, const char *bytes, size_t count)
{
	if (count > 0)
		memcpy(out + *len, bytes, count);
	*len += count;
}

/* The body as one chunk gives the same body. */
static void check_written_again(const struct result *result)
{
	struct result again;
	char *out = malloc(result->len + 64), size[32];
	size_t len = 0;

	HOLDS(out != NULL);
	if (result->len > 0) {
		append(out, &len, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", result->len));
		append(out, &len, result->body, result->len);
		append(out, &len, "\r\n", 2);
	}
	append(out, &len, "0\r\n\r\n", 5);
	decode(&again, out, len, 0, 0, false);
	HOLDS(again.chunk == HTTP_CHUNK_END && again.used == len && again.len == result->len);
	HOLDS(result->len == 0 || memcmp(again.body, result->body, result->len) == 0);
	free(again.body);
	free(out);
}

/* Once strictly, and once as a response. */
static void check(struct result *whole, const char *bytes, size_t size, uint32_t seed, bool repairs)
{
	struct result parts;

	decode(whole, bytes, size, 0, 0, repairs);
	decode(&parts, bytes, size, 1, seed, repairs);
	same(whole, &parts);
	free(parts.body);
	decode(&parts, bytes, size, 1 + size / 4, seed, repairs);
	same(whole, &parts);
	free(parts.body);
	HOLDS(whole->len <= whole->used && whole->used <= size);
	if (whole->chunk == HTTP_CHUNK_END) {
		HOLDS(bytes[whole->used - 1] == '\n');
		HOLDS(whole->repairs != 0 || memcmp(bytes + whole->used - 4, "\r\n\r\n", 4) == 0);
		check_written_again(whole);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct result strict, repaired;
	uint32_t seed = (uint32_t)size;

	for (size_t i = 0; i < size; i++)
		seed = (seed ^ data[i]) * 16777619;
	check(&strict, bytes, size, seed, false);
	check(&repaired, bytes, size, seed, true);
	/* A body without repairs gives the same result. */
	if (strict.chunk == HTTP_CHUNK_END || repaired.repairs == 0)
		same(&strict, &repaired);
	free(strict.body);
	free(repaired.body);
	return 0;
}
