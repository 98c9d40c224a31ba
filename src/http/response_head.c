#include "http/response_head.h"

#include <string.h>

#include "base/ascii.h"
#include "http/lines.h"
#include "http/syntax.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t count_blanks(struct http_span line, size_t at)
{
	size_t end = at;

	while (end < line.len && http_is_blank(line.at[end]))
		end++;
	return end - at;
}

/* "HTTP/1.1". RFC 9112 4 defines no other; nginx and HAProxy accept any digits, and so does this as a repair. */
static bool read_version(struct http_span line, struct http_response *answer, struct http_refusal *refusal)
{
	const char *at = line.at;

	if (line.len < 8 || memcmp(at, "HTTP/", 5) != 0 || !is_digit(at[5]) || at[6] != '.' || !is_digit(at[7]))
		return http_refuse(refusal, 502, "a status line that does not begin with an HTTP version");
	answer->minor = at[5] == '0' || (at[5] == '1' && at[7] == '0') ? 0 : 1;
	if (at[5] != '1')
		answer->repairs |= HTTP_REPAIR_STATUS_LINE;
	return true;
}

/* RFC 9112 4: the space after the status is often omitted together with the phrase. A phrase that could harm a terminal
 * is replaced by the standard one. */
static void read_phrase(struct http_span line, size_t at, struct http_response *answer)
{
	answer->phrase = http_trim((struct http_span){line.at + at, line.len - at});
	if (http_is_field_value(answer->phrase))
		return;
	answer->phrase.len = 0;
	answer->repairs |= HTTP_REPAIR_STATUS_LINE;
}

/* Three parts; RFC 9112 3 allows lenient parsers to accept any white space between them. */
static bool read_status_line(struct http_span line, struct http_response *answer, struct http_refusal *refusal)
{
	const char *digits = line.at + 8;

	answer->repairs = 0;
	if (!read_version(line, answer, refusal))
		return false;
	size_t blanks = count_blanks(line, 8), end = 8 + blanks + 3;
	if (blanks == 0)
		return http_refuse(refusal, 502, "a status line without a space behind the version");
	digits += blanks;
	if (line.len < end || !is_digit(digits[0]) || !is_digit(digits[1]) || !is_digit(digits[2]) ||
	    (line.len > end && !http_is_blank(line.at[end])))
		return http_refuse(refusal, 502, "a status that is no number of three digits");
	answer->status =
		(unsigned)(digits[0] - '0') * 100 + (unsigned)(digits[1] - '0') * 10 + (unsigned)(digits[2] - '0');
	if (answer->status < 100)
		return http_refuse(refusal, 502, "a status below 100");
	if (blanks > 1 || line.at[8] != ' ' || (line.len > end && line.at[end] != ' '))
		answer->repairs |= HTTP_REPAIR_STATUS_LINE;
	read_phrase(line, end, answer);
	return true;
}

/* A line that begins with white space continues the previous one: stored as a field without a name until all lines have
 * arrived. */
static bool on_line(void *arg, unsigned number, struct http_span line, struct http_refusal *refusal)
{
	struct http_response *answer = arg;

	if (number == 0)
		return read_status_line(line, answer, refusal);
	struct http_field *field = &answer->fields[number - 1];
	if (!http_is_blank(line.at[0]))
		return http_field_line_repaired(line, field, &answer->repairs, refusal);
	*field = (struct http_field){{line.at, 0}, http_trim(line)};
	answer->repairs |= HTTP_REPAIR_FOLDED;
	return http_value_repaired(field->value, &answer->repairs, refusal);
}

/* RFC 9112 5.2: "replace each received obs-fold with one or more SP octets prior to interpreting the field value". A
 * fold, at least an LF and a blank, has room for the SP. */
static void unfold(char *data, struct http_response *answer, size_t lines)
{
	answer->field_count = 0;
	for (size_t i = 0; i < lines; i++) {
		struct http_field *field = &answer->fields[i];
		if (field->name.len > 0) {
			answer->fields[answer->field_count++] = *field;
			continue;
		}
		struct http_span *value = &answer->fields[answer->field_count - 1].value;
		char *end = data + (value->at - data) + value->len;
		if (value->len > 0 && field->value.len > 0)
			*end++ = ' ';
		memmove(end, field->value.at, field->value.len);
		value->len = (size_t)(end - value->at) + field->value.len;
	}
}

/* RFC 9110 5.5: invalid control characters are replaced by a space. Done after the framing fields were read, where they
 * are not white space. */
static void blank_controls(char *data, struct http_response *answer)
{
	for (size_t i = 0; i < answer->field_count; i++) {
		struct http_span *value = &answer->fields[i].value;
		char *at = data + (value->at - data);
		for (size_t k = 0; k < value->len; k++)
			if (((unsigned char)at[k] < ' ' && at[k] != '\t') || at[k] == 0x7F)
				at[k] = ' ';
		*value = http_trim(*value);
	}
}

/* The fields that frame a message. */
struct framing {
	size_t lengths, codings;     /* how many values; how many fields */
	uint64_t length;             /* of each */
	bool unread, unequal;        /* a length that is not a number; two different lengths */
	bool chunked, foreign, lead; /* another coding; an empty element before it */
	bool trail;                  /* an empty element after it */
	bool close, keep_alive;
};

static void read_connection(struct http_span value, struct framing *found)
{
	struct http_span option;

	while (http_list_next(&value, &option)) {
		found->close |= http_span_equal_nocase(option, "close");
		found->keep_alive |= http_span_equal_nocase(option, "keep-alive");
	}
}

