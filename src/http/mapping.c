#include "http/mapping.h"

#include <string.h>

#include "http/syntax.h"

struct out {
	char *at;
	size_t len;
};

static void put(struct out *out, const char *bytes, size_t len)
{
	if (len > 0)
		memcpy(out->at + out->len, bytes, len);
	out->len += len;
}

static void put_span(struct out *out, struct http_span span)
{
	put(out, span.at, span.len);
}

static struct http_span text(const char *string)
{
	return (struct http_span){string, strlen(string)};
}

/* The position of the first of these characters, or the end. */
static size_t find(struct http_span span, const char *signs)
{
	size_t len = 0;

	while (len < span.len && strchr(signs, span.at[len]) == NULL)
		len++;
	return len;
}

/* How many blanks there are from there on. */
static size_t blanks_at(struct http_span span, size_t at)
{
	size_t len = at;

	while (len < span.len && (span.at[len] == ' ' || span.at[len] == '\t'))
		len++;
	return len - at;
}

static struct http_span take(struct http_span *from, size_t len)
{
	struct http_span taken = {from->at, len};

	from->at += len;
	from->len -= len;
	return taken;
}

static bool begins(struct http_span span, const char *string)
{
	return span.len >= strlen(string) && memcmp(span.at, string, strlen(string)) == 0;
}

bool http_reference_parse(struct http_span value, struct http_reference *reference)
{
	*reference = (struct http_reference){0};
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] <= ' ' || value.at[i] > '~' || value.at[i] == '\\')
			return false;
	size_t scheme = find(value, ":/?#");
	if (scheme < value.len && value.at[scheme] == ':') {
		reference->scheme = take(&value, scheme);
		(void)take(&value, 1);
		if ((!http_spans_equal_nocase(reference->scheme, text("http")) &&
		     !http_spans_equal_nocase(reference->scheme, text("https"))) ||
		    !begins(value, "//"))
			return false;
	}
	if (begins(value, "//")) {
		(void)take(&value, 2);
		reference->authority = take(&value, find(value, "/?#"));
		if (reference->authority.len == 0 || memchr(reference->authority.at, '@', reference->authority.len))
			return false;
	}
	reference->path = take(&value, find(value, "?#"));
	reference->rest = value;
	return reference->authority.len > 0 || reference->path.len > 0
		       ? reference->path.len == 0 || reference->path.at[0] == '/'
		       : false;
}

/* An empty port means the scheme's default (RFC 3986 3.2.3). */
static struct http_span without_port(struct http_span authority, bool https)
{
	const char *port = https ? ":443" : ":80";
	size_t len = strlen(port);

	if (authority.len > len && memcmp(authority.at + authority.len - len, port, len) == 0)
		authority.len -= len;
	else if (authority.len > 0 && authority.at[authority.len - 1] == ':')
		authority.len--;
	return authority;
}

/* Whether both have the same host and port, ignoring case; the scheme's default port may be omitted. */
static bool same_authority(struct http_span a, struct http_span b, bool https)
{
	return a.len > 0 && b.len > 0 && http_spans_equal_nocase(without_port(a, https), without_port(b, https));
}

static struct http_span host_of(struct http_span authority)
{
	size_t len = authority.len > 0 && authority.at[0] == '[' ? find(authority, "]") + 1 : find(authority, ":");

	return (struct http_span){authority.at, len < authority.len ? len : authority.len};
}

/* Whether the path is the prefix or below it; *rest is the rest of the path. */
static bool split(struct http_span path, const char *prefix, struct http_span *rest)
{
	size_t len = strlen(prefix);

	if (!begins(path, prefix) || (path.len > len && path.at[len] != '/'))
		return false;
	*rest = path;
	(void)take(rest, len);
	return true;
}

/* Replaces one prefix by the other. Leading slashes are merged, since a parser of URL references takes what follows two
 * slashes for a host (RFC 3986 4.2). */
