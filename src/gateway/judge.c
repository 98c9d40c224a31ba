#include "gateway/judge.h"

#include <string.h>

#include "gateway/inner.h"
#include "gateway/rewrite.h"
#include "http/syntax.h"

/* The request and the results. */
struct inquiry {
	const struct gw_host *host;
	const struct http_request *head;
	struct gw_judged *judged;
};

static enum gw_choice refuse(const struct inquiry *inquiry, unsigned status, const char *why)
{
	(void)http_refuse(&inquiry->judged->refusal, status, why);
	return GW_REFUSED;
}

static bool has_prefix(const struct config_route *route)
{
	return route->strip_prefix != NULL || route->add_prefix != NULL;
}

static bool same_service(const struct config_route *a, const struct config_route *b)
{
	return a->upstream == b->upstream && (a->upstream != CONFIG_PROXY || a->proxy == b->proxy);
}

/* Finds the route that the request would have with that path and method. Empty method: the request's own. */
static enum gw_choice choose(const struct inquiry *inquiry, struct http_span path, struct http_span method,
			     const struct gw_route **route)
{
	struct http_request other = *inquiry->head;

	other.path = path;
	if (method.len > 0)
		other.method = method;
	inquiry->judged->work += gw_choice_work(inquiry->host, &other);
	return gw_choose(inquiry->host, &other, route, &inquiry->judged->refusal);
}

/* Whether the path that the service gets is also one that clients may name themselves, by a route without prefixes. */
static enum gw_choice judge_as_named(const struct inquiry *inquiry, struct http_span sent, struct http_span method)
{
	const struct config_route *config = inquiry->judged->route->config;
	const struct gw_route *other = NULL;
	enum gw_choice choice = choose(inquiry, sent, method, &other);

	if (choice == GW_NO_ROUTE)
		return GW_CHOSEN;
	if (choice != GW_CHOSEN || !same_service(config, other->config) || has_prefix(other->config))
		return choice;
	return gw_route_is_stricter(inquiry->judged->route, other) ? GW_CHOSEN : GW_UNCLEAR;
}

/*
 * Whether another route leads to the path that the service gets, by other prefixes. Only a route that is for a part of
 * what this one reaches counts: if two routes are for the same path, the operator wants both ways to it.
 */
static enum gw_choice judge_by_prefixes(const struct inquiry *inquiry, const struct config_route *by,
					struct http_span sent, struct http_span method)
{
	const struct gw_inner *inner = gw_inner_of(inquiry->host, by);
	struct http_request head = *inquiry->head;
	const struct gw_route *other = NULL;

	if (inner == NULL)
		return GW_CHOSEN;
	head.path = sent;
	if (method.len > 0)
		head.method = method;
	inquiry->judged->work += gw_choice_work(&inner->host, &head);
	enum gw_choice choice = gw_choose(&inner->host, &head, &other, &inquiry->judged->refusal);
	if (choice == GW_NO_ROUTE)
		return GW_CHOSEN;
	if (choice != GW_CHOSEN || gw_inner_is_same(inner, (size_t)(by - inquiry->host->config->routes), other))
		return choice;
	return gw_route_is_stricter(inquiry->judged->route, other) ? GW_CHOSEN : GW_UNCLEAR;
}

/*
 * The prefixes of routes change the paths that a service gets. Another route to the same service may protect that path.
 * Then the request's own route must require at least as much. by: the route with the prefixes for this path.
 */
static enum gw_choice judge_sent(const struct inquiry *inquiry, const struct config_route *by, struct http_span path,
				 struct http_span method)
{
	const struct http_mapping paths = gw_rewrite_paths(by);
	enum gw_choice choice = GW_CHOSEN;
	char text[HTTP_PATH_MAX + HTTP_MAPPED_MORE];
	size_t len = 0;

	if (!http_map_path(&paths, path, text, &len))
		return refuse(inquiry, 400, "the path does not begin exactly with the strip_prefix of its route");
	if (!inquiry->host->mixed)
		return GW_CHOSEN;
	if (len > HTTP_PATH_MAX)
		return refuse(inquiry, 414, "the path is too long");
	struct http_span sent = {text, len};
	if (has_prefix(by))
		choice = judge_as_named(inquiry, sent, method);
	return choice == GW_CHOSEN ? judge_by_prefixes(inquiry, by, sent, method) : choice;
}

/* Judges the Destination, or a resource of the If, for one method. */
static enum gw_choice judge_target(const struct inquiry *inquiry, struct http_span path, struct http_span method,
				   const struct gw_route **route)
{
	enum gw_choice choice = choose(inquiry, path, method, route);

	if (choice != GW_CHOSEN)
		return choice;
	if (!same_service(inquiry->judged->route->config, (*route)->config))
		return refuse(inquiry, 502, "the Destination, or a resource in If, belongs to another service");
	if (!gw_route_is_stricter(inquiry->judged->route, *route))
		return GW_UNCLEAR;
	return inquiry->host->prefixed ? judge_sent(inquiry, (*route)->config, path, method) : GW_CHOSEN;
}

