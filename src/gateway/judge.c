#include "gateway/judge.h"

#include "gateway/rewrite.h"
#include "http/syntax.h"

static enum gw_choice refuse(struct http_refusal *refusal, unsigned status, const char *why)
{
	(void)http_refuse(refusal, status, why);
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

/* Which route the request would have with that path, and method; an empty one: its own. */
static enum gw_choice choose(struct gw_stream *stream, struct http_span path, struct http_span method,
			     const struct gw_route **route, struct http_refusal *refusal)
{
	const struct gw_host *host = gw_conn_host(stream->conn);
	struct http_request other = stream->head;

	other.path = path;
	if (method.len > 0)
		other.method = method;
	stream->conn->work += gw_choice_work(host, &other);
	return gw_choose(host, &other, route, refusal);
}

/*
 * The path that the service gets may be one that another route to the same service guards. That route's demands must be
 * met, too.
 */
static enum gw_choice judge_sent(struct gw_stream *stream, struct http_refusal *refusal)
{
	const struct config_route *config = stream->route->config;
	const struct http_mapping paths = gw_rewrite_paths(config);
	const struct gw_route *other = NULL;
	char sent[HTTP_LINE_MAX + HTTP_MAPPED_MORE];
	size_t len = 0;

	if (!http_map_path(&paths, stream->head.path, sent, &len))
		return refuse(refusal, 400, "a path that spells the beginning that its route strips in another way");
	if (!gw_conn_host(stream->conn)->mixed)
		return GW_CHOSEN;
	if (len > HTTP_LINE_MAX)
		return refuse(refusal, 414, "the path is too long");
	enum gw_choice choice =
		choose(stream, (struct http_span){sent, len}, (struct http_span){NULL, 0}, &other, refusal);
	if (choice == GW_NO_ROUTE)
		return GW_CHOSEN;
	if (choice != GW_CHOSEN || !same_service(config, other->config) || has_prefix(other->config))
		return choice;
	return gw_route_is_stricter(stream->route, other) ? GW_CHOSEN : GW_UNCLEAR;
}

/* By one method. */
static enum gw_choice judge_target(struct gw_stream *stream, struct http_span path, struct http_span method,
				   struct http_refusal *refusal)
{
	const struct gw_route *other = NULL;
	enum gw_choice choice = choose(stream, path, method, &other, refusal);

	if (choice != GW_CHOSEN)
		return choice;
	if (!same_service(stream->route->config, other->config))
		return refuse(refusal, 502, "a Destination that belongs to another service");
	return gw_route_is_stricter(stream->route, other) ? GW_CHOSEN : GW_UNCLEAR;
}

/*
 * COPY and MOVE write to their Destination (RFC 4918 10.3) as a PUT would. Services differ in whether they look at its
 * host at all: where routes differ in their demands, it counts as this one.
 */
static enum gw_choice judge_destination(struct gw_stream *stream, struct http_span value, struct http_refusal *refusal)
{
	static const struct http_span own = {NULL, 0}, put = {"PUT", 3};
	const struct http_mapping paths = gw_rewrite_paths(stream->route->config);
	char unused[HTTP_LINE_MAX + HTTP_MAPPED_MORE];
	struct http_reference reference;
	size_t len = 0;

	if (!gw_conn_host(stream->conn)->mixed && !has_prefix(stream->route->config))
		return GW_CHOSEN;
	if (!http_reference_parse(value, &reference) || reference.path.len == 0)
		return refuse(refusal, 400, "a Destination that is neither a URL nor an absolute path");
	if (!http_map_path(&paths, reference.path, unused, &len))
		return refuse(refusal, 502, "a Destination without the beginning that its route strips");
	enum gw_choice choice = judge_target(stream, reference.path, own, refusal);
	return choice == GW_CHOSEN ? judge_target(stream, reference.path, put, refusal) : choice;
}

enum gw_choice gw_judge(struct gw_stream *stream, struct http_refusal *refusal)
{
	const struct http_request *head = &stream->head;
	const struct gw_host *host = gw_conn_host(stream->conn);
	enum gw_choice choice = gw_choose(host, head, &stream->route, refusal);
	size_t count = 0;

	stream->conn->work += gw_choice_work(host, head);
	if (choice == GW_CHOSEN && stream->route->config->upstream != CONFIG_PROXY)
		return choice;
	if (choice == GW_CHOSEN && has_prefix(stream->route->config))
		choice = judge_sent(stream, refusal);
	for (size_t i = 0; choice == GW_CHOSEN && i < head->field_count; i++) {
		if (!http_span_equal_nocase(head->fields[i].name, "Destination"))
			continue;
		choice = count++ > 0 ? refuse(refusal, 400, "more than one Destination")
				     : judge_destination(stream, head->fields[i].value, refusal);
	}
	if (choice != GW_CHOSEN)
		stream->route = NULL;
	return choice;
}
