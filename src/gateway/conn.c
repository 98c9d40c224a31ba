#include "gateway/conn.h"
#include "ask/identity.h"
#include "base/require.h"
#include "gateway/pin.h"
#include "gateway/proxy_header.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define MESSAGE_MAX 640

void gw_say(const struct gateway *gateway, enum config_log_level level, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	if (gateway->env.message == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gateway->env.message(gateway->env.log_arg, level, text);
}

/*
 * RFC 9112 9.6: the client may still be sending when it is answered, and a reset would erase the answer. An alert of
 * TLS is as easily lost, but is much shorter than an upload that is refused.
 */
static void begin_linger(struct gw_conn *conn, bool answered)
{
	gw_records_close(conn);
	gw_request_free(&conn->request);
	gw_pins_free(conn);
	buffer_free(&conn->out);
	thaw_ask_end(conn->ask, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, conn->now_ms);
	if (tls_link_flooded(conn->tls) && thaw_conn_error(conn->ask)->cls != THAW_ERR_NONE) {
		char peer[GW_RECORD_ADDRESS];
		gw_record_address(conn->has_peer ? (const struct sockaddr *)&conn->peer : NULL, peer, sizeof(peer));
		gw_notice(conn->gateway, GW_NOTICE_FLOOD, CONFIG_LOG_INFO, conn->now_ms, "%s: connection closed: %s",
			  peer, thaw_conn_error(conn->ask)->text);
	}
	if (!conn->cut)
		tls_link_close_notify(conn->tls);
	conn->transport.ops->half_close(conn->transport.io);
	conn->linger_left = tls_link_flooded(conn->tls) ? GW_LINGER_FLOOD : answered ? GW_LINGER_BYTES : GW_ALERT_BYTES;
	conn->linger_end_ms = conn->now_ms + (answered ? GW_LINGER_MS : GW_ALERT_MS);
}

uint32_t gw_idle_limit_ms(const struct gw_conn *conn)
{
	return conn->retiring ? GW_RETIRE_MS : gw_states[GW_IDLE].limit_ms;
}

void gw_enter(struct gw_conn *conn, enum gw_state to)
{
	const uint32_t answers = GW_BIT(GW_REPLY) | GW_BIT(GW_RELAY) | GW_BIT(GW_TUNNEL);
	bool answered = (GW_BIT(conn->state) & answers) != 0;

	if (!require_transition((gw_states[conn->state].next & GW_BIT(to)) != 0, "conn", gw_states[conn->state].name,
				gw_states[to].name))
		to = GW_DEAD;
	trace_change(&conn->gateway->env.trace, "conn", gw_states[conn->state].name, gw_states[to].name, conn->now_ms);
	conn->state = to;
	if (to != GW_ASK)
		gw_hide_ask(conn);
	/* What is passed on, or answered, is not ended to make room. */
	if (!gw_states[to].by_ask && conn->request != NULL && conn->request->spool != NULL)
		thaw_spool_yield(conn->request->spool, 0, NULL, NULL);
	if (to == GW_IDLE || to == GW_HEAD)
		conn->waits_ms = conn->now_ms;
	if (to == GW_IDLE)
		pace_start(&conn->pace, gw_idle_limit_ms(conn), conn->now_ms);
	else if (gw_states[to].limit_ms != 0)
		pace_start(&conn->pace, gw_states[to].limit_ms, conn->now_ms);
	else
		pace_stop(&conn->pace);
	if (to == GW_LINGER)
		begin_linger(conn, answered);
	if (to == GW_DEAD)
		gw_records_close(conn);
}

static enum gw_step wait_read(struct gw_conn *conn)
{
	conn->wants.read = true;
	/* In the middle of a handshake nothing can be written, however much room there is. */
	conn->wants.write = gw_unwritten(conn) && thaw_can_write(conn->ask);
	return GW_WAIT;
}

enum gw_step gw_wait_write(struct gw_conn *conn)
{
	conn->wants.write = true;
	return GW_WAIT;
}

enum gw_step gw_blocked(struct gw_conn *conn, enum thaw_status status)
{
	switch (status) {
	case THAW_WANT_READ:
		return wait_read(conn);
	case THAW_WANT_WRITE:
		return gw_wait_write(conn);
	case THAW_FAILED:
		gw_say(conn->gateway, CONFIG_LOG_DEBUG, "connection ended: %s", thaw_conn_error(conn->ask)->text);
		gw_notice_unused(conn, thaw_conn_error(conn->ask)->text);
		break;
	case THAW_CLOSED:
		gw_notice_unused(conn, "closed by the client");
		break;
	case THAW_OK:
		break;
	}
	gw_enter(conn, GW_LINGER); /* so that an alert can be read, too */
	return GW_MOVED;
}

enum thaw_status gw_flush(struct gw_conn *conn)
{
	while (gw_unwritten(conn)) {
		size_t put = 0;
		enum thaw_status status = tls_link_write(conn->tls, buffer_first(&conn->out), buffer_left(&conn->out),
							 &put, &conn->gateway->err);
		if (status != THAW_OK)
			return status;
		buffer_consume(&conn->out, put);
		conn->work += put;
		pace_progress(&conn->pace, put, conn->now_ms);
	}
	buffer_free(&conn->out);
	return THAW_OK;
}

const struct gw_host *gw_conn_host(const struct gw_conn *conn)
{
	return &conn->gateway->routes.hosts[tls_link_host(conn->tls)];
}

/* The whole of an address, as far as it is used. */
static void copy_peer(struct gw_conn *conn, const struct sockaddr *peer)
{
	if (peer == NULL)
		return;
	conn->has_peer = true;
	if (peer->sa_family == AF_INET)
		memcpy(&conn->peer, peer, sizeof(struct sockaddr_in));
	else if (peer->sa_family == AF_INET6)
		memcpy(&conn->peer, peer, sizeof(struct sockaddr_in6));
	else
		conn->peer.any.sa_family = peer->sa_family;
}

struct gw_preface {
	size_t len;
	char data[GW_PROXY_HEADER_MAX];
};

static void drop_preface(struct gw_conn *conn)
{
	free(conn->preface);
	conn->preface = NULL;
}

/* TRANSPORT_END, or TRANSPORT_BROKEN. */
static const char *ended_by(ssize_t how)
{
	return how == TRANSPORT_END ? "closed by the client" : "reset by the client";
}

/* No answer to what is no header: there is nobody who could read it. */
static enum gw_step bad_preface(struct gw_conn *conn, const char *why)
{
	gw_notice_unused(conn, why);
	drop_preface(conn);
	gw_enter(conn, GW_DEAD);
	return GW_MOVED;
}

static enum gw_step out_of_memory(struct gw_conn *conn)
{
	gw_notice(conn->gateway, GW_NOTICE_MEMORY, CONFIG_LOG_ERROR, conn->now_ms, "out of memory for a connection");
	gw_notice_unused(conn, "out of memory");
	gw_enter(conn, GW_DEAD);
	return GW_MOVED;
}

/* Memory for the header is there only once some of it has come. */
static enum gw_step begin_preface(struct gw_conn *conn)
{
	ssize_t seen = conn->transport.ops->peek(conn->transport.io);

	if (seen == TRANSPORT_BLOCKED)
		return wait_read(conn);
	if (seen <= 0)
		return bad_preface(conn, ended_by(seen));
	conn->preface = malloc(sizeof(*conn->preface));
	if (conn->preface == NULL)
		return out_of_memory(conn);
	conn->preface->len = 0;
	return GW_MOVED;
}

static enum gw_step run_preface(struct gw_conn *conn)
{
	struct gw_preface *preface = conn->preface;
	struct gw_proxy_header header = {0};
	size_t used = 0;

	if (preface == NULL)
		return begin_preface(conn);
	switch (gw_proxy_header_parse(&header, preface->data, preface->len, &used)) {
	case GW_PROXY_HEADER_BAD:
		return bad_preface(conn, header.why);
	case GW_PROXY_HEADER_DONE:
		conn->named = header.has_source;
		if (header.has_source)
			copy_peer(conn, (const struct sockaddr *)&header.source);
		drop_preface(conn);
		gw_enter(conn, GW_SILENT);
		return GW_AGAIN; /* so that a client with too many connections is noticed before TLS costs anything */
	case GW_PROXY_HEADER_MORE:
		break;
	}
	size_t need = gw_proxy_header_need(preface->data, preface->len);
	ssize_t got = conn->transport.ops->read(conn->transport.io, preface->data + preface->len, need);
	if (got == TRANSPORT_BLOCKED)
		return wait_read(conn);
	if (got <= 0)
		return bad_preface(conn, ended_by(got));
	preface->len += (size_t)got;
	conn->work += (size_t)got;
	return GW_MOVED;
}

static bool begin_tls(struct gw_conn *conn)
{
	conn->tls = tls_link_new(conn->gateway->tls, conn->transport);
	if (conn->tls != NULL)
		conn->ask = thaw_conn_new(tls_link_ssl(conn->tls));
	if (conn->ask == NULL)
		return false;
	ask_on_settled(conn->ask, gw_ask_settled, conn);
	thaw_conn_trace(conn->ask, conn->gateway->env.trace.change, conn->gateway->env.trace.arg);
	tls_link_step(conn->tls);
	return true;
}

/* An SSL is much larger than all else that a connection needs, so it is made only once the client has sent something.
 */
static enum gw_step run_silent(struct gw_conn *conn)
{
	ssize_t seen = conn->transport.ops->peek(conn->transport.io);

	if (seen == TRANSPORT_BLOCKED)
		return wait_read(conn);
	if (seen > 0 && !begin_tls(conn))
		return out_of_memory(conn);
	if (seen <= 0)
		gw_notice_unused(conn, ended_by(seen));
	gw_enter(conn, seen > 0 ? GW_TLS : GW_DEAD);
	return GW_MOVED;
}

/* Once the certificate is asked for, a human may have to choose it, and to unlock its key: that has its own deadline.
 */
static void wait_for_human(struct gw_conn *conn)
{
	if (conn->human || !tls_link_asked(conn->tls))
		return;
	conn->human = true;
	uint64_t until_ms = conn->now_ms + gw_conn_host(conn)->handshake_ms;
	if (until_ms > conn->pace.deadline_ms)
		pace_start(&conn->pace, gw_conn_host(conn)->handshake_ms, conn->now_ms);
}

/* Why it was not finished in time, for the log. */
static const char *handshake_overdue(const struct gw_conn *conn)
{
	if (conn->human)
		return "the client did not answer the request for its certificate in time (client_certificate.timeout)";
	return tls_link_host(conn->tls) < 0 ? "no complete ClientHello came in time" : "not finished in time";
}

static enum gw_step run_tls(struct gw_conn *conn)
{
	enum thaw_status status = tls_link_handshake(conn->tls, &conn->gateway->err);

	wait_for_human(conn);
	switch (status) {
	case THAW_OK:
		board_handshake(conn->gateway->env.board, tls_link_version(conn->tls), tls_link_resumed(conn->tls));
		gw_enter(conn, GW_IDLE);
		return GW_MOVED;
	case THAW_WANT_READ:
		return wait_read(conn);
	case THAW_WANT_WRITE:
		return gw_wait_write(conn);
	case THAW_CLOSED:
	case THAW_FAILED:
		break;
	}
	if (status == THAW_CLOSED)
		gw_notice_unused(conn, "closed by the client");
	else
		gw_notice_handshake(conn, conn->gateway->err.text);
	gw_enter(conn, GW_LINGER); /* so that the alert that OpenSSL wrote can be read */
	return GW_MOVED;
}

static enum gw_step run_idle(struct gw_conn *conn)
{
	size_t got = 0;

	if (conn->answered) {
		conn->answered = false;
		return wait_read(conn);
	}
	struct gw_request *request = gw_request_new(conn->now_ms);
	if (request == NULL) {
		gw_notice(conn->gateway, GW_NOTICE_MEMORY, CONFIG_LOG_ERROR, conn->now_ms,
			  "out of memory for a request");
		gw_notice_unused(conn, "out of memory");
		gw_enter(conn, GW_LINGER);
		return GW_MOVED;
	}
	enum thaw_status status = thaw_read(conn->ask, request->in.head, request->in.head_room, &got, conn->now_ms);
	if (status != THAW_OK) {
		gw_request_free(&request);
		return gw_blocked(conn, status);
	}
	request->in.head_len = got;
	conn->work += got;
	conn->began = true;
	conn->request = request;
	gw_enter(conn, GW_HEAD);
	return GW_MOVED;
}

static enum gw_step run_linger(struct gw_conn *conn)
{
	size_t max = conn->linger_left < GW_WORK_MAX ? (size_t)conn->linger_left : GW_WORK_MAX;
	ssize_t got = max > 0 ? conn->transport.ops->discard(conn->transport.io, max) : TRANSPORT_BROKEN;

	if (got == TRANSPORT_BLOCKED)
		return wait_read(conn);
	if (got <= 0 || conn->now_ms >= conn->linger_end_ms) {
		gw_enter(conn, GW_DEAD);
		return GW_MOVED;
	}
	conn->linger_left -= (uint64_t)got;
	conn->work += (size_t)got;
	pace_progress(&conn->pace, (uint64_t)got, conn->now_ms);
	return GW_MOVED;
}

/* The state's own deadline has passed. */
static void overdue(struct gw_conn *conn)
{
	const struct gw_proxy *proxy = conn->request != NULL ? conn->request->proxy : NULL;

	if (conn->state != GW_REPLY && proxy != NULL && conn->now_ms >= gw_proxy_deadline(proxy)) {
		gw_proxy_overdue(conn);
		return;
	}
	switch (conn->state) {
	case GW_HEAD:
		(void)gw_refuse(conn, GW_PROBLEM_SLOW_HEAD, NULL);
		break;
	case GW_PASS:
		(void)gw_refuse(conn, GW_PROBLEM_SLOW_BODY, NULL);
		break;
	case GW_RELAY:
		(void)gw_cut(conn, "the client stopped in the middle of the exchange");
		break;
	case GW_TUNNEL:
		conn->request->note = "nothing went through the tunnel any more";
		gw_enter(conn, GW_LINGER);
		break;
	case GW_IDLE:
		gw_notice_unused(conn, conn->retiring ? GW_STOPS : "no request came in time");
		gw_enter(conn, GW_LINGER);
		break;
	case GW_REPLY:
		(void)gw_abandon(conn, "the client did not read the response");
		break;
	case GW_PREFACE:
		(void)bad_preface(conn, "it did not come in time");
		break;
	case GW_TLS:
		gw_notice_unused(conn, handshake_overdue(conn));
		gw_enter(conn, GW_DEAD);
		break;
	case GW_SILENT:
		gw_notice_unused(conn, conn->retiring ? GW_STOPS : "silent for too long");
		gw_enter(conn, GW_DEAD);
		break;
	case GW_LINGER:
	case GW_HELD:
	case GW_ASK:
	case GW_DEAD:
	case GW_STATES:
		gw_enter(conn, GW_DEAD);
		break;
	}
}

static enum gw_step run(struct gw_conn *conn)
{
	static enum gw_step (*const runs[GW_STATES])(struct gw_conn *) = {
		[GW_PREFACE] = run_preface,  [GW_SILENT] = run_silent,  [GW_TLS] = run_tls,
		[GW_IDLE] = run_idle,        [GW_HEAD] = gw_run_head,   [GW_HELD] = gw_run_held,
		[GW_ASK] = gw_run_ask,       [GW_PASS] = gw_run_pass,   [GW_RELAY] = gw_run_relay,
		[GW_TUNNEL] = gw_run_tunnel, [GW_REPLY] = gw_run_reply, [GW_LINGER] = run_linger,
	};

	return runs[conn->state](conn);
}

static struct thaw_wants ask_wants(const struct gw_conn *conn)
{
	struct thaw_wants wants = {.deadline_ms = THAW_NEVER};

	if (conn->ask != NULL)
		thaw_conn_wants(conn->ask, &wants);
	return wants;
}

/* While an ask is pending its deadline rules, but that a head which has begun keeps its own, too. */
static uint64_t deadline(const struct gw_conn *conn)
{
	struct thaw_wants ask = ask_wants(conn);

	if (conn->state == GW_LINGER)
		return conn->pace.deadline_ms < conn->linger_end_ms ? conn->pace.deadline_ms : conn->linger_end_ms;
	if (conn->state == GW_PASS || conn->state == GW_RELAY || conn->state == GW_TUNNEL) {
		uint64_t server = conn->request->proxy != NULL ? gw_proxy_deadline(conn->request->proxy) : THAW_NEVER;
		return server < conn->pace.deadline_ms ? server : conn->pace.deadline_ms;
	}
	if (ask.deadline_ms == THAW_NEVER)
		return conn->pace.deadline_ms;
	if (conn->state == GW_IDLE)
		return ask.deadline_ms;
	return ask.deadline_ms < conn->pace.deadline_ms ? ask.deadline_ms : conn->pace.deadline_ms;
}

struct gw_wants gw_conn_step(struct gw_conn *conn, uint64_t now_ms)
{
	enum gw_step step = GW_MOVED;

	conn->now_ms = conn->gateway->now_ms = now_ms;
	conn->gateway->err.cls = THAW_ERR_NONE;
	conn->work = 0;
	conn->wants = (struct gw_wants){0};
	if (conn->tls != NULL)
		tls_link_step(conn->tls);
	if (conn->state != GW_DEAD && conn->ask != NULL) {
		gw_pins_look(conn);
		thaw_tick(conn->ask, now_ms);
	}
	while (conn->state != GW_DEAD && step == GW_MOVED) {
		conn->wants = (struct gw_wants){0};
		if (now_ms >= deadline(conn) && !gw_states[conn->state].by_ask)
			overdue(conn);
		else
			step = conn->work < GW_WORK_MAX ? run(conn) : GW_AGAIN;
		conn->work += GW_WORK_LEAST;
	}
	if (step == GW_WAIT && conn->wants.read && conn->tls != NULL && tls_link_spent(conn->tls))
		step = GW_AGAIN; /* what waits for it is here, or may be */
	conn->wants.dead = conn->state == GW_DEAD;
	conn->wants.again = step == GW_AGAIN && !conn->wants.dead;
	conn->wants.write = conn->wants.write || ask_wants(conn).write;
	conn->wants.deadline_ms = conn->wants.dead ? now_ms : deadline(conn);
	return conn->wants;
}

struct gw_conn *gw_conn_new(struct gateway *gateway, struct transport transport, const struct sockaddr *peer,
			    bool preface, uint64_t now_ms)
{
	struct gw_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		return NULL;
	conn->gateway = gateway;
	conn->transport = transport;
	conn->now_ms = now_ms;
	conn->waits_ms = now_ms;
	conn->state = preface ? GW_PREFACE : GW_SILENT;
	conn->named = !preface;
	copy_peer(conn, peer);
	pace_start(&conn->pace, gw_states[conn->state].limit_ms, now_ms);
	board_connection_opened(gateway->env.board);
	return conn;
}

void gw_conn_on_wake(struct gw_conn *conn, void (*wake)(void *arg), void *arg)
{
	conn->wake = wake;
	conn->wake_arg = arg;
}

void gw_conn_free(struct gw_conn **conn)
{
	struct gw_conn *gone = *conn;

	*conn = NULL;
	if (gone == NULL)
		return;
	board_connection_closed(gone->gateway->env.board);
	gw_records_close(gone);
	gw_request_free(&gone->request);
	gw_pins_free(gone);
	buffer_free(&gone->out);
	drop_preface(gone);
	tls_details_free(&gone->details);
	free(gone->told.fields);
	thaw_conn_free(&gone->ask);
	tls_link_free(&gone->tls);
	free(gone);
}
