/* The answer to an OPTIONS or TRACE whose Max-Forwards ends here (RFC 9110 7.6.2, 9.3.7, 9.3.8). */
#include <stdlib.h>
#include <string.h>

#include "gateway/builtin.h"
#include "gateway/identity.h"
#include "http/response.h"

static void *open_last_hop(const struct gw_exchange *exchange)
{
	struct gw_exchange *copy = malloc(sizeof(*copy));

	if (copy != NULL)
		*copy = *exchange;
	return copy;
}

static bool take_body(void *upstream, const void *data, size_t len)
{
	(void)upstream;
	(void)data;
	(void)len;
	return true;
}

/* The route's methods as a comma-separated list, which the caller frees; *list NULL: all methods. False: out of
 * memory. */
static bool list_methods(const struct config_route *route, char **list)
{
	size_t room = 1, len = 0;

	*list = NULL;
	if (route->methods == NULL)
		return true;
	for (char **method = route->methods; *method != NULL; method++)
		room += strlen(*method) + 2;
	*list = malloc(room);
	if (*list == NULL)
		return false;
	for (char **method = route->methods; *method != NULL; method++) {
		size_t name = strlen(*method);
		if (len > 0) {
			(*list)[len++] = ',';
			(*list)[len++] = ' ';
		}
		memcpy(*list + len, *method, name);
		len += name;
	}
	(*list)[len] = '\0';
	return true;
}

static bool finish_options(const struct gw_exchange *exchange, struct gw_reply *reply)
{
	*reply = (struct gw_reply){.status = 204};
	return list_methods(exchange->route, &reply->allow);
}

/* False for fields that a script must not learn from the echo of its own request (RFC 9110 9.3.8), and for fields that
 * no upstream would get. */
static bool is_echoed(const struct config_host *host, struct http_span name)
{
	static const char *const secret[] = {"Authorization", "Proxy-Authorization", "Cookie"};

	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		if (http_span_equal_nocase(name, secret[i]))
			return false;
	return !gw_identity_is_stripped(host, name);
}

#define TRACE_LINES 64 /* bytes for the rest of the request line, and the empty line */

static bool finish_trace(const struct gw_exchange *exchange, struct gw_reply *reply)
{
	const struct http_request *head = exchange->head;
	size_t room = head->method.len + head->target.len + TRACE_LINES;
	struct http_writer writer;

	for (size_t i = 0; i < head->field_count; i++)
		room += head->fields[i].name.len + head->fields[i].value.len + 4;
	char *text = malloc(room);
	if (text == NULL)
		return false;
	http_writer_init(&writer, text, room);
	http_write_request_line(&writer, head->method, head->target);
	for (size_t i = 0; i < head->field_count; i++)
		if (is_echoed(exchange->host, head->fields[i].name))
			http_write_span(&writer, head->fields[i].name, head->fields[i].value);
	http_write_end(&writer);
	if (writer.overflow) {
		free(text);
		return false;
	}
	*reply = (struct gw_reply){.status = 200, .content_type = "message/http", .body = text, .body_len = writer.len};
	return true;
}

static bool finish(void *upstream, struct gw_reply *reply)
{
	const struct gw_exchange *exchange = upstream;

	return http_span_equal(exchange->head->method, "TRACE") ? finish_trace(exchange, reply)
								: finish_options(exchange, reply);
}

const struct gw_builtin_ops *gw_builtin_last_hop(void)
{
	static const struct gw_builtin_ops ops = {open_last_hop, take_body, finish, free};

	return &ops;
}
