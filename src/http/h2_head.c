#include "http/h2_head.h"

#include <string.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "http/chunked.h"
#include "http/lines.h"
#include "http/syntax.h"

#define TEXT_TIMES  ((size_t)3) /* largest text: the pseudo-header values, and the head */
#define FIRST_LINES 512         /* initial room: usually enough for the whole head */
#define SPAN(text)  ((struct http_span){text, sizeof(text) - 1})

enum { SEEN_HOST = 1 << H2_PSEUDOS, SEEN_LENGTH = 2 << H2_PSEUDOS };

static bool malformed(struct h2_head *head, const char *why)
{
	head->outcome = H2_HEAD_MALFORMED;
	head->why = why;
	return false;
}

static bool refuse(struct h2_head *head, unsigned status, const char *why)
{
	head->outcome = H2_HEAD_REFUSED;
	return http_refuse(&head->refusal, status, why);
}

static bool has(const struct h2_head *head, enum h2_pseudo which)
{
	return (head->seen & 1U << which) != 0;
}

static struct http_span pseudo(const struct h2_head *head, enum h2_pseudo which)
{
	size_t len = head->pseudo[which].len;

	return len == 0 ? SPAN("") : (struct http_span){head->text.bytes + head->pseudo[which].at, len};
}

/* Appends all of these bytes, within the limit of a head. */
static bool put(struct h2_head *head, const struct http_span *spans, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += spans[i].len;
	size_t most = http_limits_of(head->limits)->head;
	if (len > most || head->text.len - head->begin > most - len)
		return refuse(head, 431, "the head is too long (max_head)");
	if (!buffer_reserve(&head->text, TEXT_TIMES * most, len)) {
		head->outcome = H2_HEAD_NO_MEMORY;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (spans[i].len > 0)
			memcpy(head->text.bytes + head->text.len, spans[i].at, spans[i].len);
		head->text.len += spans[i].len;
	}
	return true;
}

static bool put_line(struct h2_head *head, struct http_span name, struct http_span value)
{
	const struct http_span line[] = {name, SPAN(": "), value, SPAN("\r\n")};

	return put(head, line, sizeof(line) / sizeof(line[0]));
}

/* RFC 9113 8.2.1; RFC 9110 5.5 forbids other control characters. */
static bool check_value(struct h2_head *head, struct http_span value)
{
	if (!http_is_field_value(value))
		return malformed(head, "a control character in a field's value");
	if (value.len > 0 && (http_is_blank(value.at[0]) || http_is_blank(value.at[value.len - 1])))
		return malformed(head, "a field's value that begins or ends with a blank");
	return true;
}

/* RFC 9113 8.2.1 */
static bool check_name(struct h2_head *head, struct http_span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!http_is_tchar(name.at[i]) || ascii_is_upper(name.at[i]))
			return malformed(head, "a field's name that is not a lower-case token");
	return name.len > 0 || malformed(head, "a field without a name");
}

/* Counts the field's size. False: stop decoding the list. */
static bool count(struct h2_head *head, struct http_span name, struct http_span value)
{
	if (head->outcome == H2_HEAD_FLOOD)
		return false;
	head->list += name.len + value.len + H2_FIELD_OVERHEAD;
	if (head->list > H2_LIST_TIMES * http_limits_of(head->limits)->head)
		head->outcome = H2_HEAD_FLOOD;
	return head->outcome == H2_HEAD_GOOD;
}

