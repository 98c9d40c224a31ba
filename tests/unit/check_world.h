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

struct scene {
	struct wire wire;
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
	bool shaken, gone, asking, asked, acted, rawed;
	char head[8192];
	size_t head_len, replies, dripped;
	bool head_done, head_with_body;
	uint64_t need, have, total;
};

/* ---- the server ---- */

static void end_by(struct scene *scene, enum ends how)
{
	if (how == ENDS_NOT)
		return;
	if (how == CLOSES)
		tls_conn_close_notify(scene->link);
	if (how == RESETS)
		scene->wire.down.broken = true;
	else
		scene->wire.down.ended = true;
	scene->wire.up.broken = how == RESETS || how == READS_NO_MORE;
	scene->gone = true;
}

static void say(struct scene *scene, const char *text, size_t size)
{
	size_t len = 0;

	if (size == 0)
		return;
	assert_int_equal(tls_conn_write(scene->link, text, size, &len, &scene->err), THAW_OK);
	assert_int_equal(len, size);
}

static void say_raw(struct scene *scene)
{
	scene->rawed = true;
	assert_int_equal(way_write(&scene->wire.server, scene->host->raw, scene->host->raw_len),
			 (ssize_t)scene->host->raw_len);
}

static void ask_it(struct scene *scene)
{
	enum thaw_reason reason;
	enum thaw_means means = tls_session_means(scene->session, &reason);

	scene->asked = true;
	if (means == THAW_MEANS_NONE)
		return;
	exchange_begin(&scene->exchange, scene->session, means, trust);
	if (scene->host->requires)
		SSL_set_verify(tls_conn_ssl(scene->link),
			       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT |
				       (means == THAW_MEANS_POST_HANDSHAKE ? SSL_VERIFY_POST_HANDSHAKE : 0),
			       NULL);
	assert_int_equal(tls_ask_send(scene->session), THAW_OK);
	tls_session_flush(scene->session);
	scene->asking = true;
}

/* Finds the end of the head and the start of the body. */
static void take_head(struct scene *scene)
{
	char *end = strstr(scene->head, "\r\n\r\n");
	const char *length;

	if (end == NULL || scene->head_done)
		return;
	scene->head_done = true;
	scene->have = scene->head_len - (size_t)(end + 4 - scene->head);
	end[2] = '\0';
	length = strstr(scene->head, "Content-Length: ");
	scene->need = length != NULL ? strtoull(length + 16, NULL, 10) : 0;
}

static void take_bytes(struct scene *scene, const char *data, size_t len)
{
	scene->total += len;
	if (scene->head_done) {
		scene->have += len;
		return;
	}
	assert_true(scene->head_len + len < sizeof(scene->head));
	memcpy(scene->head + scene->head_len, data, len);
	scene->head_len += len;
	scene->head[scene->head_len] = '\0';
	take_head(scene);
}

static bool may_read(const struct scene *scene)
{
	const struct host *host = scene->host;

	if (scene->gone || (host->deaf && scene->head_done && !scene->acted))
		return false;
	if (host->drip > 0 && scene->head_done && scene->now_ms < scene->read_ms)
		return false;
	if (!scene->asking || !host->frozen || scene->acted)
		return true;
	return scene->have <= host->buffer;
}

static void on_head(struct scene *scene)
{
	const struct host *host = scene->host;

	if (host->at_head != NULL)
		say(scene, host->at_head, strlen(host->at_head));
	if (host->raw_late)
		say_raw(scene);
	if (host->asks == ASKS_HEAD && !scene->asked)
		ask_it(scene);
	end_by(scene, host->behind_head);
}

static void on_request(struct scene *scene)
{
	const struct host *host = scene->host;
	bool is_head = strncmp(scene->head, "HEAD ", 5) == 0;
	const char *answer = host->answer != NULL ? host->answer : OK_HEAD "ok";

	if (host->h2_len > 0)
		say(scene, host->h2, host->h2_len);
	else if (!host->mute)
		say(scene, answer, is_head ? (size_t)(strstr(answer, "\r\n\r\n") + 4 - answer) : strlen(answer));
	if (host->asks == ASKS_AFTER && !scene->asked)
		ask_it(scene);
	scene->replies++;
	end_by(scene, host->behind_answer);
	scene->head_done = false;
	scene->head_len = 0;
	scene->need = scene->have = 0;
}

static void move_on(struct scene *scene)
{
	enum asks asks = scene->host->asks;
	bool was_head = scene->head_done && scene->head_len > 0;

	if (was_head) {
		scene->head_with_body = scene->have > 0 || tls_conn_pending(scene->link) || scene->wire.up.len > 0;
		scene->head_len = 0;
		on_head(scene);
	}
	if (!scene->head_done || scene->gone)
		return;
	if (!scene->asked && ((asks == ASKS_MIDWAY && scene->have > scene->need / 2) ||
			      (asks == ASKS_END && scene->have >= scene->need)))
		ask_it(scene);
	if (scene->asking && exchange_answered(&scene->exchange, scene->session))
		scene->asking = scene->exchange.open = false;
	if (!scene->asking && scene->have >= scene->need)
		on_request(scene);
}