static bool replace(struct http_span path, const char *from, const char *to, struct out *out)
{
	struct http_span rest;

	if (!split(path, from, &rest))
		return false;
	put_span(out, text(to));
	while (to[0] == '\0' && begins(rest, "//"))
		(void)take(&rest, 1);
	put_span(out, rest);
	if (rest.len == 0 && to[0] == '\0')
		put(out, "/", 1);
	return true;
}

static bool has_prefix(const struct http_mapping *mapping)
{
	return mapping->strip[0] != '\0' || mapping->add[0] != '\0';
}

bool http_map_path(const struct http_mapping *mapping, struct http_span path, char *to, size_t *len)
{
	struct out out = {.at = to};
	bool done = replace(path, mapping->strip, mapping->add, &out);

	*len = out.len;
	return done;
}

/* Replaces the path's prefix, or copies the path. */
static void put_path(const struct http_mapping *mapping, bool to_client, struct http_span path, struct out *out)
{
	if (!has_prefix(mapping) || path.len == 0 ||
	    !replace(path, to_client ? mapping->add : mapping->strip, to_client ? mapping->strip : mapping->add, out))
		put_span(out, path);
}

static bool is_changed(struct http_span value, const struct out *out)
{
	return out->len != value.len || memcmp(out->at, value.at, out->len) != 0;
}

bool http_map_destination(const struct http_mapping *mapping, struct http_span value, char *to, size_t *len)
{
	struct http_reference reference;
	struct out out = {.at = to};

	if (!http_reference_parse(value, &reference))
		return false;
	if (reference.authority.len > 0) {
		if (same_authority(reference.authority, mapping->outer, true)) {
			put_span(&out, text(mapping->tls ? "https://" : "http://"));
			put_span(&out, mapping->inner);
		} else {
			put(&out, value.at, (size_t)(reference.path.at - value.at));
		}
	}
	put_path(mapping, false, reference.path, &out);
	put_span(&out, reference.rest);
	*len = out.len;
	return is_changed(value, &out);
}

/* The digits after the host, or the scheme's own port. */
static struct http_span port_of(struct http_span authority, bool https)
{
	size_t host = host_of(authority).len;

	return host + 1 < authority.len ? (struct http_span){authority.at + host + 1, authority.len - host - 1}
					: text(https ? "443" : "80");
}

/*
 * nginx builds absolute URLs from the Host field, its own scheme and the port that it listens on: the name is
 * the client's, and scheme and port are nobody's but its own. Behind a unix socket it names no port.
 */
static bool is_name_with_own_port(const struct http_mapping *mapping, const struct http_reference *reference,
				  bool https)
{
	return https == mapping->tls &&
	       http_spans_equal_nocase(host_of(reference->authority), host_of(mapping->inner)) &&
	       http_spans_equal_nocase(port_of(reference->authority, https), port_of(mapping->server, https));
}

/*
 * Whether the URL refers to the service itself. With the host that it got, it may use http or https. But if that is the
 * client's own host name and the service speaks TLS, http is a different place from https.
 */
static bool is_own(const struct http_mapping *mapping, const struct http_reference *reference)
{
	bool https = !http_spans_equal_nocase(reference->scheme, text("http"));
	bool renamed = !same_authority(mapping->inner, mapping->outer, true);

	if (same_authority(reference->authority, mapping->inner, https))
		return renamed || https || !mapping->tls;
	if (same_authority(reference->authority, mapping->outer, true) && https)
		return true;
	if (is_name_with_own_port(mapping, reference, https))
		return true;
	return same_authority(reference->authority, mapping->server, https) && https == mapping->tls;
}

bool http_map_location(const struct http_mapping *mapping, struct http_span value, char *to, size_t *len)
{
	struct http_reference reference;
	struct out out = {.at = to};

	if (!http_reference_parse(value, &reference))
		return false;
	if (reference.authority.len > 0) {
		if (mapping->outer.len == 0 || !is_own(mapping, &reference))
			return false;
		put_span(&out, text("https://"));
		put_span(&out, mapping->outer);
	}
	put_path(mapping, true, reference.path, &out);
	put_span(&out, reference.rest);
	*len = out.len;
	return is_changed(value, &out);
}