static void read_pseudo(struct h2_head *head, struct http_span name, struct http_span value)
{
	static const char *const names[H2_PSEUDOS] = {
		[H2_METHOD] = ":method", [H2_SCHEME] = ":scheme",     [H2_AUTHORITY] = ":authority",
		[H2_PATH] = ":path",     [H2_PROTOCOL] = ":protocol",
	};
	unsigned which = 0;

	while (which < H2_PSEUDOS && !http_span_equal(name, names[which]))
		which++;
	if (which == H2_PSEUDOS)
		(void)malformed(head, "an unknown pseudo-field");
	else if (head->part != H2_PART_PSEUDO)
		(void)malformed(head, "a pseudo-field behind other fields");
	else if (has(head, (enum h2_pseudo)which))
		(void)malformed(head, "a pseudo-field that is there twice");
	else if (value.len > http_limits_of(head->limits)->line)
		(void)refuse(head, which == H2_AUTHORITY ? 431 : 414, "the request line is too long (max_head_line)");
	if (head->outcome != H2_HEAD_GOOD || !check_value(head, value))
		return;
	head->seen |= 1U << which;
	head->pseudo[which].at = head->text.len;
	head->pseudo[which].len = value.len;
	(void)put(head, &value, 1);
}

/* RFC 9113 8.3.1: the scheme is ignored, since the connection uses TLS, and clients behind a proxy do send http. */
static bool check_scheme(struct h2_head *head)
{
	struct http_span scheme = pseudo(head, H2_SCHEME);

	return http_span_equal_nocase(scheme, "https") || http_span_equal_nocase(scheme, "http") ||
	       refuse(head, 400, "a scheme that is neither https nor http");
}

static bool check_authority(struct h2_head *head)
{
	struct http_span authority = pseudo(head, H2_AUTHORITY);

	if (!has(head, H2_AUTHORITY))
		return true;
	if (authority.len == 0)
		return malformed(head, "an empty :authority");
	return memchr(authority.at, '@', authority.len) == NULL || malformed(head, "user information in :authority");
}

/* The path becomes the target of a request line, so it must be in origin form, or "*". */
static bool check_path(struct h2_head *head)
{
	struct http_span path = pseudo(head, H2_PATH);

	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == ' ' || path.at[i] == '\t')
			return malformed(head, "a blank in :path");
	if (path.len > 0 && path.at[0] == '/')
		return true;
	if (!http_span_equal(path, "*"))
		return malformed(head, "a :path that does not begin with a slash");
	return http_span_equal(pseudo(head, H2_METHOD), "OPTIONS") ||
	       malformed(head, "the :path * is for OPTIONS only");
}

/* RFC 9113 8.5, and RFC 8441 4, which needs both :authority and :protocol. */
static bool check_connect(struct h2_head *head)
{
	if (!has(head, H2_PROTOCOL)) {
		if (has(head, H2_SCHEME) || has(head, H2_PATH) || !has(head, H2_AUTHORITY))
			return malformed(head, "a CONNECT with the wrong pseudo-fields");
		return refuse(head, 501, "CONNECT is not for a gateway");
	}
	if (!has(head, H2_AUTHORITY))
		return malformed(head, "a CONNECT without :authority");
	if (!http_span_equal_nocase(pseudo(head, H2_PROTOCOL), "websocket"))
		return refuse(head, 501, "a :protocol other than websocket");
	head->kind = H2_KIND_WEBSOCKET;
	return true;
}

static bool check_pseudos(struct h2_head *head)
{
	struct http_span method = pseudo(head, H2_METHOD);
	bool connects = has(head, H2_METHOD) && http_span_equal(method, "CONNECT");

	if (!has(head, H2_METHOD))
		return malformed(head, "no :method");
	if (!http_is_token(method))
		return malformed(head, "a :method that is not a token");
	if (has(head, H2_PROTOCOL) && !connects)
		return malformed(head, "a :protocol without CONNECT");
	if (http_span_equal(method, "HEAD"))
		head->kind = H2_KIND_HEAD;
	if (!check_authority(head) || (connects && !check_connect(head)))
		return false;
	if (!has(head, H2_SCHEME) || !has(head, H2_PATH))
		return malformed(head, "no :scheme, or no :path");
	return check_path(head) && check_scheme(head);
}

