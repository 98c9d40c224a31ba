#include "http/head.h"

#include <stdlib.h>
#include <string.h>

#include "http/interpret.h"
#include "http/lines.h"
#include "http/syntax.h"
#include "http/target.h"

#define VERSION_LEN 8 /* "HTTP/1.1" */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9112 2.3 */
static bool read_version(struct http_span version, uint8_t *minor, struct http_refusal *refusal)
{
	if (version.len != VERSION_LEN || memcmp(version.at, "HTTP/", 5) != 0 || !is_digit(version.at[5]) ||
	    version.at[6] != '.' || !is_digit(version.at[7]))
		return http_refuse(refusal, 400, "a request line that does not end in an HTTP version");
	if (version.at[5] != '1')
		return http_refuse(refusal, 505, "a version other than HTTP/1");
	*minor = version.at[7] == '0' ? 0 : 1;
	return true;
}

/* RFC 9112 3: three parts, separated by single spaces. */
static bool read_request_line(struct http_span line, struct http_request *request, struct http_refusal *refusal)
{
	const char *first = memchr(line.at, ' ', line.len);

	if (first == NULL)
		return http_refuse(refusal, 400, "a request line without spaces");
	request->method = (struct http_span){line.at, (size_t)(first - line.at)};
	if (!http_is_token(request->method))
		return http_refuse(refusal, 400, "a method that is no token");
	struct http_span rest = {first + 1, line.len - request->method.len - 1};
	const char *second = rest.len > 0 ? memchr(rest.at, ' ', rest.len) : NULL;
	if (second == NULL)
		return http_refuse(refusal, 400, "a request line without a version");
	struct http_span target = {rest.at, (size_t)(second - rest.at)};
	struct http_span version = {second + 1, rest.len - target.len - 1};
	return read_version(version, &request->minor, refusal) && http_target_parse(target, request, refusal);
}

#define FIELDS_FIRST 16 /* enough for most requests */

static bool make_room(struct http_request *request, size_t count, struct http_refusal *refusal)
{
	size_t room = request->field_room == 0 ? FIELDS_FIRST : request->field_room;

	if (count <= request->field_room)
		return true;
	while (room < count)
		room *= 2;
	struct http_field *more = realloc(request->fields, room * sizeof(*more));
	if (more == NULL)
		return http_refuse(refusal, 503, "out of memory for its fields");
	request->fields = more;
	request->field_room = room;
	return true;
}

void http_request_free(struct http_request *request)
{
	free(request->fields);
	request->fields = NULL;
	request->field_count = request->field_room = 0;
}

static bool on_line(void *arg, unsigned number, struct http_span line, struct http_refusal *refusal)
{
	struct http_request *request = arg;

	if (number == 0)
		return read_request_line(line, request, refusal);
	return make_room(request, number, refusal) && http_field_line(line, &request->fields[number - 1], refusal);
}

enum http_parse http_head_parse(const char *data, size_t len, struct http_scan *scan, struct http_request *request,
				size_t *used, struct http_refusal *refusal)
{
	struct http_lines lines = {.on_line = on_line, .arg = request, .skips_empty = true};
	enum http_parse parsed = http_lines_walk(data, len, &lines, scan, refusal);

	if (parsed != HTTP_PARSE_DONE)
		return parsed;
	request->field_count = scan->lines - 1;
	if (!http_interpret(request, refusal))
		return HTTP_PARSE_BAD;
	*used = scan->line_start + 2;
	return HTTP_PARSE_DONE;
}

const struct http_field *http_field_find(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->field_count; i++)
		if (http_span_is(request->fields[i].name, name))
			return &request->fields[i];
	return NULL;
}
