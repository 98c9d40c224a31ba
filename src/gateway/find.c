#include "gateway/find.h"

#include "gateway/answer.h"
#include "gateway/judge.h"
#include "http/interpret.h"
#include "http/syntax.h"
#include "http/target.h"

/* Whether the request is for the host that the connection was made to. */
static bool is_for_host(const struct gateway *gateway, const struct gw_host *to, const struct http_request *head)
{
	char host[HTTP_HOST_MAX + 1];

	return http_host_text(head, host) == 0 || tls_server_host(gateway->tls, host) == to - gateway->routes.hosts;
}

static enum gw_finding problem(struct gw_found *found, enum gw_problem problem)
{
	found->problem = problem;
	return GW_FOUND_PROBLEM;
}

/* A service would get a call without HTTP/2's trailers, or refuse HTTP/1.1. */
static bool is_grpc(const struct http_request *head)
{
	const struct http_field *type = http_field_find(head, "Content-Type");

	return type != NULL && http_is_grpc(type->value);
}

/* What the settings make of a request that was read. */
static enum gw_finding conclude(const struct http_request *head, enum gw_choice choice, struct gw_found *found)
{
	switch (choice) {
	case GW_CHOSEN:
		if (head->framing == HTTP_BODY_LENGTH && head->length > found->route->config->max_request_body)
			return problem(found, GW_PROBLEM_BODY_SIZE);
		if (found->route->config->upstream == CONFIG_PROXY && is_grpc(head))
			return problem(found, GW_PROBLEM_GRPC);
		return GW_FOUND_ROUTE;
	case GW_REFUSED:
		return problem(found, GW_PROBLEM_MALFORMED);
	case GW_UNCLEAR:
		return problem(found, GW_PROBLEM_UNCLEAR_PATH);
	case GW_NO_ROUTE:
		break;
	}
	return problem(found, GW_PROBLEM_NO_ROUTE);
}

enum gw_finding gw_find(const struct gateway *gateway, const struct gw_host *host, const struct gw_client *client,
			struct http_request *head, struct gw_found *found)
{
	struct gw_judged judged = {.route = NULL};
	enum gw_choice choice = GW_NO_ROUTE;
	uint64_t hops = 0;

	*found = (struct gw_found){.route = NULL};
	if (!is_for_host(gateway, host, head))
		return problem(found, GW_PROBLEM_MISDIRECTED);
	if (http_max_forwards(head, &hops) == HTTP_FORWARDS_BAD) {
		(void)http_refuse(&found->refusal, 400, "the value of Max-Forwards is not a single number");
		return problem(found, GW_PROBLEM_MALFORMED);
	}
	bool options = http_span_equal(head->path, "*");
	if (!options) {
		http_target_merge_front(head);
		choice = gw_judge(host, head, &judged);
		found->route = judged.route;
		found->targets = judged.targets;
		found->refusal = judged.refusal;
		found->work = judged.work;
	}
	found->access = choice == GW_CHOSEN ? &found->route->config->access : &host->config->access;
	if (!client->any && !gw_access(found->access, client->address))
		return problem(found, GW_PROBLEM_ADDRESS);
	return options ? GW_FOUND_OPTIONS : conclude(head, choice, found);
}

bool gw_find_route(struct gw_stream *stream, enum gw_step *step)
{
	const struct gw_client client = {.address = gw_conn_peer(stream->conn)};
	struct gw_found found;
	struct gw_reply options = {.status = 204};

	enum gw_finding finding = gw_find(stream->gateway, gw_conn_host(stream->conn), &client, &stream->head, &found);
	bool refused = finding == GW_FOUND_PROBLEM && found.problem == GW_PROBLEM_ADDRESS;
	stream->conn->work += found.work;
	stream->route = found.route;
	stream->targets = found.targets;
	if (found.access != NULL && !refused && !gw_count(stream, found.access)) {
		*step = gw_refuse(stream, GW_PROBLEM_RATE, NULL);
		return false;
	}
	switch (finding) {
	case GW_FOUND_ROUTE:
		return true;
	case GW_FOUND_OPTIONS:
		*step = gw_answer(stream, &options, !stream->body.ended);
		return false;
	case GW_FOUND_PROBLEM:
		break;
	}
	*step = gw_refuse(stream, found.problem, found.problem == GW_PROBLEM_MALFORMED ? &found.refusal : NULL);
	return false;
}
