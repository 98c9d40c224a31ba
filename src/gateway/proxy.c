#include "gateway/proxy.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/forward.h"
#include "gateway/pin.h"

#define CONNECTS_MAX 17 /* attempts for one server: a lookup, and 16 addresses */

void gw_proxy_give(struct gw_proxy *proxy, enum gw_leg_end end, uint64_t now_ms)
{
	if (proxy->leg != NULL)
		proxy->legs->ops->give(&proxy->leg, end, now_ms);
	proxy->connected = false;
	pace_stop(&proxy->pace);
}

void gw_proxy_count(struct gw_proxy *proxy, enum board_outcome outcome)
{
	struct gw_request *request = proxy->conn->request;

	request->server = proxy->leg != NULL ? proxy->legs->ops->server(proxy->leg) : NULL;
	request->server_ms = proxy->conn->now_ms - proxy->began_ms;
	if (request->server != NULL)
		board_upstream(proxy->conn->gateway->env.board, proxy->upstream, request->server, outcome,
			       request->server_ms);
}

size_t gw_proxy_notice(const struct gw_conn *conn)
{
	return GW_NOTICE_UPSTREAM + (size_t)(conn->request->proxy->upstream - conn->gateway->config->upstreams);
}

void gw_proxy_free(struct gw_proxy **proxy)
{
	struct gw_proxy *gone = *proxy;

	*proxy = NULL;
	if (gone == NULL)
		return;
	gw_proxy_give(gone, GW_LEG_DROP, gone->conn->now_ms);
	buffer_free(&gone->unsent);
	buffer_free(&gone->head);
	http_trailers_free(&gone->trailers);
	free(gone);
}

static void wake(void *arg)
{
	struct gw_conn *conn = arg;

	if (conn->wake != NULL)
		conn->wake(conn->wake_arg);
}

/* Begins an attempt. False: no memory. */
static bool take(struct gw_conn *conn, struct gw_proxy *proxy, bool fresh)
{
	proxy->leg = fresh ? NULL : gw_pin_take(conn, proxy->upstream);
	proxy->pinned = proxy->leg != NULL || gw_pin_by_request(&conn->request->head);
	if (proxy->leg == NULL)
		proxy->leg =
			proxy->legs->ops->take(proxy->legs->pool, proxy->upstream, fresh, wake, conn, conn->now_ms);
	proxy->connected = false;
	proxy->up = GW_UP_HEAD;
	return proxy->leg != NULL;
}

enum gw_step gw_proxy_begin(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	struct gw_proxy *proxy = calloc(1, sizeof(*proxy));

	if (proxy == NULL)
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	request->proxy = proxy;
	proxy->conn = conn;
	proxy->upstream = &conn->gateway->config->upstreams[request->route->config->proxy];
	proxy->legs = &conn->gateway->env.legs;
	proxy->began_ms = conn->now_ms;
	proxy->continue_ms = THAW_NEVER;
	pace_stop(&proxy->pace);
	proxy->upgrade = gw_forward_is_upgrade(&request->head, request->route->config);
	if (request->then.answer_continue && request->body.received == 0 && request->in.at == request->in.len) {
		proxy->expects = true;
		request->then.answer_continue = false;
	}
	if (proxy->legs->ops == NULL || !take(conn, proxy, false))
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	return GW_MOVED;
}

/* RFC 9110 9.2.2, and nothing that cannot be sent once more has gone. */
static bool repeatable(const struct gw_conn *conn)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", NULL};
	const struct gw_proxy *proxy = conn->request->proxy;

	if (proxy->retries >= GW_RETRIES || proxy->heard || proxy->body_taken > 0)
		return false;
	if (proxy->up == GW_UP_HEAD)
		return true;
	for (const char *const *method = methods; *method != NULL; method++)
		if (http_span_equal(conn->request->head.method, *method))
			return true;
	return false;
}

