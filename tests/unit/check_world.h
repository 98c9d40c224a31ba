/*
 * For tests of checks: an HTTP server over tls/server.h in memory, which does what a test configures, and a clock that
 * advances only when nothing else moves.
 */
#ifndef CHECK_WORLD_H
#define CHECK_WORLD_H

#include "peers_world.h"

#include <openssl/ssl.h>

#include "probe/check_inside.h"
#include "probe/contexts.h"

#define BEGAN_MS  1000
#define TURNS_MAX 100000
#define DRIP_MAX  16384
#define OK_HEAD   "HTTP/1.1 200 OK\r\nServer: A Test\r\nContent-Length: 2\r\n\r\n"

enum asks { ASKS_NEVER, ASKS_HANDSHAKING, ASKS_HEAD, ASKS_MIDWAY, ASKS_END, ASKS_AFTER };

/* How the server ends a connection: with close_notify, with FIN alone, with RST. READS_NO_MORE: a RST for the client's
 * writes, while the client can still read what was sent. */
enum ends { ENDS_NOT, CLOSES, CUTS, RESETS, READS_NO_MORE };

struct host {
	enum asks asks;
	size_t buffer;       /* frozen: about how much of a body it reads while it waits for a certificate */
	bool frozen;         /* it stops reading there */
	bool deaf;           /* it reads nothing after a request's head */
	bool mute;           /* it never answers */
	bool requires;       /* an empty Certificate is a fatal error */
	const char *at_head; /* sent when the head is complete */
	const char *answer;  /* instead of 200 */
	const char *raw;     /* written without TLS, instead of its ServerHello or at_head */
	size_t raw_len;
	bool raw_late; /* at_head */
	bool silent;   /* it sends nothing at all, not even a TLS handshake */
	enum ends at_once, behind_head, behind_answer;
	size_t drip;     /* bytes that it reads twice per second */
	uint32_t act_ms; /* time since the start: then it does `acts`, or reads on if that is ENDS_NOT */
	enum ends acts;
	const char *h2; /* the HTTP/2 frames of its answer */
	size_t h2_len;
};

struct scenario {
	struct duplex duplex;
	const struct host *host;
	struct tls_conn *link;
	struct tls_session *session;
	struct exchange exchange;
	struct thaw_error err;
	struct check *check;
	struct tls_client_memory *memory;
	uint64_t now_ms, read_ms; /* read_ms: when it may read again */
	size_t turns;
	/* ---- the server's side ---- */
	bool handshake_done, closed, asking, asked, acted, raw_sent;
	char head[8192];
	size_t head_len, replies, dripped;
	bool head_done, head_with_body;
	uint64_t need, have, total;
};

/* ---- the server ---- */

static void end_by(struct scenario *scenario, enum ends how)
{
	if (how == ENDS_NOT)
		return;
	if (how == CLOSES)
		tls_conn_close_notify(scenario->link);
	if (how == RESETS)
		scenario->duplex.down.broken = true;
	else
		scenario->duplex.down.ended = true;
	scenario->duplex.up.broken = how == RESETS || how == READS_NO_MORE;
	scenario->closed = true;
}

static void send_text(struct scenario *scenario, const char *text, size_t size)
{
	size_t len = 0;

	if (size == 0)
		return;
	assert_int_equal(tls_conn_write(scenario->link, text, size, &len, &scenario->err), THAW_OK);
	assert_int_equal(len, size);
}

static void send_raw(struct scenario *scenario)
{
	scenario->raw_sent = true;
	assert_int_equal(way_write(&scenario->duplex.server, scenario->host->raw, scenario->host->raw_len),
			 (ssize_t)scenario->host->raw_len);
}

static void ask_it(struct scenario *scenario)
{
	enum thaw_reason reason;
	enum thaw_means means = tls_session_means(scenario->session, &reason);

	scenario->asked = true;
	if (means == THAW_MEANS_NONE)
		return;
	exchange_begin(&scenario->exchange, scenario->session, means, trust);
	if (scenario->host->requires)
		SSL_set_verify(tls_conn_ssl(scenario->link),
			       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT |
				       (means == THAW_MEANS_POST_HANDSHAKE ? SSL_VERIFY_POST_HANDSHAKE : 0),
			       NULL);
	assert_int_equal(tls_ask_send(scenario->session), THAW_OK);
	tls_session_flush(scenario->session);
	scenario->asking = true;
}