/* Writes the request line when the pseudo-header fields are complete. */
static bool begin_fields(struct h2_head *head)
{
	if (head->part == H2_PART_FIELDS)
		return true;
	head->part = H2_PART_FIELDS;
	if (!check_pseudos(head))
		return false;
	/* The values must not move while they are copied. */
	size_t len = pseudo(head, H2_METHOD).len + pseudo(head, H2_PATH).len + pseudo(head, H2_AUTHORITY).len;
	if (!buffer_reserve(&head->text, TEXT_TIMES * http_limits_of(head->limits)->head, len + FIRST_LINES)) {
		head->outcome = H2_HEAD_NO_MEMORY;
		return false;
	}
	bool websocket = head->kind == H2_KIND_WEBSOCKET;
	const struct http_span line[] = {websocket ? SPAN("GET") : pseudo(head, H2_METHOD), SPAN(" "),
					 pseudo(head, H2_PATH), SPAN(" HTTP/1.1\r\n")};
	head->begin = head->text.len;
	if (!put(head, line, sizeof(line) / sizeof(line[0])))
		return false;
	if (has(head, H2_AUTHORITY) && !put_line(head, SPAN("host"), pseudo(head, H2_AUTHORITY)))
		return false;
	return !websocket || (put_line(head, SPAN("connection"), SPAN("Upgrade")) &&
			      put_line(head, SPAN("upgrade"), SPAN("websocket")));
}

static bool once(struct h2_head *head, unsigned bit, const char *why)
{
	if ((head->seen & bit) != 0)
		return malformed(head, why);
	head->seen |= bit;
	return true;
}

/* RFC 9113 8.3.1: Host must equal :authority, if both are present. */
static bool read_host(struct h2_head *head, struct http_span name, struct http_span value)
{
	if (!once(head, SEEN_HOST, "more than one host field"))
		return false;
	if (!has(head, H2_AUTHORITY))
		return value.len == 0 ? malformed(head, "an empty host field") : put_line(head, name, value);
	return http_spans_equal_nocase(value, pseudo(head, H2_AUTHORITY)) ||
	       malformed(head, "a host other than :authority");
}

static bool read_length(struct h2_head *head, struct http_span name, struct http_span value)
{
	if (!once(head, SEEN_LENGTH, "more than one content-length field"))
		return false;
	if (!http_read_length(value, &head->length))
		return malformed(head, "a content-length that is not a number below 2^63");
	return put_line(head, name, value);
}

/* RFC 9113 8.2.3 */
static bool read_cookie(struct h2_head *head, struct http_span name, struct http_span value)
{
	(void)name;
	size_t most = http_limits_of(head->limits)->head, used = buffer_left(&head->cookie);

	if (used + value.len + 2 > most)
		return refuse(head, 431, "the head is too long (max_head)");
	if ((buffer_left(&head->cookie) == 0 || buffer_append(&head->cookie, most, "; ", 2)) &&
	    buffer_append(&head->cookie, most, value.at, value.len))
		return true;
	head->outcome = H2_HEAD_NO_MEMORY;
	return false;
}

static bool read_te(struct h2_head *head, struct http_span name, struct http_span value)
{
	return http_span_equal_nocase(value, "trailers") ? put_line(head, name, value)
							 : malformed(head, "a te that is not trailers");
}

static bool read_connection(struct h2_head *head, struct http_span name, struct http_span value)
{
	(void)name;
	(void)value;
	return malformed(head, "a field that is for a connection only");
}

/* RFC 8441 5: HTTP/2 has no key, so we add one. */
static bool read_key(struct h2_head *head, struct http_span name, struct http_span value)
{
	return head->kind == H2_KIND_WEBSOCKET || put_line(head, name, value);
}