/* RFC 9110 8.6: the same number several times, in a list or in several fields, counts once. */
static void read_lengths(struct http_span value, struct framing *found)
{
	struct http_span element;
	uint64_t length = 0;

	while (http_list_next(&value, &element)) {
		found->unread |= !http_read_length(element, &length);
		found->unequal |= found->lengths > 0 && length != found->length;
		found->length = length;
		found->lengths++;
	}
}

/* RFC 9112 6.1: chunked, once, last, without parameters; the request allowed nothing else. HAProxy and nginx agree only
 * on empty elements (RFC 9110 5.6.1.2) after it. */
static void read_codings(struct http_span value, struct framing *found)
{
	struct http_span coding;

	found->codings++;
	while (http_list_next(&value, &coding)) {
		if (coding.len == 0) {
			found->trail |= found->chunked;
			found->lead |= !found->chunked;
			continue;
		}
		if (!http_span_equal_nocase(coding, "chunked") || found->chunked)
			found->foreign = true;
		found->chunked = true;
	}
}

static void find_framing(const struct http_response *answer, struct framing *found)
{
	for (size_t i = 0; i < answer->field_count; i++) {
		const struct http_field *field = &answer->fields[i];
		if (http_span_is(field->name, "content-length"))
			read_lengths(field->value, found);
		else if (http_span_is(field->name, "transfer-encoding"))
			read_codings(field->value, found);
		else if (http_span_is(field->name, "connection"))
			read_connection(field->value, found);
	}
}

/* Refuses framing that parsers interpret differently. */
static bool check_framing(const struct http_response *answer, const struct http_request_kind *ask,
			  const struct framing *found, struct http_refusal *refusal)
{
	if (found->unread)
		return http_refuse(refusal, 502, "a Content-Length that is no number below 2^63");
	if (found->unequal)
		return http_refuse(refusal, 502, "two lengths that differ");
	if (found->foreign || found->codings > 1 || (found->chunked && found->lead))
		return http_refuse(refusal, 502, "a transfer coding that was not asked for");
	if (found->codings > 0 && !found->chunked && found->lengths > 0)
		return http_refuse(refusal, 502, "both Content-Length and an empty Transfer-Encoding");
	if (answer->status == 101 && !ask->upgrade)
		return http_refuse(refusal, 502, "101 to a request that asked for no upgrade");
	if (answer->status == 101 && http_response_find(answer, "Upgrade") == NULL)
		return http_refuse(refusal, 502, "101 without Upgrade");
	return true;
}

/* In the order of RFC 9112 6.3. */
static void decide_framing(struct http_response *answer, const struct http_request_kind *ask,
			   const struct framing *found)
{
	bool bare = answer->status < 200 || answer->status == 204;

	answer->framing = HTTP_RESPONSE_NONE;
	answer->has_length = found->lengths > 0 && found->codings == 0 && !bare;
	answer->length = answer->has_length ? found->length : 0;
	if (found->lengths > 1)
		answer->repairs |= HTTP_REPAIR_LENGTH;
	/* RFC 9110 8.6 and 9112 6.1 forbid both here; RFC 9112 6.3: they are ignored. */
	if (bare && (found->codings > 0 || (found->lengths > 0 && found->length > 0)))
		answer->repairs |= HTTP_REPAIR_NO_BODY;
	else if (found->codings > 0 && (found->lengths > 0 || answer->minor == 0 || found->trail || found->lead))
		answer->repairs |= HTTP_REPAIR_CODING;
	if (bare || answer->status == 304 || ask->is_head)
		return;
	if (found->chunked)
		answer->framing = HTTP_RESPONSE_CHUNKED;
	else
		answer->framing = answer->has_length ? HTTP_RESPONSE_LENGTH : HTTP_RESPONSE_UNTIL_CLOSE;
}

enum http_parse http_response_parse(char *data, size_t len, const struct http_request_kind *ask, struct http_scan *scan,
				    struct http_response *answer, size_t *used, struct http_refusal *refusal)
{
	struct http_lines lines = {.on_line = on_line, .arg = answer, .lenient = true};
	struct framing found = {0};

	answer->repairs = 0;
	enum http_parse parsed = http_lines_walk(data, len, &lines, scan, refusal);

	if (parsed != HTTP_PARSE_DONE)
		return parsed;
	unfold(data, answer, scan->lines - 1);
	if (scan->bare_lf)
		answer->repairs |= HTTP_REPAIR_LINE_END;
	find_framing(answer, &found);
	answer->keep_alive = !found.close && (answer->minor > 0 || found.keep_alive);
	if (!check_framing(answer, ask, &found, refusal))
		return HTTP_PARSE_BAD;
	decide_framing(answer, ask, &found);
	if ((answer->repairs & HTTP_REPAIR_CONTROL) != 0)
		blank_controls(data, answer);
	*used = scan->at;
	return HTTP_PARSE_DONE;
}

const struct http_field *http_response_find(const struct http_response *answer, const char *name)
{
	for (size_t i = 0; i < answer->field_count; i++)
		if (http_span_is(answer->fields[i].name, name))
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
		if (!http_span_is(fields[i].name, "connection"))
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
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	}
	return true;
}

bool http_hops_has(const struct http_hops *hops, struct http_span name)
{
	/* Proxy-Authorization etc. are for a proxy that the client has selected, which a gateway is not. */
	static const char *const always[] = {"Connection", "Keep-Alive",          "Proxy-Connection",
					     "TE",         "Transfer-Encoding",   "Upgrade",
					     "Trailer",    "Proxy-Authorization", "Proxy-Authenticate"};

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (http_span_is(name, always[i]))
			return true;
	for (size_t i = 0; i < hops->count; i++)
		if (same_name(name, hops->named[i]))
			return true;
	return hops->too_many && !http_span_is(name, "Host");
}
