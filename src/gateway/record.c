#include "gateway/record.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "gateway/text.h"
#include "http/repair.h"

#define TIME_TEXT 40

void gw_record_address(const struct sockaddr *peer, char *text, size_t room)
{
	char address[INET6_ADDRSTRLEN] = "";

	if (peer != NULL && peer->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
		(void)inet_ntop(AF_INET, &v4->sin_addr, address, sizeof(address));
		(void)snprintf(text, room, "%s:%u", address, ntohs(v4->sin_port));
	} else if (peer != NULL && peer->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)peer;
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof(address));
		(void)snprintf(text, room, "[%s]:%u", address, ntohs(v6->sin6_port));
	} else {
		(void)snprintf(text, room, "unix");
	}
}

/* RFC 3339, UTC, with milliseconds. */
static void time_text(int64_t wall_ms, char *text)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm utc;
	char whole[TIME_TEXT / 2];

	if (gmtime_r(&seconds, &utc) == NULL || strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &utc) == 0)
		whole[0] = '\0';
	(void)snprintf(text, TIME_TEXT, "%s.%03dZ", whole, (int)(wall_ms % 1000));
}

static struct http_span field(const struct http_request *head, const char *name)
{
	const struct http_field *found = head != NULL ? http_field_find(head, name) : NULL;
	return found != NULL ? found->value : (struct http_span){NULL, 0};
}

/* The names of the repairs as a JSON array, or JSON null if there were none. NULL: out of memory. */
static json_t *repairs_of(unsigned repairs)
{
	json_t *names = repairs != 0 ? json_array() : json_null();

	for (unsigned i = 0; names != NULL && repairs != 0 && i < HTTP_REPAIRS; i++) {
		if ((repairs & 1U << i) == 0)
			continue;
		if (json_array_append_new(names, json_string(http_repair_name(1U << i))) != 0) {
			json_decref(names);
			return NULL;
		}
	}
	return names;
}

json_t *gw_record_new(const struct gw_record_facts *facts)
{
	static const struct http_span none = {NULL, 0};
	const struct http_request *head = facts->head;
	char peer[INET6_ADDRSTRLEN + 16], when[TIME_TEXT];
	json_t *certificate = json_null(), *unverified = NULL;

	gw_record_address(facts->peer, peer, sizeof(peer));
	time_text(facts->wall_ms, when);
	if (facts->identity != NULL)
		certificate = json_pack("{s:o, s:s}", "subject", gw_text_string(facts->identity->subject), "sha256",
					facts->identity->sha256_hex);
	if (facts->unverified != NULL)
		unverified = json_pack("{s:o, s:s}", "subject", gw_text_string(facts->unverified->subject), "sha256",
				       facts->unverified->sha256_hex);
	return json_pack(
		"{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:b, s:o, s:o, s:s?, s:i, s:s?, s:I, s:I, s:I, s:s?, s:s?, s:I, "
		"s:o, s:o, s:o*, s:o, s:o, s:n}",
		"time", when, "id", facts->id, "client", peer, "host", facts->host, "tls", facts->tls, "cipher",
		facts->cipher, "resumed", (int)facts->resumed, "method", gw_text(head != NULL ? head->method : none),
		"target", gw_text(head != NULL ? head->target : none), "protocol",
		head == NULL       ? NULL
		: facts->http2     ? "HTTP/2.0"
		: head->minor == 0 ? "HTTP/1.0"
				   : "HTTP/1.1",
		"status", (int)facts->status, "note", facts->note, "body_in", (json_int_t)facts->bytes_in, "body_out",
		(json_int_t)facts->bytes_out, "ms", (json_int_t)facts->took_ms, "upstream_name", facts->service,
		"upstream", facts->server, "upstream_ms", (json_int_t)facts->server_ms, "repaired",
		repairs_of(facts->repairs), "certificate", certificate, "unverified", unverified, "user_agent",
		gw_text(field(head, "User-Agent")), "referer", gw_text(field(head, "Referer")), "ask");
}