/* "5; url=/x", "5, URL='/x'": HTML 4.2.5.3's shared declarative refresh. *end: where the URL ends. The beginning of
 * the URL; value.len: there is none. */
static size_t find_refresh(struct http_span value, size_t *end)
{
	size_t at = find(value, ";,");

	at += at < value.len;
	at += blanks_at(value, at);
	if (value.len - at > 3 && http_spans_equal_nocase((struct http_span){value.at + at, 3}, text("url"))) {
		size_t equals = at + 3 + blanks_at(value, at + 3);
		if (equals < value.len && value.at[equals] == '=')
			at = equals + 1 + blanks_at(value, equals + 1);
	}
	*end = value.len;
	if (at < value.len && (value.at[at] == '"' || value.at[at] == '\'')) {
		const char *close = memchr(value.at + at + 1, value.at[at], value.len - at - 1);
		*end = close != NULL ? (size_t)(close - value.at) : value.len;
		at++;
	}
	return at;
}

bool http_map_refresh(const struct http_mapping *mapping, struct http_span value, char *to, size_t *len)
{
	size_t end, at = find_refresh(value, &end), changed = 0;

	if (at >= end || !http_map_location(mapping, (struct http_span){value.at + at, end - at}, to + at, &changed))
		return false;
	struct out out = {.at = to};
	put(&out, value.at, at);
	out.len += changed;
	put(&out, value.at + end, value.len - end);
	*len = out.len;
	return true;
}

/* A domain may have a leading dot (RFC 6265 5.2.3). */
static bool is_own_domain(const struct http_mapping *mapping, struct http_span domain)
{
	struct http_span inner = host_of(mapping->inner), outer = host_of(mapping->outer);

	if (domain.len > 0 && domain.at[0] == '.')
		(void)take(&domain, 1);
	return domain.len > 0 && outer.len > 0 && !http_spans_equal_nocase(inner, outer) &&
	       (http_spans_equal_nocase(domain, inner) || http_spans_equal_nocase(domain, host_of(mapping->server)));
}

static void put_attribute(const struct http_mapping *mapping, struct http_span attribute, struct out *out)
{
	size_t equals = find(attribute, "=");
	struct http_span name = http_trim((struct http_span){attribute.at, equals}), value = {NULL, 0};

	if (equals < attribute.len)
		value = http_trim((struct http_span){attribute.at + equals + 1, attribute.len - equals - 1});
	bool is_path = http_spans_equal_nocase(name, text("path")) && value.len > 0 && value.at[0] == '/';
	if (!is_path && !(http_spans_equal_nocase(name, text("domain")) && is_own_domain(mapping, value))) {
		put_span(out, attribute);
		return;
	}
	put(out, attribute.at, (size_t)(value.at - attribute.at));
	if (is_path)
		put_path(mapping, true, value, out);
	else
		put_span(out, host_of(mapping->outer));
}

bool http_map_cookie(const struct http_mapping *mapping, struct http_span value, char *to, size_t *len)
{
	struct http_span left = value;
	struct out out = {.at = to};
	bool is_path = false, is_domain = false;

	/* Browsers use such a cookie for the whole host, or reject it. */
	if (value.len >= 7 && http_spans_equal_nocase((struct http_span){value.at, 7}, text("__Host-")))
		return false;
	put_span(&out, take(&left, find(left, ";")));
	while (left.len > 0) {
		put_span(&out, take(&left, 1));
		struct http_span attribute = take(&left, find(left, ";"));
		struct http_span name = http_trim((struct http_span){attribute.at, find(attribute, "=")});
		bool *seen = http_spans_equal_nocase(name, text("path"))     ? &is_path
			     : http_spans_equal_nocase(name, text("domain")) ? &is_domain
									     : NULL;
		/* If there are two, the last one counts (RFC 6265 5.3): such cookies are not changed. */
		if (seen != NULL && *seen)
			return false;
		if (seen != NULL)
			*seen = true;
		put_attribute(mapping, attribute, &out);
	}
	*len = out.len;
	return is_changed(value, &out);
}