/* Finds the end of the head and the start of the body. */
static void take_head(struct scenario *scenario)
{
	char *end = strstr(scenario->head, "\r\n\r\n");
	const char *length;

	if (end == NULL || scenario->head_done)
		return;
	scenario->head_done = true;
	scenario->have = scenario->head_len - (size_t)(end + 4 - scenario->head);
	end[2] = '\0';
	length = strstr(scenario->head, "Content-Length: ");
	scenario->need = length != NULL ? strtoull(length + 16, NULL, 10) : 0;
}

static void take_bytes(struct scenario *scenario, const char *data, size_t len)
{
	scenario->total += len;
	if (scenario->head_done) {
		scenario->have += len;
		return;
	}
	assert_true(scenario->head_len + len < sizeof(scenario->head));
	memcpy(scenario->head + scenario->head_len, data, len);
	scenario->head_len += len;
	scenario->head[scenario->head_len] = '\0';
	take_head(scenario);
}

static bool may_read(const struct scenario *scenario)
{
	const struct host *host = scenario->host;

	if (scenario->closed || (host->deaf && scenario->head_done && !scenario->acted))
		return false;
	if (host->drip > 0 && scenario->head_done && scenario->now_ms < scenario->read_ms)
		return false;
	if (!scenario->asking || !host->frozen || scenario->acted)
		return true;
	return scenario->have <= host->buffer;
}

static void on_head(struct scenario *scenario)
{
	const struct host *host = scenario->host;

	if (host->at_head != NULL)
		send_text(scenario, host->at_head, strlen(host->at_head));
	if (host->raw_late)
		send_raw(scenario);
	if (host->asks == ASKS_HEAD && !scenario->asked)
		ask_it(scenario);
	end_by(scenario, host->behind_head);
}

static void on_request(struct scenario *scenario)
{
	const struct host *host = scenario->host;
	bool is_head = strncmp(scenario->head, "HEAD ", 5) == 0;
	const char *answer = host->answer != NULL ? host->answer : OK_HEAD "ok";

	if (host->h2_len > 0)
		send_text(scenario, host->h2, host->h2_len);
	else if (!host->mute)
		send_text(scenario, answer,
			  is_head ? (size_t)(strstr(answer, "\r\n\r\n") + 4 - answer) : strlen(answer));
	if (host->asks == ASKS_AFTER && !scenario->asked)
		ask_it(scenario);
	scenario->replies++;
	end_by(scenario, host->behind_answer);
	scenario->head_done = false;
	scenario->head_len = 0;
	scenario->need = scenario->have = 0;
}

static void move_on(struct scenario *scenario)
{
	enum asks asks = scenario->host->asks;
	bool was_head = scenario->head_done && scenario->head_len > 0;

	if (was_head) {
		scenario->head_with_body =
			scenario->have > 0 || tls_conn_pending(scenario->link) || scenario->duplex.up.len > 0;
		scenario->head_len = 0;
		on_head(scenario);
	}
	if (!scenario->head_done || scenario->closed)
		return;
	if (!scenario->asked && ((asks == ASKS_MIDWAY && scenario->have > scenario->need / 2) ||
				 (asks == ASKS_END && scenario->have >= scenario->need)))
		ask_it(scenario);
	if (scenario->asking && exchange_answered(&scenario->exchange, scenario->session))
		scenario->asking = scenario->exchange.open = false;
	if (!scenario->asking && scenario->have >= scenario->need)
		on_request(scenario);
}

static void read_on(struct scenario *scenario)
{
	char data[DRIP_MAX];
	size_t len = 0;

	while (may_read(scenario)) {
		size_t room = scenario->host->drip > 0 && scenario->head_done ? scenario->host->drip : 1024;
		enum thaw_status status = tls_session_read(scenario->session, data, room, &len);
		if (status == THAW_OK)
			take_bytes(scenario, data, len);
		if (status == THAW_OK && scenario->host->drip > 0)
			scenario->read_ms = scenario->now_ms + 500;
		if (status == THAW_CLOSED || status == THAW_FAILED) {
			scenario->closed = scenario->duplex.down.ended = true;
			return;
		}
		tls_session_flush(scenario->session);
		move_on(scenario); /* also if only an exchange has progressed */
		if (status != THAW_OK)
			return;
	}
}

static void handshake(struct scenario *scenario)
{
	enum thaw_status status = tls_conn_handshake(scenario->link, &scenario->err);

	tls_session_flush(scenario->session);
	scenario->handshake_done = status == THAW_OK;
	if (status == THAW_FAILED)
		scenario->closed = scenario->duplex.down.ended = true;
}