static bool same_prefixes(const struct config_route *a, const struct config_route *b)
{
	const struct http_mapping of_a = gw_rewrite_paths(a), of_b = gw_rewrite_paths(b);

	return strcmp(of_a.strip, of_b.strip) == 0 && strcmp(of_a.add, of_b.add) == 0;
}

/*
 * COPY and MOVE write to their Destination (RFC 4918 10.3), as PUT does. The Destination has its own path, with the
 * prefixes of its own route. Not all services check the host of the Destination. So if routes have different
 * requirements, the Destination counts as a path on this host.
 */
static enum gw_choice judge_destination(const struct inquiry *inquiry, struct http_span value)
{
	static const struct http_span own = {NULL, 0}, put = {"PUT", 3};
	const struct gw_route *route = NULL, *for_put = NULL;
	struct http_reference reference;

	if (!inquiry->host->mixed && !inquiry->host->prefixed)
		return GW_CHOSEN;
	if (!http_reference_parse(value, &reference) || reference.path.len == 0)
		return refuse(inquiry, 400, "the Destination is neither a URL nor an absolute path");
	if (reference.path.len > HTTP_PATH_MAX)
		return refuse(inquiry, 400, "the path in Destination is too long");
	enum gw_choice choice = judge_target(inquiry, reference.path, own, &route);
	if (choice == GW_CHOSEN)
		choice = judge_target(inquiry, reference.path, put, &for_put);
	if (choice != GW_CHOSEN)
		return choice;
	inquiry->judged->targets.destination = route->config;
	return same_prefixes(route->config, for_put->config) ? GW_CHOSEN : GW_UNCLEAR;
}

/* A resource of the If: the response says whether its state is the given one, so it is read. */
static enum gw_choice judge_tag(const struct inquiry *inquiry, struct http_span tag, const struct config_route **by)
{
	static const struct http_span own = {NULL, 0}, get = {"GET", 3};
	const struct gw_route *route = NULL, *for_get = NULL;
	const struct http_span *path = &inquiry->head->path;
	struct http_reference reference;

	if (!http_reference_parse(tag, &reference) || reference.path.len == 0)
		return refuse(inquiry, 400, "a resource in If is neither a URL nor an absolute path");
	if (reference.path.len > HTTP_PATH_MAX)
		return refuse(inquiry, 400, "a path in If is too long");
	*by = inquiry->judged->route->config;
	if (reference.path.len == path->len && memcmp(reference.path.at, path->at, path->len) == 0)
		return GW_CHOSEN;
	enum gw_choice choice = judge_target(inquiry, reference.path, own, &route);
	if (choice == GW_CHOSEN)
		choice = judge_target(inquiry, reference.path, get, &for_get);
	if (choice != GW_CHOSEN)
		return choice;
	*by = route->config;
	return same_prefixes(route->config, for_get->config) ? GW_CHOSEN : GW_UNCLEAR;
}

/* RFC 4918 10.4: conditions on this resource and on others, with their lock tokens. */
static enum gw_choice judge_if(const struct inquiry *inquiry, struct http_span value)
{
	enum gw_choice choice = GW_CHOSEN;
	struct http_span tag;
	struct http_if reader;
	size_t count = 0;

	if (!inquiry->host->mixed && !inquiry->host->prefixed)
		return GW_CHOSEN;
	http_if_begin(&reader, value);
	while (choice == GW_CHOSEN && http_if_next(&reader, &tag)) {
		if (count == HTTP_IF_TAGS_MAX)
			return refuse(inquiry, 400, "the If names too many resources");
		choice = judge_tag(inquiry, tag, &inquiry->judged->targets.tagged[count++]);
	}
	return choice == GW_CHOSEN && reader.bad ? refuse(inquiry, 400, "the If is malformed") : choice;
}

/* Judges what the fields name. */
static enum gw_choice judge_fields(const struct inquiry *inquiry)
{
	const struct http_request *head = inquiry->head;
	enum gw_choice choice = GW_CHOSEN;
	size_t destinations = 0, ifs = 0;

	for (size_t i = 0; choice == GW_CHOSEN && i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		if (http_span_is(field->name, "Destination"))
			choice = destinations++ > 0 ? refuse(inquiry, 400, "the request has more than one Destination")
						    : judge_destination(inquiry, field->value);
		else if (http_span_is(field->name, "If"))
			choice = ifs++ > 0 ? refuse(inquiry, 400, "the request has more than one If")
					   : judge_if(inquiry, field->value);
	}
	return choice;
}

enum gw_choice gw_judge(const struct gw_host *host, const struct http_request *head, struct gw_judged *judged)
{
	const struct inquiry inquiry = {host, head, judged};

	*judged = (struct gw_judged){.work = gw_choice_work(host, head)};
	enum gw_choice choice = gw_choose(host, head, &judged->route, &judged->refusal);
	if (choice == GW_CHOSEN && judged->route->config->upstream != CONFIG_PROXY)
		return choice;
	if (choice == GW_CHOSEN && host->prefixed)
		choice = judge_sent(&inquiry, judged->route->config, head->path, (struct http_span){NULL, 0});
	if (choice == GW_CHOSEN)
		choice = judge_fields(&inquiry);
	if (choice != GW_CHOSEN)
		judged->route = NULL;
	return choice;
}