void gw_proxy_server_gone(struct gw_conn *conn, const char *how)
{
	struct gw_proxy *proxy = conn->request->proxy;
	const char *server = proxy->legs->ops->server(proxy->leg);
	bool used = proxy->legs->ops->used(proxy->leg);

	gw_notice(conn->gateway, gw_proxy_notice(conn), used ? CONFIG_LOG_DEBUG : CONFIG_LOG_WARNING, conn->now_ms,
		  "upstream %s, %s: %s", proxy->upstream->name, server, how);
	bool again = repeatable(conn);
	if (!used || !again)
		gw_proxy_count(proxy, BOARD_FAILED);
	/* That a server ends a connection which was idle is no failure of its. */
	gw_proxy_give(proxy, used ? GW_LEG_DROP : GW_LEG_FAIL, conn->now_ms);
	if (!again) {
		conn->request->note = how;
		(void)gw_refuse(conn, GW_PROBLEM_UPSTREAM, NULL);
		return;
	}
	proxy->retries++;
	buffer_free(&proxy->unsent);
	if (!take(conn, proxy, true))
		(void)gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
}

/* ---- up ---- */

/* How much the server took; 0: it blocks, or is dead. */
static size_t put(struct gw_conn *conn, const char *bytes, size_t len)
{
	struct gw_proxy *proxy = conn->request->proxy;
	ssize_t n = proxy->server.ops->write(proxy->server.io, bytes, len);

	if (n == TRANSPORT_BROKEN || n == TRANSPORT_END) {
		proxy->up = GW_UP_DEAD; /* perhaps it has answered already, and closed */
		return 0;
	}
	if (n < 0)
		return 0;
	proxy->just_sent = true;
	conn->work += (size_t)n;
	pace_progress(&proxy->pace, (uint64_t)n, conn->now_ms);
	return (size_t)n;
}

bool gw_proxy_send(struct gw_conn *conn, const char *bytes, size_t len)
{
	struct gw_proxy *proxy = conn->request->proxy;
	size_t taken = put(conn, bytes, len);

	if (taken == len || proxy->up == GW_UP_DEAD)
		return true;
	return buffer_append(&proxy->unsent, GW_PACK_MAX, bytes + taken, len - taken);
}

bool gw_proxy_send_kept(struct gw_conn *conn, struct gw_waits *waits)
{
	struct gw_proxy *proxy = conn->request->proxy;
	size_t taken = put(conn, buffer_first(&proxy->unsent), buffer_left(&proxy->unsent));

	buffer_consume(&proxy->unsent, taken);
	if (buffer_left(&proxy->unsent) == 0 || proxy->up == GW_UP_DEAD) {
		buffer_free(&proxy->unsent);
		return true;
	}
	waits->server_write = true;
	return taken > 0;
}

/* ---- both ---- */

static void run_pace(struct pace *pace, bool owes, uint64_t limit_ms, uint64_t now_ms)
{
	if (!owes)
		pace_stop(pace);
	else if (pace->deadline_ms == THAW_NEVER)
		pace_start(pace, limit_ms, now_ms);
}

/* Each side's time runs only while the exchange waits for that side. */
static void run_paces(struct gw_conn *conn, const struct gw_waits *waits)
{
	struct gw_proxy *proxy = conn->request->proxy;
	bool sending = proxy->up <= GW_UP_BODY;
	bool server = waits->server_write ||
		      (waits->server_read && !(sending && (waits->client_read || waits->client_write)));
	uint64_t limit_ms = proxy->upstream->response_timeout_ms;

	if (conn->state == GW_TUNNEL)
		return;
	if (waits->server_connect) {
		server = true; /* the pool has deadlines of its own, of each attempt */
		limit_ms = (CONNECTS_MAX * proxy->upstream->server_count + 1) * proxy->upstream->connect_timeout_ms;
	}
	run_pace(&proxy->pace, server, limit_ms, conn->now_ms);
	run_pace(&conn->pace, !server, gw_states[conn->state].limit_ms, conn->now_ms);
}

