#include "http/method.h"

#include <string.h>

#include "base/ascii.h"
#include "http/syntax.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PART_MAX     64 /* size of a query parameter's name or value */

/* The registry of RFC 9110 16.1.1, and methods of caches and UPnP. */
static const char *const known[] = {
	"GET",
	"HEAD",
	"POST",
	"PUT",
	"DELETE",
	"CONNECT",
	"OPTIONS",
	"TRACE",
	"PATCH",
	"ACL",
	"BASELINE-CONTROL",
	"BIND",
	"CHECKIN",
	"CHECKOUT",
	"COPY",
	"LABEL",
	"LINK",
	"LOCK",
	"MERGE",
	"MKACTIVITY",
	"MKCALENDAR",
	"MKCOL",
	"MKREDIRECTREF",
	"MKWORKSPACE",
	"MOVE",
	"ORDERPATCH",
	"PRI",
	"PROPFIND",
	"PROPPATCH",
	"QUERY",
	"REBIND",
	"REPORT",
	"SEARCH",
	"UNBIND",
	"UNCHECKOUT",
	"UNLINK",
	"UNLOCK",
	"UPDATE",
	"UPDATEREDIRECTREF",
	"VERSION-CONTROL",
	"PURGE",
	"BAN",
	"VIEW",
	"M-SEARCH",
	"NOTIFY",
	"SUBSCRIBE",
	"UNSUBSCRIBE",
};

/* Compared as CGI names fields: any other character equals '-'. */
static const char *const overrides[] = {
	"x-http-method-override", "x-http-method", "x-method-override", "x-method", "http-method-override",
};

bool http_method_has_lower_case(struct http_span method)
{
	for (size_t i = 0; i < method.len; i++)
		if (method.at[i] >= 'a' && method.at[i] <= 'z')
			return true;
	return false;
}

bool http_method_is_misspelled(struct http_span method)
{
	for (size_t i = 0; i < COUNT(known); i++)
		if (http_span_equal_nocase(method, known[i]))
			return !http_span_equal(method, known[i]);
	return false;
}

static char upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static bool add(struct http_methods *methods, struct http_span name, bool fold)
{
	size_t len = name.len < HTTP_METHOD_LEN ? name.len : HTTP_METHOD_LEN;

	if (methods->count == HTTP_METHODS_MAX)
		return false;
	char *to = methods->names[methods->count];
	for (size_t i = 0; i < len; i++)
		to[i] = fold ? upper(name.at[i]) : name.at[i];
	to[len] = '\0';
	for (size_t i = 0; i < methods->count; i++)
		if (strcmp(methods->names[i], to) == 0)
			return true;
	methods->count++;
	return true;
}

/* Ignores case; any other character equals '-'. */
static bool is_named(struct http_span name, const char *wanted)
{
	if (name.len != strlen(wanted))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = upper(name.at[i]);
		bool letter = c >= 'A' && c <= 'Z';
		if (letter ? c != upper(wanted[i]) : wanted[i] != '-')
			return false;
	}
	return true;
}

static bool is_override(struct http_span name)
{
	for (size_t i = 0; i < COUNT(overrides); i++)
		if (is_named(name, overrides[i]))
			return true;
	return false;
}

/* Each value of a list; values that are not tokens are not methods. */
static bool add_list(struct http_methods *methods, struct http_span value)
{
	struct http_span element;

	while (http_list_next(&value, &element))
		if (http_is_token(element) && !add(methods, element, true))
			return false;
	return true;
}

/* The query parameter's next byte, decoded; *at moves past it. */
static char next_byte(struct http_span text, size_t *at)
{
	char c = text.at[(*at)++];

	if (c == '+')
		return ' ';
	int byte = c == '%' && text.len - *at >= 2 ? ascii_hex_byte(text.at + *at) : -1;
	if (byte < 0)
		return c;
	*at += 2;
	return (char)byte;
}

/* Decodes from *at to the end or a '=', without leading blanks. Longer values are truncated: they match no name. */
static struct http_span decode_part(struct http_span text, size_t *at, bool to_sign, char out[static PART_MAX])
{
	size_t len = 0;

	while (*at < text.len) {
		char c = next_byte(text, at);
		if (to_sign && c == '=')
			break;
		if ((len > 0 || (c != ' ' && c != '\t')) && len < PART_MAX)
			out[len++] = c;
	}
	return (struct http_span){out, len};
}

/*
 * "_method=DELETE" in Rails, Laravel, Symfony and Express; the field names in ServiceStack. PHP ignores blanks before a
 * name and the part after a NUL, and replaces other characters by '_'.
 */
static bool add_parameter(struct http_methods *methods, struct http_span parameter)
{
	char name_text[PART_MAX] = "", value_text[PART_MAX] = "";
	size_t at = 0;
	struct http_span name = decode_part(parameter, &at, true, name_text);
	const char *nul = name.len > 0 ? memchr(name.at, '\0', name.len) : NULL;

	if (nul != NULL)
		name.len = (size_t)(nul - name.at);
	if (!is_named(name, "-method") && !is_override(name))
		return true;
	struct http_span value = http_trim(decode_part(parameter, &at, false, value_text));
	return !http_is_token(value) || add(methods, value, true);
}

static bool add_query(struct http_methods *methods, struct http_span query)
{
	for (size_t at = 0, end = 0; query.at != NULL && at < query.len; at = end + 1) {
		for (end = at; end < query.len && query.at[end] != '&' && query.at[end] != ';';)
			end++;
		if (!add_parameter(methods, (struct http_span){query.at + at, end - at}))
			return false;
	}
	return true;
}

bool http_methods_of(const struct http_request *head, struct http_methods *methods)
{
	methods->count = 0;
	if (!add(methods, head->method, false))
		return false;
	if (head->is_head && !add(methods, (struct http_span){"GET", 3}, false)) /* RFC 9110 9.3.2 */
		return false;
	for (size_t i = 0; i < head->field_count; i++)
		if (is_override(head->fields[i].name) && !add_list(methods, head->fields[i].value))
			return false;
	return add_query(methods, head->query);
}
