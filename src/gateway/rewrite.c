#include "gateway/rewrite.h"

#include <string.h>

#include "http/link.h"
#include "http/target.h"

static struct http_span copy(char to[static GW_AUTHORITY_ROOM], struct http_span from)
{
	struct http_span copied = {to, from.len < GW_AUTHORITY_ROOM ? from.len : 0};

	if (copied.len > 0)
		memcpy(to, from.at, copied.len);
	return copied;
}

/* host[:port] of "https://host:port/", without the scheme's default port; empty for a Unix socket. */
static struct http_span authority_of(const char *server, bool *tls)
{
	const char *own = strncmp(server, "https://", 8) == 0 ? ":443" : ":80", *scheme = strstr(server, "://");

	*tls = own[1] == '4';
	if (scheme == NULL)
		return (struct http_span){"", 0};
	struct http_span authority = {scheme + 3, strcspn(scheme + 3, "/")};
	size_t port = strlen(own);
	if (authority.len > port && memcmp(authority.at + authority.len - port, own, port) == 0)
		authority.len -= port;
	return authority;
}

struct http_mapping gw_rewrite_paths(const struct config_route *route)
{
	return (struct http_mapping){.strip = route->strip_prefix != NULL ? route->strip_prefix : "",
				     .add = route->add_prefix != NULL ? route->add_prefix : ""};
}

void gw_rewrite_begin(struct gw_rewrite *rewrite, const struct config_route *route, struct http_span outer,
		      const struct config_upstream *upstream, const char *server)
{
	struct http_mapping *map = &rewrite->map;

	*map = gw_rewrite_paths(route);
	map->outer = copy(rewrite->outer, outer);
	map->server = copy(rewrite->server, authority_of(server, &map->tls));
	if (upstream->host != NULL)
		map->inner = (struct http_span){upstream->host, strlen(upstream->host)};
	else
		map->inner = copy(rewrite->inner, upstream->host_of_server ? map->server : map->outer);
}

void gw_rewrite_request_line(const struct http_request *head, const struct config_route *route,
			     struct http_writer *writer)
{
	const struct http_mapping paths = gw_rewrite_paths(route);
	char target[HTTP_ORIGIN_MAX + HTTP_MAPPED_MORE];
	size_t len = 0;

	if (paths.strip[0] == '\0' && paths.add[0] == '\0') {
		len = http_target_origin(head, target);
	} else if (!http_map_path(&paths, head->path, target, &len)) {
		writer->overflow = true; /* must not be sent in another form than the one that was judged */
	} else if (head->query.at != NULL) {
		target[len++] = '?';
		memcpy(target + len, head->query.at, head->query.len);
		len += head->query.len;
	}
	http_write_request_line(writer, head->method, (struct http_span){target, len});
}

static struct http_prefixes prefixes_of(const struct config_route *route, const struct config_route *own)
{
	const struct http_mapping paths = gw_rewrite_paths(route != NULL ? route : own);

	return (struct http_prefixes){paths.strip, paths.add};
}

void gw_rewrite_targets(struct gw_rewrite *rewrite, const struct config_route *route, const struct gw_targets *targets)
{
	rewrite->destination = prefixes_of(targets->destination, route);
	for (size_t i = 0; i < HTTP_IF_TAGS_MAX; i++)
		rewrite->tagged[i] = prefixes_of(targets->tagged[i], route);
}

static void write_if(const struct gw_rewrite *rewrite, const struct http_field *field, struct http_writer *writer)
{
	char mapped[HTTP_LINE_MAX + HTTP_IF_MAPPED_MORE];
	size_t len = 0;

	if (field->value.len <= HTTP_LINE_MAX &&
	    http_map_if(&rewrite->map, rewrite->tagged, HTTP_IF_TAGS_MAX, field->value, mapped, &len))
		http_write_span(writer, field->name, (struct http_span){mapped, len});
	else
		http_write_span(writer, field->name, field->value);
}

typedef bool map_fn(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

static void write_mapped(const struct http_mapping *mapping, const struct http_field *field, map_fn *map,
			 struct http_writer *writer)
{
	char mapped[HTTP_LINE_MAX + HTTP_MAPPED_MORE];
	size_t len = 0;
	bool fits = map != NULL && field->value.len <= HTTP_LINE_MAX;

	if (fits && map(mapping, field->value, mapped, &len))
		http_write_span(writer, field->name, (struct http_span){mapped, len});
	else
		http_write_span(writer, field->name, field->value);
}

void gw_rewrite_request(const struct gw_rewrite *rewrite, const struct http_field *field, struct http_writer *writer)
{
	struct http_mapping mapping = rewrite->map;

	if (http_span_equal_nocase(field->name, "If")) {
		write_if(rewrite, field, writer);
		return;
	}
	if (!http_span_equal_nocase(field->name, "Destination")) {
		http_write_span(writer, field->name, field->value);
		return;
	}
	mapping.strip = rewrite->destination.strip;
	mapping.add = rewrite->destination.add;
	write_mapped(&mapping, field, http_map_destination, writer);
}

void gw_rewrite_response(const struct gw_rewrite *rewrite, const struct http_field *field, struct http_writer *writer)
{
	map_fn *map = NULL;

	if (http_span_equal_nocase(field->name, "Location") || http_span_equal_nocase(field->name, "Content-Location"))
		map = http_map_location;
	else if (http_span_equal_nocase(field->name, "Link"))
		map = http_map_link;
	else if (http_span_equal_nocase(field->name, "Refresh"))
		map = http_map_refresh;
	else if (http_span_equal_nocase(field->name, "Set-Cookie"))
		map = http_map_cookie;
	write_mapped(&rewrite->map, field, map, writer);
}