static void read_on(struct scene *scene)
{
	char data[DRIP_MAX];
	size_t len = 0;

	while (may_read(scene)) {
		size_t room = scene->host->drip > 0 && scene->head_done ? scene->host->drip : 1024;
		enum thaw_status status = tls_session_read(scene->session, data, room, &len);
		if (status == THAW_OK)
			take_bytes(scene, data, len);
		if (status == THAW_OK && scene->host->drip > 0)
			scene->read_ms = scene->now_ms + 500;
		if (status == THAW_CLOSED || status == THAW_FAILED) {
			scene->gone = scene->wire.down.ended = true;
			return;
		}
		tls_session_flush(scene->session);
		move_on(scene); /* also if only an exchange has progressed */
		if (status != THAW_OK)
			return;
	}
}

static void shake(struct scene *scene)
{
	enum thaw_status status = tls_conn_handshake(scene->link, &scene->err);

	tls_session_flush(scene->session);
	scene->shaken = status == THAW_OK;
	if (status == THAW_FAILED)
		scene->gone = scene->wire.down.ended = true;
}

static void serve(struct scene *scene)
{
	const struct host *host = scene->host;

	if (!scene->acted && scene->now_ms >= BEGAN_MS + (uint64_t)host->act_ms && host->act_ms != 0) {
		scene->acted = true;
		end_by(scene, host->acts);
	}
	if (scene->gone || host->silent)
		return;
	if (host->raw != NULL && !host->raw_late) {
		if (!scene->rawed && scene->wire.up.len > 0)
			say_raw(scene);
		return;
	}
	if (host->at_once != ENDS_NOT) {
		end_by(scene, host->at_once);
		return;
	}
	if (!scene->shaken)
		shake(scene);
	if (!scene->shaken || scene->gone)
		return;
	tls_session_flush(scene->session);
	read_on(scene);
}

/* ---- both sides ---- */

static bool (*checks_turn)(bool it_is); /* for tests in which only the check's allocations fail; NULL: none */

static void give_turn(bool to_check)
{
	if (checks_turn != NULL)
		(void)checks_turn(to_check);
}

/* If an allocation fails, scene->check is NULL. */
static void scene_begin(struct scene *scene, const struct host *host, const struct check_script *script,
			struct tls_client_context *context, size_t window)
{
	struct tls_client_memory *memory = scene->memory;

	memset(scene, 0, sizeof(*scene));
	scene->memory = memory;
	scene->host = host;
	scene->now_ms = BEGAN_MS;
	wire_open(&scene->wire, window);
	scene->wire.down.window = WINDOW_MAX;
	scene->link = tls_conn_new(server, (struct transport){&way_ops, &scene->wire.server});
	assert_non_null(scene->link);
	scene->session = tls_session_new(tls_conn_ssl(scene->link));
	assert_non_null(scene->session);
	if (host->asks == ASKS_HANDSHAKING)
		assert_int_equal(tls_session_ask_at_handshake(scene->session, trust), THAW_OK);
	give_turn(true);
	scene->check = check_new(script, context, "localhost", scene->memory,
				 (struct transport){&way_ops, &scene->wire.client}, scene->now_ms);
	give_turn(false);
}

static inline void scene_open(struct scene *scene, const struct host *host, const struct check_script *script,
			      struct tls_client_context *context, size_t window)
{
	scene_begin(scene, host, script, context, window);
	assert_non_null(scene->check);
}

static void scene_close(struct scene *scene)
{
	check_free(&scene->check);
	assert_null(scene->check);
	tls_session_free(&scene->session);
	tls_conn_free(&scene->link);
}

static uint64_t moved(const struct scene *scene)
{
	return scene->wire.up.moved + scene->wire.down.moved + scene->total + scene->shaken + scene->gone +
	       scene->acted + (uint64_t)scene->check->state;
}

/* One turn of each side. If nothing has moved, the clock advances. True: the check is over. */
static bool scene_turn(struct scene *scene)
{
	uint64_t before = moved(scene), next;
	struct check_wants wants;

	scene->turns++;
	give_turn(true);
	bool over = check_step(scene->check, scene->now_ms, scene->wire.up.len);
	give_turn(false);
	check_wants(scene->check, &wants);
	assert_int_equal(over, scene->check->state == TS_OVER);
	if (over) {
		assert_false(wants.read);
		return true;
	}
	assert_true(wants.deadline_ms > scene->now_ms && wants.deadline_ms != THAW_NEVER);
	serve(scene);
	if (moved(scene) != before)
		return false;
	next = wants.deadline_ms;
	if (!scene->acted && scene->host->act_ms != 0 && BEGAN_MS + (uint64_t)scene->host->act_ms < next)
		next = BEGAN_MS + (uint64_t)scene->host->act_ms;
	if (scene->host->drip > 0 && scene->read_ms > scene->now_ms && scene->read_ms < next)
		next = scene->read_ms;
	scene->now_ms = next;
	return false;
}

static const struct check_result *scene_play(struct scene *scene)
{
	while (!scene_turn(scene))
		assert_true(scene->turns < TURNS_MAX);
	return check_result(scene->check);
}

#endif
