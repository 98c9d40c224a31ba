/* Host, path, method: which route a request belongs to, and what is answered before there is one. */
#include "gateway/choose.h"
#include "gateway/conn.h"
#include "http/meaning.h"
#include "http/syntax.h"
#include "http/target.h"

/* Whether the request is for the host that the connection was made to. */
static bool is_for_host(const struct gw_conn *conn)
{
	struct http_span name = conn->request->head.host;
	char host[HTTP_HOST_MAX + 1];
	size_t len = 0;

	for (; len < name.len && len < HTTP_HOST_MAX; len++) {
		char c = name.at[len];
		host[len] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	if (len > 1 && host[len - 1] == '.')
		len--; /* a fully qualified spelling of the same name */
	host[len] = '\0';
	return len == 0 || tls_server_host(conn->gateway->tls, host) == tls_link_host(conn->tls);
}

/* OPTIONS *: about the gateway, not about a resource or its service (RFC 9110 9.3.7). */
static enum gw_step answer_options(struct gw_conn *conn)
{
	struct gw_reply reply = {.status = 204};

	return gw_answer(conn, &reply, !conn->request->body.ended);
}

static enum gw_step refuse_choice(struct gw_conn *conn, enum gw_choice choice, const struct http_refusal *refusal)
{
	if (choice == GW_REFUSED)
		return gw_refuse(conn, GW_PROBLEM_MALFORMED, refusal);
	return gw_refuse(conn, choice == GW_UNCLEAR ? GW_PROBLEM_UNCLEAR_PATH : GW_PROBLEM_NO_ROUTE, NULL);
}

bool gw_find_route(struct gw_conn *conn, enum gw_step *step)
{
	struct gw_request *request = conn->request;
	struct http_refusal refusal = {0};
	uint64_t hops = 0;

	if (!is_for_host(conn)) {
		*step = gw_refuse(conn, GW_PROBLEM_MISDIRECTED, NULL);
		return false;
	}
	if (http_max_forwards(&request->head, &hops) == HTTP_FORWARDS_BAD) {
		(void)http_refuse(&refusal, 400, "a Max-Forwards that is not one number");
		*step = gw_refuse(conn, GW_PROBLEM_MALFORMED, &refusal);
		return false;
	}
	if (http_span_equal(request->head.path, "*")) {
		*step = answer_options(conn);
		return false;
	}
	http_target_merge_front(&request->head);
	conn->work += gw_choice_work(gw_conn_host(conn), &request->head);
	enum gw_choice choice = gw_choose(gw_conn_host(conn), &request->head, &request->route, &refusal);
	if (choice != GW_CHOSEN)
		*step = refuse_choice(conn, choice, &refusal);
	return choice == GW_CHOSEN;
}
