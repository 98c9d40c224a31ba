#include "http/syntax.h"

#include <string.h>

#include "base/ascii.h"
#include "http/repair.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

const bool http_tchars[256] = {
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,
	['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0'] = 1,  ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1,
	['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['A'] = 1,  ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1,
	['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1,  ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1,
	['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1,  ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1,
	['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1,  ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1,
	['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1,  ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,
	['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1,  ['z'] = 1,
};

bool http_is_token(struct http_span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (!http_is_tchar(span.at[i]))
			return false;
	return span.len > 0;
}

bool http_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether one of these eight bytes may be a control character, compared in parallel. A borrow between bytes can only
 * cause a false positive, never a false negative. */
static bool suspect(uint64_t eight)
{
	uint64_t below_space = (eight - EACH(0x20)) & ~eight;
	uint64_t del = eight ^ EACH(0x7F);
	return ((below_space | ((del - EACH(0x01)) & ~del)) & EACH(0x80)) != 0;
}

bool http_is_field_value(struct http_span span)
{
	for (size_t i = 0; i < span.len;) {
		uint64_t eight;
		if (span.len - i >= sizeof(eight)) {
			memcpy(&eight, span.at + i, sizeof(eight));
			if (!suspect(eight)) {
				i += sizeof(eight);
				continue;
			}
		}
		unsigned char c = (unsigned char)span.at[i++];
		if ((c < 0x20 && c != '\t') || c == 0x7F)
			return false;
	}
	return true;
}

struct http_span http_trim(struct http_span span)
{
	while (span.len > 0 && http_is_blank(span.at[0])) {
		span.at++;
		span.len--;
	}
	while (span.len > 0 && http_is_blank(span.at[span.len - 1]))
		span.len--;
	return span;
}

bool http_list_next(struct http_span *rest, struct http_span *element)
{
	if (rest->at == NULL)
		return false;
	const char *comma = rest->len > 0 ? memchr(rest->at, ',', rest->len) : NULL;
	if (comma == NULL) {
		*element = http_trim(*rest);
		*rest = (struct http_span){NULL, 0};
		return true;
	}
	size_t len = (size_t)(comma - rest->at);
	*element = http_trim((struct http_span){rest->at, len});
	*rest = (struct http_span){comma + 1, rest->len - len - 1};
	return true;
}

/* Splits name and value, without checking the value. *blanks: the number of blanks between name and colon. */
static bool split_field(struct http_span line, struct http_field *field, size_t *blanks, struct http_refusal *refusal)
{
	size_t name = 0, colon;

	while (name < line.len && http_is_tchar(line.at[name]))
		name++;
	if (name == line.len)
		return http_refuse(refusal, 400, "a field line without a colon");
	if (name == 0 && line.at[0] == ':')
		return http_refuse(refusal, 400, "a field without a name");
	for (colon = name; colon < line.len && http_is_blank(line.at[colon]); colon++)
		;
	*blanks = colon - name;
	if (*blanks > 0 && (name == 0 || colon == line.len || line.at[colon] != ':'))
		return http_refuse(refusal, 400, "white space in a field's name");
	if (line.at[colon] != ':')
		return http_refuse(refusal, 400, "a character that a field's name cannot have");
	field->name = (struct http_span){line.at, name};
	field->value = http_trim((struct http_span){line.at + colon + 1, line.len - colon - 1});
	return true;
}

bool http_field_line(struct http_span line, struct http_field *field, struct http_refusal *refusal)
{
	size_t blanks = 0;

	if (!split_field(line, field, &blanks, refusal))
		return false;
	if (blanks > 0) /* RFC 9112 5.1 */
		return http_refuse(refusal, 400, "white space behind a field's name");
	return http_is_field_value(field->value) || http_refuse(refusal, 400, "a control character in a field's value");
}

bool http_value_repaired(struct http_span value, unsigned *repairs, struct http_refusal *refusal)
{
	if (http_is_field_value(value))
		return true;
	if (value.len > 0 && memchr(value.at, '\0', value.len) != NULL)
		return http_refuse(refusal, 502, "a NUL in a field's value");
	*repairs |= HTTP_REPAIR_CONTROL;
	return true;
}

bool http_field_line_repaired(struct http_span line, struct http_field *field, unsigned *repairs,
			      struct http_refusal *refusal)
{
	size_t blanks = 0;

	if (!split_field(line, field, &blanks, refusal))
		return false;
	if (blanks > 0)
		*repairs |= HTTP_REPAIR_FIELD_NAME;
	return http_value_repaired(field->value, repairs, refusal);
}

bool http_refuse(struct http_refusal *refusal, unsigned status, const char *why)
{
	*refusal = (struct http_refusal){.status = status, .why = why};
	return false;
}

bool http_span_equal(struct http_span span, const char *text)
{
	size_t len = strlen(text);
	return span.len == len && (len == 0 || memcmp(span.at, text, len) == 0);
}

bool http_span_equal_nocase(struct http_span span, const char *text)
{
	for (size_t i = 0; i < span.len; i++)
		if (text[i] == '\0' || ascii_lower(span.at[i]) != ascii_lower(text[i]))
			return false;
	return text[span.len] == '\0';
}

bool http_spans_equal_nocase(struct http_span a, struct http_span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

bool http_is_grpc(struct http_span type)
{
	static const char grpc[] = "application/grpc";
	const size_t len = sizeof(grpc) - 1;

	return type.len >= len && http_span_equal_nocase((struct http_span){type.at, len}, grpc) &&
	       (type.len == len || strchr("+; ", type.at[len]) != NULL);
}
