#include "gateway/conn.h"

#include <stdlib.h>

#include "gateway/after.h"
#include "gateway/close.h"
#include "gateway/pin.h"
#include "gateway/preface.h"
#include "gateway/protocol.h"

static enum gw_step wait_read(struct gw_conn *conn)
{
	conn->wants.read = true;
	return GW_WAIT;
}

static bool begin_tls(struct gw_conn *conn)
{
	conn->tls = tls_conn_new(conn->gateway->tls, conn->transport);
	if (conn->tls == NULL || thaw_conn_new(tls_conn_ssl(conn->tls), &conn->ask, NULL) != THAW_OK)
		return false;
	tls_conn_on_away(conn->tls, gw_sent_away, conn);
	tls_conn_on_signature(conn->tls, conn->wake, conn->wake_arg);
	gw_after_watch(conn);
	thaw_conn_trace(conn->ask, conn->gateway->env.trace.change, conn->gateway->env.trace.arg);
	tls_conn_step(conn->tls, false);
	return true;
}

/* A TLS record begins with a byte below 0x20, and a ClientHello of SSL 2 with one above 0x7f. */
static bool is_plain_http(char first)
{
	return (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');
}

/* False: out of memory. */
static bool begin(struct gw_conn *conn, char first)
{
	if (conn->plain == NULL && !is_plain_http(first))
		return begin_tls(conn);
	if (conn->plain == NULL)
		conn->plain = &conn->gateway->mistake;
	return gw_protocol_begin(conn);
}

/* An SSL object is much larger than the rest of a connection, so it is created when the client has sent something. */
static enum gw_step run_silent(struct gw_conn *conn)
{
	char first = 0;
	ssize_t seen = conn->transport.ops->peek(conn->transport.io, &first);

	if (seen == TRANSPORT_BLOCKED)
		return wait_read(conn);
	if (seen > 0 && !begin(conn, first))
		return gw_out_of_memory(conn);
	if (seen <= 0)
		gw_notice_unused(conn, gw_ended_by(seen));
	if (seen > 0)
		gw_enter(conn, conn->plain != NULL ? GW_IDLE : GW_TLS);
	else
		gw_die(conn);
	return GW_MOVED;
}

/* Once the certificate was requested, a person may have to choose it and unlock its key. That has its own deadline. */
static void wait_for_human(struct gw_conn *conn)
{
	if (conn->state == GW_CHOICE || !tls_conn_asked(conn->tls))
		return;
	const struct gw_host *host = gw_conn_host(conn);
	uint64_t limit_ms = gw_on_demand(conn) ? host->late_ms : host->handshake_ms;
	uint64_t left_ms = pace_left(&conn->pace, gw_now(conn));
	gw_enter(conn, GW_CHOICE);
	pace_start(&conn->pace, limit_ms > left_ms ? limit_ms : left_ms, gw_now(conn));
}

/* The reason for the log. */
static const char *handshake_overdue(const struct gw_conn *conn)
{
	if (conn->state == GW_CHOICE)
		return "the client did not answer the certificate request within client_certificate.timeout";
	return tls_conn_host(conn->tls) < 0 ? "the client sent no complete ClientHello in time"
					    : "not finished in time";
}

static enum gw_step run_tls(struct gw_conn *conn)
{
	enum thaw_status status = tls_conn_handshake(conn->tls, &conn->gateway->err);

	wait_for_human(conn);
	switch (status) {
	case THAW_OK:
		scoreboard_handshake(conn->gateway->env.scoreboard, tls_conn_version(conn->tls),
				     tls_conn_resumed(conn->tls));
		scoreboard_on_demand(conn->gateway->env.scoreboard, tls_conn_demand(conn->tls));
		gw_came_back(conn);
		if (!gw_protocol_begin(conn))
			return gw_out_of_memory(conn);
		gw_enter(conn, GW_IDLE);
		return GW_MOVED;
	case THAW_WANT_READ:
		return wait_read(conn);
	case THAW_WANT_WRITE:
		conn->wants.write = true;
		return GW_WAIT;
	case THAW_CLOSED:
	case THAW_FAILED:
		break;
	}
	if (status == THAW_CLOSED)
		gw_notice_unused(conn, "closed by the client");
	else
		gw_notice_handshake(conn, conn->gateway->err.text);
	gw_close(conn, GW_CLOSE_QUIET); /* lingers, so that OpenSSL's alert can be read */
	return GW_MOVED;
}

static enum gw_step run_linger(struct gw_conn *conn)
{
	size_t max = conn->linger_left < GW_WORK_MAX ? (size_t)conn->linger_left : GW_WORK_MAX;
	ssize_t got = max > 0 ? conn->transport.ops->discard(conn->transport.io, max) : TRANSPORT_BROKEN;

	if (got == TRANSPORT_BLOCKED)
		return wait_read(conn);
	if (got <= 0 || gw_now(conn) >= conn->linger_end_ms) {
		gw_die(conn);
		return GW_MOVED;
	}
	conn->linger_left -= (uint64_t)got;
	conn->work += (size_t)got;
	pace_progress(&conn->pace, (uint64_t)got, gw_now(conn));
	return GW_MOVED;
}

/* The state's own deadline has passed. */
static void overdue(struct gw_conn *conn)
{
	if (conn->state == GW_PREFACE) {
		(void)gw_preface_failed(conn, "it did not arrive in time");
		return;
	}
	if (conn->state == GW_SILENT)
		gw_notice_unused(conn, conn->retiring ? GW_STOPS : "the client sent nothing within the limit");
	else if (gw_is_handshaking(conn))
		gw_notice_unused(conn, handshake_overdue(conn));
	gw_die(conn);
}

static enum gw_step run(struct gw_conn *conn)
{
	switch (conn->state) {
	case GW_PREFACE:
		return gw_run_preface(conn);
	case GW_SILENT:
		return run_silent(conn);
	case GW_TLS:
	case GW_CHOICE:
		return run_tls(conn);
	case GW_IDLE:
	case GW_BUSY:
		return conn->protocol->run(conn);
	case GW_LINGER:
		return run_linger(conn);
	case GW_DEAD:
	case GW_STATES:
		break;
	}
	return GW_WAIT;
}

static bool is_used(const struct gw_conn *conn)
{
	return conn->state == GW_IDLE || conn->state == GW_BUSY;
}

static uint64_t deadline(const struct gw_conn *conn)
{
	if (is_used(conn))
		return conn->protocol->deadline(conn);
	if (conn->state == GW_LINGER && conn->linger_end_ms < conn->pace.deadline_ms)
		return conn->linger_end_ms;
	return conn->pace.deadline_ms;
}

static bool ask_writes(const struct gw_conn *conn)
{
	return thaw_conn_wants_write(conn->ask);
}

struct gw_wants gw_conn_step(struct gw_conn *conn, uint64_t now_ms)
{
	enum gw_step step = GW_MOVED;

	conn->gateway->now_ms = now_ms;
	conn->gateway->err.cls = THAW_ERR_NONE;
	conn->work = 0;
	conn->wants = (struct gw_wants){0};
	if (conn->tls != NULL)
		tls_conn_step(conn->tls, conn->quiet);
	conn->quiet = false;
	if (conn->state != GW_DEAD && conn->ask != NULL)
		thaw_conn_tick(conn->ask, now_ms);
	if (conn->state != GW_DEAD)
		gw_pins_look(conn);
	while (conn->state != GW_DEAD && step == GW_MOVED) {
		conn->wants = (struct gw_wants){0};
		if (!is_used(conn) && now_ms >= deadline(conn))
			overdue(conn);
		else
			step = conn->work < GW_WORK_MAX ? run(conn) : GW_AGAIN;
		conn->work += GW_WORK_LEAST;
	}
	if (step == GW_WAIT && conn->wants.read && conn->tls != NULL && tls_conn_spent(conn->tls))
		step = GW_AGAIN; /* what the protocol waits for may already be here */
	if (tls_conn_waits(conn->tls))
		conn->wants.read = false; /* what the client sends now is read after the signature */
	conn->wants.dead = conn->state == GW_DEAD;
	conn->wants.again = step == GW_AGAIN && !conn->wants.dead;
	conn->wants.write = conn->wants.write || ask_writes(conn);
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
	gateway->now_ms = now_ms;
	conn->waits_ms = now_ms;
	conn->state = preface ? GW_PREFACE : GW_SILENT;
	conn->named = !preface;
	gw_conn_name(conn, peer);
	pace_start(&conn->pace, gw_state_limit_ms(conn->state, &gateway->config->connections), now_ms);
	scoreboard_connection_opened(gateway->env.scoreboard);
	return conn;
}

void gw_conn_quiet(struct gw_conn *conn)
{
	conn->quiet = true;
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
	scoreboard_connection_closed(gone->gateway->env.scoreboard);
	gw_settle_accounts(gone);
	if (gone->protocol != NULL)
		gone->protocol->drop(gone);
	gw_pins_free(gone);
	gw_preface_free(gone);
	tls_details_free(&gone->details);
	free(gone->identity_text.fields);
	thaw_conn_free(&gone->ask);
	tls_conn_free(&gone->tls);
	free(gone);
}
