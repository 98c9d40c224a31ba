/* Host, path, method: which route a request belongs to, and what is answered before there is one. */
#include "gateway/find.h"
#include "gateway/answer.h"
#include "gateway/judge.h"
#include "http/meaning.h"
#include "http/syntax.h"
#include "http/target.h"

/* Whether the request is for the host that the connection was made to. */
static bool is_for_host(const struct gw_stream *stream)
{
	struct http_span name = stream->head.host;
	char host[HTTP_HOST_MAX + 1];
	size_t len = 0;

	for (; len < name.len && len < HTTP_HOST_MAX; len++) {
		char c = name.at[len];
		host[len] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	if (len > 1 && host[len - 1] == '.')
		len--; /* a fully qualified spelling of the same name */
	host[len] = '\0';
	return len == 0 || tls_server_host(stream->gateway->tls, host) == tls_link_host(stream->conn->tls);
}

/* OPTIONS *: about the gateway, not about a resource or its service (RFC 9110 9.3.7). */
static enum gw_step answer_options(struct gw_stream *stream)
{
	struct gw_reply reply = {.status = 204};

	return gw_answer(stream, &reply, !stream->body.ended);
}

static enum gw_step refuse_choice(struct gw_stream *stream, enum gw_choice choice, const struct http_refusal *refusal)
{
	if (choice == GW_REFUSED)
		return gw_refuse(stream, GW_PROBLEM_MALFORMED, refusal);
	return gw_refuse(stream, choice == GW_UNCLEAR ? GW_PROBLEM_UNCLEAR_PATH : GW_PROBLEM_NO_ROUTE, NULL);
}

bool gw_find_route(struct gw_stream *stream, enum gw_step *step)
{
	struct http_refusal refusal = {0};
	uint64_t hops = 0;

	if (!is_for_host(stream)) {
		*step = gw_refuse(stream, GW_PROBLEM_MISDIRECTED, NULL);
		return false;
	}
	if (http_max_forwards(&stream->head, &hops) == HTTP_FORWARDS_BAD) {
		(void)http_refuse(&refusal, 400, "a Max-Forwards that is not one number");
		*step = gw_refuse(stream, GW_PROBLEM_MALFORMED, &refusal);
		return false;
	}
	if (http_span_equal(stream->head.path, "*")) {
		*step = answer_options(stream);
		return false;
	}
	http_target_merge_front(&stream->head);
	enum gw_choice choice = gw_judge(stream, &refusal);
	if (choice != GW_CHOSEN)
		*step = refuse_choice(stream, choice, &refusal);
	return choice == GW_CHOSEN;
}
