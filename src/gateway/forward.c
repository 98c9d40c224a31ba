#include "gateway/forward.h"

#include <assert.h>
#include <string.h>

#include "gateway/identity.h"
#include "gateway/proxy.h"
#include "http/interpret.h"
#include "http/syntax.h"

#define HOST_TEXT      (HTTP_HOST_MAX + 16)
#define FORWARDED_TEXT (GW_ADDRESS_ROOM + HOST_TEXT + 32) /* and the text around them */
#define UPGRADE_TEXT   256

static_assert(GW_IDENTITY_MAX + GW_HEADERS_MAX + HTTP_HEAD_MAX + 4096 <= GW_UP_HEAD_MAX,
	      "no head is too large for want of a ceiling");

static bool has_token(const struct http_request *head, const char *name, const char *token)
{
	for (size_t i = 0; i < head->field_count; i++) {
		struct http_span rest = head->fields[i].value, element;
		if (!http_span_is(head->fields[i].name, name))
			continue;
		while (http_list_next(&rest, &element))
			if (http_span_equal_nocase(element, token))
				return true;
	}
	return false;
}

/* Protocol names are compared without regard to case (RFC 9110 7.8). */
static bool may_upgrade_to(const struct config_route *route, struct http_span protocol)
{
	if (route->upgrade == NULL)
		return http_span_equal_nocase(protocol, "websocket");
	for (char **allowed = route->upgrade; *allowed != NULL; allowed++)
		if (http_span_equal_nocase(protocol, *allowed))
			return true;
	return false;
}

/* The protocols that the request asks for and the route allows, as a list. Those that do not fit are omitted. */
static size_t wanted_protocols(const struct http_request *head, const struct config_route *route, char *out,
			       size_t room)
{
	size_t len = 0;

	for (size_t i = 0; i < head->field_count; i++) {
		struct http_span rest = head->fields[i].value, element;
		if (!http_span_is(head->fields[i].name, "Upgrade"))
			continue;
		while (http_list_next(&rest, &element)) {
			if (!may_upgrade_to(route, element) || element.len + 2 > room - len)
				continue;
			if (len > 0) {
				out[len++] = ',';
				out[len++] = ' ';
			}
			memcpy(out + len, element.at, element.len);
			len += element.len;
		}
	}
	return len;
}

bool gw_forward_is_upgrade(const struct http_request *head, const struct config_route *route)
{
	char protocols[UPGRADE_TEXT];

	return head->minor == 1 && has_token(head, "Connection", "upgrade") &&
	       wanted_protocols(head, route, protocols, sizeof(protocols)) > 0;
}

bool gw_forward_may_switch(const struct config_route *route, struct http_span protocols)
{
	struct http_span element;
	bool any = false;

	while (http_list_next(&protocols, &element)) {
		if (!may_upgrade_to(route, element))
			return false;
		any = true;
	}
	return any;
}

/* host[:port] as sent by the client: from an absolute target, which takes precedence (RFC 9112 3.2.2), else from
 * Host. */
static struct http_span authority_of(const struct http_request *head)
{
	const struct http_field *host = http_field_find(head, "Host");
	const char *end = head->target.at + head->target.len;
	const char *colon = memchr(head->target.at, ':', head->target.len);

	if (head->target.at[0] == '/' || colon == NULL || end - colon < 3)
		return host != NULL ? host->value : (struct http_span){"", 0};
	struct http_span authority = {colon + 3, (size_t)(end - colon) - 3}; /* behind "://" */
	size_t len = 0;
	while (len < authority.len && authority.at[len] != '/' && authority.at[len] != '?')
		len++;
	authority.len = len;
	return authority;
}

static void write_text(struct http_writer *writer, const char *name, const char *text, size_t len)
{
	http_write_span(writer, (struct http_span){name, strlen(name)}, (struct http_span){text, len});
}

/* Appends to a line that has enough room. */
static size_t add(char *line, size_t at, const char *text, size_t len)
{
	memcpy(line + at, text, len);
	return at + len;
}

/* In the form used for comparisons: lower case, without trailing dot. An empty port is the default one. */
static struct http_span normal_authority(const struct http_request *head, char out[static HOST_TEXT])
{
	struct http_span authority = authority_of(head), port = authority;
	size_t len = 0;

