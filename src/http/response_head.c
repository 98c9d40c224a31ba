#include "http/response_head.h"

#include <string.h>

#include "http/lines.h"
#include "http/syntax.h"

#define STATUS_LINE_MIN 12 /* "HTTP/1.1 200" */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9112 4: the space behind the status is often left out together with the phrase. */
static bool read_status_line(struct http_span line, struct http_answer *answer, struct http_refusal *refusal)
{
	const char *at = line.at;

	if (line.len < STATUS_LINE_MIN || memcmp(at, "HTTP/1.", 7) != 0 || !is_digit(at[7]) || at[8] != ' ')
		return http_refuse(refusal, 502, "a status line that does not begin with HTTP/1");
	if (!is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11]) || (line.len > STATUS_LINE_MIN && at[12] != ' '))
		return http_refuse(refusal, 502, "a status that is no number of three digits");
	answer->minor = at[7] == '0' ? 0 : 1;
	answer->status = (unsigned)(at[9] - '0') * 100 + (unsigned)(at[10] - '0') * 10 + (unsigned)(at[11] - '0');
	if (answer->status < 100 || answer->status > 599)
		return http_refuse(refusal, 502, "a status below 100 or above 599");
	answer->phrase = (struct http_span){at + line.len, 0};
	if (line.len > STATUS_LINE_MIN)
		answer->phrase = (struct http_span){at + STATUS_LINE_MIN + 1, line.len - STATUS_LINE_MIN - 1};
	return http_is_field_value(answer->phrase) ||
	       http_refuse(refusal, 502, "a control character in the status line");
}

static bool on_line(void *arg, unsigned number, struct http_span line, struct http_refusal *refusal)
{
	struct http_answer *answer = arg;

	if (number == 0)
		return read_status_line(line, answer, refusal);
	return http_field_line(line, &answer->fields[number - 1], refusal);
}

/* The fields that frame a message. */
struct framing {
	const struct http_field *length;
	size_t lengths, codings;
	bool chunked, foreign, close, keep_alive;
};

static void read_connection(struct http_span value, struct framing *found)
{
	struct http_span option;

	while (http_list_next(&value, &option)) {
		found->close |= http_span_equal_nocase(option, "close");
		found->keep_alive |= http_span_equal_nocase(option, "keep-alive");
	}
}

/* RFC 9112 6.1: chunked, once, last, without parameters; nothing else was asked for. */
static void read_codings(struct http_span value, struct framing *found)
{
	struct http_span coding;

	found->codings++;
	while (http_list_next(&value, &coding)) {
		if (!http_span_equal_nocase(coding, "chunked") || found->chunked)
			found->foreign = true;
		found->chunked = true;
	}
}

static void find_framing(const struct http_answer *answer, struct framing *found)
{
	for (size_t i = 0; i < answer->field_count; i++) {
		const struct http_field *field = &answer->fields[i];
		if (http_span_equal_nocase(field->name, "content-length")) {
			found->length = field;
			found->lengths++;
		} else if (http_span_equal_nocase(field->name, "transfer-encoding")) {
			read_codings(field->value, found);
		} else if (http_span_equal_nocase(field->name, "connection")) {
			read_connection(field->value, found);
		}
	}
}

/* RFC 9112 6.3 in its order, without its ways to forgive. */
static bool decide_framing(struct http_answer *answer, const struct http_ask *ask, const struct framing *found,
			   struct http_refusal *refusal)
{
	bool bare = answer->status < 200 || answer->status == 204;

	answer->framing = HTTP_ANSWER_NONE;
	answer->length = 0;
	if (found->lengths > 1)
		return http_refuse(refusal, 502, "more than one Content-Length field");
	if (found->lengths > 0 && !http_read_length(found->length->value, &answer->length))
		return http_refuse(refusal, 502, "a Content-Length that is no number below 2^63");
	if (found->lengths > 0 && found->codings > 0)
		return http_refuse(refusal, 502, "both Content-Length and Transfer-Encoding");
	if (found->codings > 0 && (answer->minor == 0 || found->foreign || !found->chunked))
		return http_refuse(refusal, 502, "a transfer coding that was not asked for");
	/* RFC 9110 8.6 and 9112 6.1 forbid both here; a client that believed them would wait for what never comes. */
	if (bare && (found->codings > 0 || answer->length > 0))
		return http_refuse(refusal, 502, "a body with a status that has none");
	if (answer->status == 101 && !ask->upgrade)
		return http_refuse(refusal, 502, "101 to a request that asked for no upgrade");
	if (bare || answer->status == 304 || ask->is_head)
		return true;
	if (found->codings > 0)
		answer->framing = HTTP_ANSWER_CHUNKED;
	else
		answer->framing = found->lengths > 0 ? HTTP_ANSWER_LENGTH : HTTP_ANSWER_UNTIL_CLOSE;
	return true;
}

enum http_parse http_answer_parse(const char *data, size_t len, const struct http_ask *ask, struct http_scan *scan,
				  struct http_answer *answer, size_t *used, struct http_refusal *refusal)
{
	struct http_lines lines = {.on_line = on_line, .arg = answer};
	struct framing found = {0};
	enum http_parse parsed = http_lines_walk(data, len, &lines, scan, refusal);

	if (parsed != HTTP_PARSE_DONE)
		return parsed;
	answer->field_count = scan->lines - 1;
	find_framing(answer, &found);
	answer->keep_alive = !found.close && (answer->minor > 0 || found.keep_alive);
	if (!decide_framing(answer, ask, &found, refusal))
		return HTTP_PARSE_BAD;
	if (answer->status == 101 && http_answer_find(answer, "Upgrade") == NULL) {
		(void)http_refuse(refusal, 502, "101 without Upgrade");
		return HTTP_PARSE_BAD;
	}
	*used = scan->line_start + 2;
	return HTTP_PARSE_DONE;
}

const struct http_field *http_answer_find(const struct http_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->field_count; i++)
		if (http_span_equal_nocase(answer->fields[i].name, name))
			return &answer->fields[i];
	return NULL;
}

void http_hops_of(struct http_hops *hops, const struct http_field *fields, size_t count)
{
	struct http_span option;

	hops->count = 0;
	hops->too_many = false;
	for (size_t i = 0; i < count; i++) {
		struct http_span rest = fields[i].value;
		if (!http_span_equal_nocase(fields[i].name, "connection"))
			continue;
		while (http_list_next(&rest, &option)) {
			if (hops->count == HTTP_HOPS_MAX)
				hops->too_many = true;
			else if (option.len > 0)
				hops->named[hops->count++] = option;
		}
	}
}

static bool same_name(struct http_span a, struct http_span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		char x = a.at[i], y = b.at[i];
		if ((x >= 'A' && x <= 'Z' ? x | 0x20 : x) != (y >= 'A' && y <= 'Z' ? y | 0x20 : y))
			return false;
	}
	return true;
}

bool http_hops_has(const struct http_hops *hops, struct http_span name)
{
	/* Proxy-Authorization and its like are for a proxy that the client has chosen, which a gateway is not. */
	static const char *const always[] = {"Connection", "Keep-Alive",          "Proxy-Connection",
					     "TE",         "Transfer-Encoding",   "Upgrade",
					     "Trailer",    "Proxy-Authorization", "Proxy-Authenticate"};

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (http_span_equal_nocase(name, always[i]))
			return true;
	for (size_t i = 0; i < hops->count; i++)
		if (same_name(name, hops->named[i]))
			return true;
	return hops->too_many && !http_span_equal_nocase(name, "Host");
}