static void serve(struct scenario *scenario)
{
	const struct host *host = scenario->host;

	if (!scenario->acted && scenario->now_ms >= BEGAN_MS + (uint64_t)host->act_ms && host->act_ms != 0) {
		scenario->acted = true;
		end_by(scenario, host->acts);
	}
	if (scenario->closed || host->silent)
		return;
	if (host->raw != NULL && !host->raw_late) {
		if (!scenario->raw_sent && scenario->duplex.up.len > 0)
			send_raw(scenario);
		return;
	}
	if (host->at_once != ENDS_NOT) {
		end_by(scenario, host->at_once);
		return;
	}
	if (!scenario->handshake_done)
		handshake(scenario);
	if (!scenario->handshake_done || scenario->closed)
		return;
	tls_session_flush(scenario->session);
	read_on(scenario);
}

/* ---- both sides ---- */

static bool (*checks_turn)(bool it_is); /* for tests in which only the check's allocations fail; NULL: none */

static void give_turn(bool to_check)
{
	if (checks_turn != NULL)
		(void)checks_turn(to_check);
}

/* If an allocation fails, scenario->check is NULL. */
static void scene_begin(struct scenario *scenario, const struct host *host, const struct check_script *script,
			struct tls_client_context *context, size_t window)
{
	struct tls_client_memory *memory = scenario->memory;

	memset(scenario, 0, sizeof(*scenario));
	scenario->memory = memory;
	scenario->host = host;
	scenario->now_ms = BEGAN_MS;
	duplex_open(&scenario->duplex, window);
	scenario->duplex.down.window = WINDOW_MAX;
	scenario->link = tls_conn_new(server, (struct transport){&way_ops, &scenario->duplex.server});
	assert_non_null(scenario->link);
	scenario->session = tls_session_new(tls_conn_ssl(scenario->link));
	assert_non_null(scenario->session);
	if (host->asks == ASKS_HANDSHAKING)
		assert_int_equal(tls_session_ask_at_handshake(scenario->session, trust), THAW_OK);
	give_turn(true);
	scenario->check = check_new(script, context, "localhost", scenario->memory,
				    (struct transport){&way_ops, &scenario->duplex.client}, scenario->now_ms);
	give_turn(false);
}

static inline void scene_open(struct scenario *scenario, const struct host *host, const struct check_script *script,
			      struct tls_client_context *context, size_t window)
{
	scene_begin(scenario, host, script, context, window);
	assert_non_null(scenario->check);
}

static void scene_close(struct scenario *scenario)
{
	check_free(&scenario->check);
	assert_null(scenario->check);
	tls_session_free(&scenario->session);
	tls_conn_free(&scenario->link);
}

static uint64_t moved(const struct scenario *scenario)
{
	return scenario->duplex.up.moved + scenario->duplex.down.moved + scenario->total + scenario->handshake_done +
	       scenario->closed + scenario->acted + (uint64_t)scenario->check->state;
}

/* One turn of each side. If nothing has moved, the clock advances. True: the check is over. */
static bool scene_turn(struct scenario *scenario)
{
	uint64_t before = moved(scenario), next;
	struct check_wants wants;

	scenario->turns++;
	give_turn(true);
	bool over = check_step(scenario->check, scenario->now_ms, scenario->duplex.up.len);
	give_turn(false);
	check_wants(scenario->check, &wants);
	assert_int_equal(over, scenario->check->state == TS_OVER);
	if (over) {
		assert_false(wants.read);
		return true;
	}
	assert_true(wants.deadline_ms > scenario->now_ms && wants.deadline_ms != THAW_NEVER);
	serve(scenario);
	if (moved(scenario) != before)
		return false;
	next = wants.deadline_ms;
	if (!scenario->acted && scenario->host->act_ms != 0 && BEGAN_MS + (uint64_t)scenario->host->act_ms < next)
		next = BEGAN_MS + (uint64_t)scenario->host->act_ms;
	if (scenario->host->drip > 0 && scenario->read_ms > scenario->now_ms && scenario->read_ms < next)
		next = scenario->read_ms;
	scenario->now_ms = next;
	return false;
}

static const struct check_result *scene_play(struct scenario *scenario)
{
	while (!scene_turn(scenario))
		assert_true(scenario->turns < TURNS_MAX);
	return check_result(scenario->check);
}

#endif