enum gw_step gw_proxy_drive(struct gw_conn *conn, gw_flow_fn *up, gw_flow_fn *down)
{
	struct gw_proxy *proxy = conn->request->proxy;
	enum gw_state was = conn->state;
	struct gw_waits waits = {0};

	if (up(conn, &waits) || conn->state != was)
		return GW_MOVED;
	if (down(conn, &waits) || conn->state != was)
		return GW_MOVED;
	proxy->just_sent = false;
	run_paces(conn, &waits);
	conn->wants.read = conn->wants.read || waits.client_read;
	conn->wants.write = conn->wants.write || waits.client_write || gw_unwritten(conn);
	if (proxy->connected)
		proxy->legs->ops->watch(proxy->leg, waits.server_read, waits.server_write);
	return GW_WAIT;
}

/* False: not connected yet, or the request is over. */
static bool connected(struct gw_conn *conn, enum gw_step *step)
{
	struct gw_proxy *proxy = conn->request->proxy;
	struct gw_waits waits = {.server_connect = true};
	struct thaw_error err = {0};

	if (proxy->connected)
		return true;
	switch (proxy->legs->ops->ready(proxy->leg, conn->now_ms, &err)) {
	case THAW_OK:
		proxy->connected = true;
		proxy->server = proxy->legs->ops->transport(proxy->leg);
		pace_stop(&proxy->pace);
		return true;
	case THAW_WANT_READ:
	case THAW_WANT_WRITE:
		run_paces(conn, &waits);
		*step = GW_WAIT;
		return false;
	case THAW_CLOSED:
	case THAW_FAILED:
		break;
	}
	gw_notice(conn->gateway, gw_proxy_notice(conn), CONFIG_LOG_WARNING, conn->now_ms, "upstream %s: %s",
		  proxy->upstream->name, err.text);
	conn->request->note = "no server of the upstream could be reached";
	*step = gw_refuse(conn, err.cls == THAW_ERR_TIMEOUT ? GW_PROBLEM_UPSTREAM_SLOW : GW_PROBLEM_UPSTREAM_AWAY,
			  NULL);
	return false;
}

enum gw_step gw_proxy_pass(struct gw_conn *conn)
{
	enum gw_step step = GW_MOVED;

	if (!connected(conn, &step))
		return step;
	return gw_proxy_drive(conn, gw_proxy_up, gw_proxy_down_head);
}

uint64_t gw_proxy_deadline(const struct gw_proxy *proxy)
{
	return proxy->continue_ms < proxy->pace.deadline_ms ? proxy->continue_ms : proxy->pace.deadline_ms;
}

void gw_proxy_overdue(struct gw_conn *conn)
{
	struct gw_proxy *proxy = conn->request->proxy;

	if (conn->now_ms >= proxy->continue_ms) {
		proxy->continue_ms = THAW_NEVER;
		proxy->expects = false;
		(void)gw_continue(conn);
		return;
	}
	gw_notice(conn->gateway, gw_proxy_notice(conn), CONFIG_LOG_WARNING, conn->now_ms,
		  "upstream %s, %s: nothing for %llu ms", proxy->upstream->name, proxy->legs->ops->server(proxy->leg),
		  (unsigned long long)proxy->pace.limit_ms);
	if (conn->state == GW_PASS)
		gw_proxy_count(proxy, BOARD_TIMED_OUT);
	gw_proxy_give(proxy, GW_LEG_FAIL, conn->now_ms);
	if (conn->state == GW_PASS) {
		conn->request->note = "the upstream did not answer in time";
		(void)gw_refuse(conn, GW_PROBLEM_UPSTREAM_SLOW, NULL);
	} else {
		(void)gw_cut(conn, "the upstream stopped in the middle of its response");
	}
}
