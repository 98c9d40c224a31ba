#include <stdlib.h>
#include <string.h>

#include "admin/respond.h"
#include "base/require.h"

#define IN_ROOM      8192 /* maximum size of a request head */
#define LINGER_MS    2000
#define LINGER_BYTES 65536 /* read and discarded in one step */

#define BIT(state) (1u << (state))

enum state {
	ST_READ,   /* reading a head */
	ST_WRITE,  /* writing the response */
	ST_LINGER, /* half-closed, so that the client can read the last response (RFC 9112 9.6) */
	ST_DEAD,
};

enum move { MOVED, WAIT };

struct admin_conn {
	const struct admin *admin;
	struct transport transport;
	enum state state;
	uint64_t now_ms, deadline_ms;
	struct admin_wants wants;
	bool crowded, retiring;
	bool barred;      /* each request is refused */
	bool close_after; /* the current response is the last one */
	bool answered;    /* answered a request in this step: other connections go first */
	struct http_scan scan;
	size_t len;
	struct buffer out;
	char in[IN_ROOM];
};

static enum move run_read(struct admin_conn *conn);
static enum move run_write(struct admin_conn *conn);
static enum move run_linger(struct admin_conn *conn);

static const struct {
	const char *name;
	enum move (*run)(struct admin_conn *conn);
	unsigned next;
	uint32_t limit_ms;
} states[] = {
	[ST_READ] = {"read", run_read, BIT(ST_WRITE) | BIT(ST_DEAD), ADMIN_LIMIT_MS},
	[ST_WRITE] = {"write", run_write, BIT(ST_READ) | BIT(ST_LINGER) | BIT(ST_DEAD), ADMIN_LIMIT_MS},
	[ST_LINGER] = {"linger", run_linger, BIT(ST_DEAD), LINGER_MS},
	[ST_DEAD] = {"dead", NULL, 0, 0},
};

/* The only function that changes the state. */
static enum move enter(struct admin_conn *conn, enum state to)
{
	if (!require_transition((states[conn->state].next & BIT(to)) != 0, "admin", states[conn->state].name,
				states[to].name))
		to = ST_DEAD;
	conn->state = to;
	conn->deadline_ms = conn->now_ms + states[to].limit_ms;
	if (to == ST_READ || to == ST_LINGER || to == ST_DEAD) {
		buffer_free(&conn->out);
	}
	if (to == ST_LINGER && conn->transport.ops->half_close != NULL)
		conn->transport.ops->half_close(conn->transport.io);
	return MOVED;
}

static enum move wait_for(struct admin_conn *conn, bool read, bool write)
{
	conn->wants = (struct admin_wants){.read = read, .write = write, .deadline_ms = conn->deadline_ms};
	return WAIT;
}

/* ---- reading ---- */

static enum move refuse(struct admin_conn *conn, const struct http_refusal *refusal)
{
	conn->close_after = true;
	if (!admin_refuse(conn->admin, refusal, conn->now_ms, &conn->out))
		return enter(conn, ST_DEAD);
	return enter(conn, ST_WRITE);
}

static enum move respond(struct admin_conn *conn, const struct http_request *request, size_t used)
{
	static const struct http_refusal no_body = {.status = 413,
						    .why = "Requests to this server must not have a body."};
	static const struct http_refusal not_allowed = {
		.status = 403, .why = "Requests from this address are not allowed; see admin.allow_from."};

	if (conn->barred)
		return refuse(conn, &not_allowed);
	if (request->framing == HTTP_BODY_CHUNKED || (request->framing == HTTP_BODY_LENGTH && request->length > 0))
		return refuse(conn, &no_body);
	conn->close_after = !request->keep_alive || conn->crowded || conn->retiring;
	if (!admin_respond(conn->admin, request, conn->close_after, conn->now_ms, &conn->out))
		return enter(conn, ST_DEAD);
	memmove(conn->in, conn->in + used, conn->len - used);
	conn->len -= used;
	conn->scan = (struct http_scan){0};
	conn->answered = true;
	return enter(conn, ST_WRITE);
}

static enum move take(struct admin_conn *conn)
{
	ssize_t got = conn->transport.ops->read(conn->transport.io, conn->in + conn->len, sizeof(conn->in) - conn->len);

	if (got == TRANSPORT_BLOCKED)
		return wait_for(conn, true, false);
	if (got <= 0)
		return enter(conn, ST_DEAD);
	conn->len += (size_t)got;
	return MOVED;
}

static enum move run_read(struct admin_conn *conn)
{
	static const struct http_refusal too_large = {.status = 431, .why = "The request's head is too large."};
	struct http_request request = {0};
	struct http_refusal refusal;
	size_t used = 0;

	if (conn->retiring && conn->len == 0)
		return enter(conn, ST_DEAD);
	if (conn->answered && conn->len > 0)
		return wait_for(conn, true,
				true); /* a pipelined request: the socket is writable, so this returns soon */
	enum http_parse parsed = http_head_parse(conn->in, conn->len, &conn->scan, &request, &used, &refusal);
	enum move move = MOVED;
	if (parsed == HTTP_PARSE_DONE)
		move = respond(conn, &request, used);
	else if (parsed == HTTP_PARSE_BAD)
		move = refuse(conn, &refusal);
	else
		move = conn->len == sizeof(conn->in) ? refuse(conn, &too_large) : take(conn);
	http_request_free(&request);
	return move;
}

/* ---- writing ---- */

static enum move run_write(struct admin_conn *conn)
{
	while (buffer_left(&conn->out) > 0) {
		ssize_t put = conn->transport.ops->write(conn->transport.io, buffer_first(&conn->out),
							 buffer_left(&conn->out));
		if (put == TRANSPORT_BLOCKED)
			return wait_for(conn, false, true);
		if (put <= 0)
			return enter(conn, ST_DEAD);
		buffer_consume(&conn->out, (size_t)put);
	}
	return enter(conn, conn->close_after ? ST_LINGER : ST_READ);
}

static enum move run_linger(struct admin_conn *conn)
{
	ssize_t got = conn->transport.ops->discard(conn->transport.io, LINGER_BYTES);

	if (got <= 0 && got != TRANSPORT_BLOCKED)
		return enter(conn, ST_DEAD);
	return wait_for(conn, true,
			false); /* once per step, so that a client that sends without end cannot block the others */
}

/* ---- outside ---- */

struct admin_conn *admin_conn_new(const struct admin *admin, struct transport transport, uint64_t now_ms)
{
	struct admin_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		return NULL;
	conn->admin = admin;
	conn->transport = transport;
	conn->deadline_ms = now_ms + states[ST_READ].limit_ms;
	return conn;
}

struct admin_wants admin_conn_step(struct admin_conn *conn, bool crowded, uint64_t now_ms)
{
	enum move move = MOVED;

	conn->now_ms = now_ms;
	conn->crowded = crowded;
	conn->answered = false;
	while (move == MOVED && conn->state != ST_DEAD)
		move = now_ms >= conn->deadline_ms ? enter(conn, ST_DEAD) : states[conn->state].run(conn);
	if (conn->state == ST_DEAD)
		conn->wants = (struct admin_wants){.dead = true, .deadline_ms = THAW_NEVER};
	return conn->wants;
}

void admin_conn_bar(struct admin_conn *conn)
{
	conn->barred = true;
}

void admin_conn_retire(struct admin_conn *conn)
{
	conn->retiring = true;
}

void admin_conn_free(struct admin_conn **conn)
{
	if (*conn != NULL)
		buffer_free(&(*conn)->out);
	free(*conn);
	*conn = NULL;
}