	if (authority.len == 0 || authority.len >= HOST_TEXT || head->host.len > authority.len)
		return (struct http_span){"", 0};
	for (; len < head->host.len; len++) {
		char c = authority.at[len];
		out[len] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	port.at += len;
	port.len -= len;
	if (len > 1 && out[len - 1] == '.')
		len--;
	if (port.len > 1) {
		memcpy(out + len, port.at, port.len);
		len += port.len;
	}
	return (struct http_span){out, len};
}

static void write_forwarded(const struct gw_origin *origin, struct http_span authority, struct http_writer *writer)
{
	char plain[GW_ADDRESS_ROOM], line[FORWARDED_TEXT];
	const char *scheme = origin->tls != NULL ? "https" : "http";
	size_t scheme_len = strlen(scheme);
	bool v6 = gw_origin_is_ipv6(origin);

	gw_origin_address(origin, plain);
	const char *address = plain[0] != '\0' ? plain : "unknown";
	size_t address_len = strlen(address), len = add(line, 0, "for=", 4);
	/* RFC 7239 6: an IPv6 address has brackets and quotes; in X-Forwarded-For it has neither. */
	len = v6 ? add(line, len, "\"[", 2) : len;
	len = add(line, len, address, address_len);
	len = v6 ? add(line, len, "]\"", 2) : len;
	len = add(line, len, ";proto=", 7);
	len = add(line, len, scheme, scheme_len);
	if (authority.len > 0) {
		len = add(line, len, ";host=\"", 7);
		len = add(line, len, authority.at, authority.len);
		len = add(line, len, "\"", 1);
	}
	write_text(writer, "Forwarded", line, len);
	write_text(writer, "X-Forwarded-For", address, address_len);
	write_text(writer, "X-Forwarded-Proto", scheme, scheme_len);
	if (authority.len > 0)
		write_text(writer, "X-Forwarded-Host", authority.at, authority.len);
}

/* "Proxy-Authorization" and similar fields (RFC 9110 11.7): for this gateway or for the client. Also in CGI
 * spellings. */
static bool is_for_proxy(struct http_span name)
{
	static const char digits[] = "0123456789";

	if (name.len <= 6 || !http_span_equal_nocase((struct http_span){name.at, 5}, "proxy"))
		return false;
	char sign = (char)(name.at[5] | 0x20);
	return (sign < 'a' || sign > 'z') && strchr(digits, name.at[5]) == NULL;
}

/* The client's request ID, in any spelling: write_request_id() writes the one that is used. */
static bool is_request_id(const struct config_host *host, struct http_span name)
{
	return host->request_id_from != NULL && config_is_named(host->request_id_from, name.at, name.len);
}

/* Fields for framing and routing are written anew; fields that a client must not set itself are removed. */
static bool passes(const struct gw_outgoing *out, const struct http_hops *hops, struct http_span name)
{
	static const char *const ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Expect", "Via"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (http_span_is(name, ours[i]))
			return false;
	if (is_for_proxy(name) || is_request_id(out->host, name))
		return false;
	if (gw_headers_replace(&out->route->headers.request, name))
		return false;
	return !http_hops_has(hops, name) && !gw_identity_is_stripped(out->host, name);
}

/* RFC 9110 7.6.2: each hop decrements it. At 0 the request is answered here (builtin.c). */
static void write_max_forwards(const struct http_request *head, struct http_writer *writer)
{
	uint64_t left = 0;

	if (http_max_forwards(head, &left) == HTTP_FORWARDS_LIMITED && left > 0)
		http_write_field_number(writer, "Max-Forwards", left - 1);
}

static void write_fields(const struct gw_outgoing *out, const struct gw_rewrite *rewrite, struct http_writer *writer)
{
	const struct http_request *head = out->head;
	struct http_hops hops;
	uint64_t left = 0;
	bool limited = http_max_forwards(head, &left) == HTTP_FORWARDS_LIMITED;

	http_hops_of(&hops, head->fields, head->field_count);
	for (size_t i = 0; i < head->field_count; i++)
		if (passes(out, &hops, head->fields[i].name) &&
		    !(limited && http_span_is(head->fields[i].name, "Max-Forwards")))
			gw_rewrite_request(rewrite, &head->fields[i], writer);
}

/* RFC 9110 7.6.3: all hops so far, and this gateway. */
static void write_via(const struct gw_outgoing *out, struct http_writer *writer)
{
	const struct http_request *head = out->head;
	const char *version = head->minor == 0 ? "1.0" : out->origin.http;
	char via[sizeof("1.1 thaw") - 1];

	for (size_t i = 0; i < head->field_count; i++)
		if (http_span_is(head->fields[i].name, "Via"))
			http_write_span(writer, head->fields[i].name, head->fields[i].value);
	(void)add(via, add(via, 0, version, 3), " thaw", 5);
	write_text(writer, "Via", via, sizeof(via));
}

static void write_framing(const struct gw_outgoing *out, struct http_writer *writer)
{
	const struct http_request *head = out->head;

	if (head->framing == HTTP_BODY_LENGTH)
		http_write_field_number(writer, "Content-Length", head->length);
	else if (head->framing == HTTP_BODY_CHUNKED)
		http_write_field(writer, "Transfer-Encoding", "chunked");
	if (out->expects)
		http_write_field(writer, "Expect", "100-continue");
	if (out->upgrade) {
		char protocols[UPGRADE_TEXT];
		size_t len = wanted_protocols(head, out->route, protocols, sizeof(protocols));
		http_write_field(writer, "Connection", "upgrade");
		http_write_span(writer, (struct http_span){"Upgrade", 7}, (struct http_span){protocols, len});
	}
}

/* The identity's fields, created when first needed. */
static const struct gw_identity_text *identity_text_of(const struct gw_origin *origin, unsigned sets)
{
	struct gw_identity_text *identity_text = origin->identity_text;
	bool chain_left_out = false;

	if (identity_text->fields != NULL)
		return identity_text;
	const struct tls_details *details = origin->details(origin->arg);
	if (details != NULL)
		identity_text->fields =
			gw_identity_fields(sets, origin->identity, details, &identity_text->len, &chain_left_out);
	identity_text->too_large = identity_text->fields == NULL && identity_text->len > GW_IDENTITY_MAX;
	if (chain_left_out)
		origin->chain_left_out(origin->arg);
	return identity_text;
}

static void write_identity(const struct gw_outgoing *out, struct http_writer *writer)
{
	unsigned sets = out->host->identity;

	if (sets == 0)
		return;
	if (out->origin.unverified != NULL) {
		gw_identity_unverified(&out->origin, writer);
		return;
	}
	if (out->origin.identity == NULL) {
		gw_identity_none(sets, writer);
		return;
	}
	const struct gw_identity_text *identity_text = identity_text_of(&out->origin, sets);
	if (identity_text->fields != NULL)
		http_write_lines(writer, identity_text->fields, identity_text->len);
	else
		writer->overflow = true; /* never forward the request without its identity */
}

/* Not where `headers` sets or removes the field, or where it is one that no client can send. */
static void write_request_id(const struct gw_outgoing *out, struct http_writer *writer)
{
	const char *name = out->host->request_id_from;
	struct http_span field = {name, name != NULL ? strlen(name) : 0};

	if (name == NULL || gw_headers_replace(&out->route->headers.request, field) ||
	    gw_identity_is_stripped(out->host, field))
		return;
	const char *id = out->origin.id(out->origin.arg);
	if (id[0] != '\0') /* no random numbers */
		write_text(writer, name, id, strlen(id));
}

void gw_forward_head(const struct gw_outgoing *out, struct gw_rewrite *rewrite, struct http_writer *writer)
{
	const struct http_request *head = out->head;
	char text[HOST_TEXT];
	struct http_span authority = normal_authority(head, text);
	const char *name = out->host->name;

	gw_rewrite_begin(rewrite, out->route, authority, out->upstream, out->server);
	gw_rewrite_targets(rewrite, out->route, out->targets);
	gw_rewrite_request_line(head, out->route, writer);
	if (rewrite->map.inner.len > 0) /* HTTP/1.0 requests may lack it */
		write_text(writer, "Host", rewrite->map.inner.at, rewrite->map.inner.len);
	else
		http_write_field(writer, "Host", name != NULL && name[0] != '*' ? name : "localhost");
	write_fields(out, rewrite, writer);
	write_max_forwards(head, writer);
	write_via(out, writer);
	write_forwarded(&out->origin, authority, writer);
	write_identity(out, writer);
	write_request_id(out, writer);
	gw_headers_write(&out->origin, &out->route->headers.request, writer);
	write_framing(out, writer);
	http_write_end(writer);
}

static void put(struct gw_batch *batch, const char *bytes, size_t len)
{
	memcpy(batch->at + batch->len, bytes, len);
	batch->len += len;
}

/* Some readers add trailers to the fields of the head. */
bool gw_forward_trailer(const struct gw_trailer_rules *rules, struct http_span name)
{
	bool reserved =
		rules->host != NULL ? gw_identity_is_stripped(rules->host, name) : gw_identity_is_reserved(name);

	if (rules->host != NULL && is_request_id(rules->host, name))
		return false;
	return http_trailer_allowed(name) && !reserved && !gw_headers_replace(rules->headers, name);
}

void gw_forward_end(const struct gw_trailer_rules *rules, const struct http_trailers *trailers, struct gw_batch *batch)
{
	struct http_field field;
	size_t at = 0;

	put(batch, "0\r\n", 3);
	while (http_trailers_next(trailers, &at, &field)) {
		if (!gw_forward_trailer(rules, field.name))
			continue;
		put(batch, field.name.at, field.name.len);
		put(batch, ": ", 2);
		put(batch, field.value.at, field.value.len);
		put(batch, "\r\n", 2);
	}
	put(batch, "\r\n", 2);
}
