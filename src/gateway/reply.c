#include "gateway/reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/response.h"

#define FIELDS_ROOM        1024 /* all fields except Location, Allow and the operator's */
#define GRPC_UNIMPLEMENTED "12"

void gw_reply_free(struct gw_reply *reply)
{
	free(reply->body);
	free(reply->location);
	free(reply->allow);
	free(reply->more);
	*reply = (struct gw_reply){0};
}

/* The end of the line that begins at `at`, after its CRLF; NULL: there is no complete line. */
static const char *line_end(const char *at, const char *end)
{
	const char *feed = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	return feed != NULL ? feed + 1 : NULL;
}

static bool has_field(const struct http_writer *writer, size_t head, struct http_span name)
{
	const char *at = writer->at, *end = at + head, *next;

	for (; (next = line_end(at, end)) != NULL; at = next)
		if ((size_t)(next - at) > name.len && at[name.len] == ':' && strncasecmp(at, name.at, name.len) == 0)
			return true;
	return false;
}

/* Adds the operator's fields, except those that the response already has: with two policies or two lengths, the client
 * would have to choose. */
static void write_more(const struct gw_reply *reply, struct http_writer *writer)
{
	const char *at = reply->more, *end = at + reply->more_len, *next;
	size_t head = writer->len;

	for (; !writer->overflow && at != NULL && (next = line_end(at, end)) != NULL; at = next) {
		const char *colon = memchr(at, ':', (size_t)(next - at));
		if (colon != NULL && !has_field(writer, head, (struct http_span){at, (size_t)(colon - at)}))
			http_write_lines(writer, at, (size_t)(next - at));
	}
}

char *gw_reply_render(const struct gw_reply *reply, bool head_only, bool keep_alive, int64_t wall_ms, size_t *head_len,
		      size_t *len)
{
	size_t body_len = head_only ? 0 : reply->body_len;
	size_t room = FIELDS_ROOM + (reply->location != NULL ? strlen(reply->location) : 0) +
		      (reply->allow != NULL ? strlen(reply->allow) : 0) + reply->more_len;
	char *bytes = malloc(room + body_len);
	struct http_writer writer;

	if (bytes == NULL)
		return NULL;
	http_writer_init(&writer, bytes, room);
	http_write_status(&writer, reply->status);
	http_write_date(&writer, wall_ms / 1000);
	if (reply->status != 204) /* RFC 9110 8.6 */
		http_write_field_number(&writer, "Content-Length", reply->body_len);
	if (reply->content_type != NULL)
		http_write_field(&writer, "Content-Type", reply->content_type);
	if (reply->policy != NULL) {
		http_write_field(&writer, "Content-Security-Policy", reply->policy);
		http_write_field(&writer, "X-Content-Type-Options", "nosniff");
		http_write_field(&writer, "Referrer-Policy", "no-referrer");
	}
	if (reply->location != NULL)
		http_write_field(&writer, "Location", reply->location);
	if (reply->allow != NULL)
		http_write_field(&writer, "Allow", reply->allow);
	if (reply->retry_after_s != 0)
		http_write_field_number(&writer, "Retry-After", reply->retry_after_s);
	if (reply->grpc != NULL) {
		http_write_field(&writer, "grpc-status", GRPC_UNIMPLEMENTED);
		http_write_field(&writer, "grpc-message", reply->grpc);
	}
	http_write_field(&writer, "Cache-Control", "no-store");
	write_more(reply, &writer);
	http_write_field(&writer, "Connection", keep_alive ? "keep-alive" : "close");
	http_write_end(&writer);
	if (writer.overflow) {
		free(bytes);
		return NULL;
	}
	if (body_len > 0)
		memcpy(bytes + writer.len, reply->body, body_len);
	*head_len = writer.len;
	*len = writer.len + body_len;
	return bytes;
}