bool gw_record_add_ask(json_t *record, const struct gw_record_ask *ask, bool on_demand)
{
	const struct thaw_report *report = &ask->report;
	uint64_t waited =
		report->asked_ms != 0 && report->ended_ms >= report->asked_ms ? report->ended_ms - report->asked_ms : 0;
	json_t *story = json_pack("{s:s, s:s, s:b, s:s, s:s, s:s?, s:I, s:I, s:I, s:I}", "means",
				  thaw_means_name(report->means), "moment", thaw_moment_name(report->moment),
				  "on_demand", (int)(on_demand && report->moment == THAW_MOMENT_HANDSHAKE), "verdict",
				  thaw_verdict_name(report->verdict), "reason", thaw_reason_name(report->reason),
				  "detail", report->detail[0] != '\0' ? report->detail : NULL, "ms", (json_int_t)waited,
				  "drained", (json_int_t)ask->drained, "to_memory", (json_int_t)ask->to_memory,
				  "to_disk", (json_int_t)ask->to_disk);

	return json_object_set_new(record, "ask", story) == 0;
}

/* Appends text to a line of the combined format. Escapes quotes, backslashes and control characters as Apache does. */
static void put_text(char *line, size_t room, size_t *len, const char *text)
{
	for (; text != NULL && *text != '\0' && *len + 5 < room; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			*len += (size_t)snprintf(line + *len, room - *len, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			*len += (size_t)snprintf(line + *len, room - *len, "\\x%02x", c);
		else
			line[(*len)++] = (char)c;
	}
}

static void put(char *line, size_t room, size_t *len, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void put(char *line, size_t room, size_t *len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int more = vsnprintf(line + *len, room - *len, format, args);
	va_end(args);
	if (more > 0)
		*len = *len + (size_t)more < room ? *len + (size_t)more : room - 1;
}

static const char *text_of(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));
	return text != NULL ? text : "-";
}

static long long number_of(const json_t *record, const char *key)
{
	return (long long)json_integer_value(json_object_get(record, key));
}

#define COMBINED_MAX 24576 /* a request line, a Referer and a User-Agent of full length, escaped or cut */

/* "10/Oct/2026:13:55:36 +0000", from the RFC 3339 time of the record. */
static void clf_time(const char *rfc3339, char *text, size_t room)
{
	struct tm utc = {0};

	if (strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &utc) == NULL ||
	    strftime(text, room, "%d/%b/%Y:%H:%M:%S +0000", &utc) == 0)
		(void)snprintf(text, room, "-");
}

/* Apache's combined format, followed by a quoted field about the ask, and the request ID. */
static char *combined(const json_t *record, size_t *len)
{
	char *line = malloc(COMBINED_MAX);
	const json_t *ask = json_object_get(record, "ask");
	char when[TIME_TEXT];
	size_t at = 0, room = COMBINED_MAX - 512; /* reserves room for the fields about the ask and the ID */

	if (line == NULL)
		return NULL;
	clf_time(text_of(record, "time"), when, sizeof(when));
	put(line, room, &at, "%s - \"", text_of(record, "client"));
	put_text(line, room, &at, text_of(json_object_get(record, "certificate"), "subject"));
	put(line, room, &at, "\" [%s] \"", when);
	put_text(line, room, &at, text_of(record, "method"));
	put(line, room, &at, " ");
	put_text(line, room, &at, text_of(record, "target"));
	put(line, room, &at, " %s\" %lld %lld \"", text_of(record, "protocol"), number_of(record, "status"),
	    number_of(record, "body_out"));
	put_text(line, room, &at, text_of(record, "referer"));
	put(line, room, &at, "\" \"");
	put_text(line, room, &at, text_of(record, "user_agent"));
	put(line, COMBINED_MAX, &at, "\" \"");
	if (json_is_object(ask))
		put(line, COMBINED_MAX, &at, "%s %s %s %s %lldms %lld %lld %lld", text_of(ask, "means"),
		    text_of(ask, "moment"), text_of(ask, "verdict"), text_of(ask, "reason"), number_of(ask, "ms"),
		    number_of(ask, "drained"), number_of(ask, "to_memory"), number_of(ask, "to_disk"));
	else
		put(line, COMBINED_MAX, &at, "-");
	put(line, COMBINED_MAX, &at, "\" %s\n", text_of(record, "id"));
	*len = at;
	return line;
}

char *gw_record_line(const json_t *record, enum config_log_format format, size_t *len)
{
	if (format == CONFIG_LOG_COMBINED)
		return combined(record, len);
	return gw_text_dump(record, JSON_COMPACT, len);
}