/* Fields that are not simply copied. */
static bool read_field(struct h2_head *head, struct http_span name, struct http_span value)
{
	static const struct {
		struct http_span name;
		bool (*read)(struct h2_head *head, struct http_span name, struct http_span value);
	} known[] = {
		{{"te", sizeof("te") - 1}, read_te},
		{{"host", sizeof("host") - 1}, read_host},
		{{"cookie", sizeof("cookie") - 1}, read_cookie},
		{{"upgrade", sizeof("upgrade") - 1}, read_connection}, /* RFC 9113 8.2.2 */
		{{"connection", sizeof("connection") - 1}, read_connection},
		{{"keep-alive", sizeof("keep-alive") - 1}, read_connection},
		{{"content-length", sizeof("content-length") - 1}, read_length},
		{{"proxy-connection", sizeof("proxy-connection") - 1}, read_connection},
		{{"transfer-encoding", sizeof("transfer-encoding") - 1}, read_connection},
		{{"sec-websocket-key", sizeof("sec-websocket-key") - 1}, read_key},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (name.len == known[i].name.len && memcmp(name.at, known[i].name.at, name.len) == 0)
			return known[i].read(head, name, value);
	return put_line(head, name, value);
}

void h2_head_field(struct h2_head *head, struct http_span name, struct http_span value)
{
	if (!count(head, name, value))
		return;
	if (name.len > 0 && name.at[0] == ':')
		read_pseudo(head, name, value);
	else if (check_name(head, name) && check_value(head, value) && begin_fields(head))
		(void)read_field(head, name, value);
}

/* Adds the framing fields of HTTP/1.1, which HTTP/2 expresses by frames. */
static bool end_framing(struct h2_head *head, bool ended)
{
	bool length = (head->seen & SEEN_LENGTH) != 0;

	if (head->kind == H2_KIND_WEBSOCKET)
		return !length || refuse(head, 400, "a content-length with CONNECT");
	if (ended)
		return !length || head->length == 0 || malformed(head, "a content-length without a body");
	return length || put_line(head, SPAN("transfer-encoding"), SPAN("chunked"));
}

static bool end_fields(struct h2_head *head, bool ended, const uint8_t key[H2_KEY_LEN])
{
	char text[BASE64_LEN(H2_KEY_LEN)];
	const struct http_span cookie = {head->cookie.bytes, head->cookie.len}, empty_line = SPAN("\r\n");

	if (!begin_fields(head))
		return false;
	if (!has(head, H2_AUTHORITY) && (head->seen & SEEN_HOST) == 0)
		return malformed(head, "neither :authority nor host");
	if (!end_framing(head, ended) || (cookie.len > 0 && !put_line(head, SPAN("cookie"), cookie)))
		return false;
	if (head->kind == H2_KIND_WEBSOCKET) {
		base64_encode(key, H2_KEY_LEN, text);
		if (!put_line(head, SPAN("sec-websocket-key"), (struct http_span){text, sizeof(text)}))
			return false;
	}
	return put(head, &empty_line, 1);
}

enum h2_outcome h2_head_end(struct h2_head *head, bool ended, const uint8_t key[H2_KEY_LEN])
{
	if (head->outcome != H2_HEAD_GOOD || !end_fields(head, ended, key))
		return head->outcome;
	head->text.len -= head->begin;
	memmove(head->text.bytes, head->text.bytes + head->begin, head->text.len);
	return H2_HEAD_GOOD;
}

void h2_head_trailer(struct h2_head *head, struct http_span name, struct http_span value)
{
	static const char *const never[] = {"connection", "keep-alive", "proxy-connection", "transfer-encoding",
					    "upgrade"};

	if (!count(head, name, value) || !check_name(head, name) || !check_value(head, value))
		return;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (http_span_equal(name, never[i]))
			(void)malformed(head, "a field that is for a connection only");
	if (head->outcome != H2_HEAD_GOOD)
		return;
	if (name.len + value.len + 4 > HTTP_TRAILER_MAX - head->text.len)
		(void)refuse(head, 431, "the trailers are too long");
	else
		(void)put_line(head, name, value);
}

void h2_head_free(struct h2_head *head)
{
	buffer_free(&head->text);
	buffer_free(&head->cookie);
	*head = (struct h2_head){.outcome = H2_HEAD_GOOD, .limits = head->limits};
}
