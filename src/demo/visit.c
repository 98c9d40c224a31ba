#include "demo/visit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/socket.h"
#include "http/chunked.h"
#include "http/response.h"
#include "thaw/ask.h"
#include "tls/digest.h"

#define ANSWER_MAX (HTTP_LINE_DEFAULT + 512) /* room for the longest method and the rest of the answer */
#define NO_TIME    0                         /* for an ask without a deadline: this server waits in poll() only */

struct visit {
	const struct visit_context *context;
	int fd;
	struct tls_conn *link;
	thaw_conn *conn;
	char *bytes; /* the request's head and the bytes after it; not moved while the head is in use */
	size_t room, len;
	struct http_request request;
	size_t at; /* the bytes from here on are unused */
	struct thaw_error err;
};

/* The result of reading a request's body. */
struct body {
	enum http_framing framing;
	uint64_t left; /* HTTP_BODY_LENGTH */
	struct http_chunked chunked;
	uint64_t bytes;
	struct tls_digest *digest;
	char sha256[TLS_DIGEST_HEX];
};

/* Call after a call that did not return THAW_OK. False: the connection is closed, or the limit without progress has
 * passed. */
static bool wait_for(const struct visit *visit, enum thaw_status status)
{
	struct pollfd fd = {.fd = visit->fd, .events = status == THAW_WANT_WRITE ? POLLOUT : POLLIN};

	if (status != THAW_WANT_READ && status != THAW_WANT_WRITE)
		return false;
	return poll(&fd, 1, (int)visit->context->limit_s * 1000) > 0;
}

static bool shake_hands(struct visit *visit)
{
	enum thaw_status status;

	while ((status = tls_conn_handshake(visit->link, &visit->err)) != THAW_OK)
		if (!wait_for(visit, status))
			return false;
	return true;
}

/* Reads at most max bytes after those in the buffer. */
static enum thaw_status read_some(struct visit *visit, size_t max)
{
	size_t got = 0;

	thaw_conn_tick(visit->conn, NO_TIME);
	enum thaw_status status = thaw_conn_read(visit->conn, visit->bytes + visit->len, max, &got, NO_TIME);

	visit->len += got;
	return status;
}

static bool read_more(struct visit *visit, size_t max)
{
	enum thaw_status status = read_some(visit, max);

	return status == THAW_OK || wait_for(visit, status);
}

static bool write_all(struct visit *visit, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t put = 0;
		enum thaw_status status = tls_conn_write(visit->link, bytes, len, &put, &visit->err);
		if (status != THAW_OK && !wait_for(visit, status))
			return false;
		bytes += put;
		len -= put;
	}
	return true;
}

/* False: no head. The status for an error response is 0 unless the head is malformed. */
static bool read_head(struct visit *visit, struct http_refusal *refusal)
{
	struct http_scan scan = {0};

	*refusal = (struct http_refusal){0};
	http_request_free(&visit->request);
	visit->request = (struct http_request){0};
	memmove(visit->bytes, visit->bytes + visit->at, visit->len - visit->at);
	visit->len -= visit->at;
	visit->at = 0;
	for (;;) {
		enum http_parse parse =
			http_head_parse(visit->bytes, visit->len, &scan, &visit->request, &visit->at, refusal);
		if (parse != HTTP_PARSE_MORE)
			return parse == HTTP_PARSE_DONE;
		if (!read_more(visit, visit->room - visit->len))
			return false;
	}
}

/* --- the ask */

static bool pending(const struct visit *visit)
{
	return thaw_conn_verdict(visit->conn) == THAW_VERDICT_PENDING;
}

/*
 * The freeze: once the read-ahead is full and there is more of the body, it reads nothing more, so the certificate
 * after that body never arrives. False: the connection is closed.
 */
static bool await_answer(struct visit *visit)
{
	while (pending(visit)) {
		size_t held = visit->len - visit->at;
		if (held > visit->context->read_ahead) {
			struct pollfd gone = {.fd = visit->fd, .events = POLLRDHUP};
			(void)poll(&gone, 1, (int)visit->context->limit_s * 1000);
			return false;
		}
		enum thaw_status status = read_some(visit, visit->context->read_ahead + 1 - held);
		if (status != THAW_OK && pending(visit) && !wait_for(visit, status))
			return false;
	}
	return true;
}

/* THAW_REASON_NONE: the client has a trusted certificate. THAW_REASON_CONNECTION: the connection is closed. */
static enum thaw_reason ask(struct visit *visit)
{
	const struct thaw_ask_options options = {.size = sizeof(options),
						 .trust = visit->context->trust,
						 .moment = THAW_MOMENT_HEADERS,
						 .body_follows = true,
						 .early = true,
						 .timeout_ms = THAW_NEVER};
	enum thaw_status status = thaw_conn_means(visit->conn, NULL) == THAW_MEANS_HANDSHAKE
					  ? thaw_conn_check(visit->conn, visit->context->trust, NO_TIME)
					  : thaw_conn_ask(visit->conn, &options, NO_TIME);

	if (status != THAW_OK || !await_answer(visit))
		return THAW_REASON_CONNECTION;
	return thaw_conn_report(visit->conn)->reason;
}

/* --- the body */

static bool take(struct body *body, const char *data, size_t len)
{
	body->bytes += len;
	return tls_digest_add(body->digest, data, len);
}

/* HTTP_CHUNK_MORE: all available bytes were used. */
static enum http_chunk use(struct visit *visit, struct body *body)
{
	const char *data = visit->bytes + visit->at;
	size_t here = visit->len - visit->at, used = 0;
	struct http_span span = {NULL, 0};
	struct http_refusal refusal;
	enum http_chunk chunk = HTTP_CHUNK_DATA;

	if (body->framing == HTTP_BODY_CHUNKED) {
		chunk = http_chunked_decode(&body->chunked, data, here, &used, &span, &refusal);
		span.len = chunk == HTTP_CHUNK_DATA ? span.len : 0;
	} else {
		used = body->left < here ? (size_t)body->left : here;
		span = (struct http_span){data, used};
		body->left -= used;
		chunk = body->left == 0 ? HTTP_CHUNK_END : HTTP_CHUNK_MORE;
	}
	visit->at += used;
	return span.len == 0 || take(body, span.at, span.len) ? chunk : HTTP_CHUNK_BAD;
}

/* Reads the whole body; used bytes make room for new ones. False: the body is incomplete. */
static bool read_body(struct visit *visit, struct body *body)
{
	size_t begin = visit->at;
	enum http_chunk chunk;

	while ((chunk = use(visit, body)) != HTTP_CHUNK_END) {
		if (chunk == HTTP_CHUNK_BAD)
			return false;
		if (chunk == HTTP_CHUNK_DATA)
			continue;
		visit->at = visit->len = begin;
		if (!read_more(visit, visit->room - begin))
			return false;
	}
	return tls_digest_end(body->digest, body->sha256);
}

/* --- the response */

static bool respond(struct visit *visit, unsigned status, const char *json, bool close)
{
	char head[512];
	struct http_writer writer;
	size_t len = strlen(json);

	http_writer_init(&writer, head, sizeof(head));
	http_write_status(&writer, status);
	http_write_field(&writer, "Content-Type", "application/json");
	http_write_field_number(&writer, "Content-Length", len);
	if (close)
		http_write_field(&writer, "Connection", "close");
	http_write_end(&writer);
	return !writer.overflow && write_all(visit, head, writer.len) &&
	       (visit->request.is_head || write_all(visit, json, len)) && !close;
}

static bool refuse(struct visit *visit, unsigned status, const char *error, bool close)
{
	char json[ANSWER_MAX];

	(void)snprintf(json, sizeof(json), "{\"error\": \"%s\"}\n", error);
	return respond(visit, status, json, close);
}

static bool answer(struct visit *visit, struct body *body)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct http_request *request = &visit->request;
	bool waiting = request->expect_continue && visit->at == visit->len, close = !request->keep_alive;
	char json[ANSWER_MAX];
	enum thaw_reason reason = http_span_equal(request->path, "/") ? THAW_REASON_NONE : ask(visit);

	if (reason == THAW_REASON_CONNECTION)
		return false;
	waiting = waiting && visit->at == visit->len; /* the client may have sent the body without waiting */
	if (reason != THAW_REASON_NONE && waiting)
		return refuse(visit, 403, thaw_reason_name(reason), true);
	if (waiting && !write_all(visit, go_on, sizeof(go_on) - 1))
		return false;
	if (!read_body(visit, body))
		return false;
	if (reason != THAW_REASON_NONE)
		return refuse(visit, 403, thaw_reason_name(reason), close);
	/* The method is a token (RFC 9110 5.6.2) and needs no escaping. */
	(void)snprintf(json, sizeof(json), "{\"method\": \"%.*s\", \"body_bytes\": %llu, \"body_sha256\": \"%s\"}\n",
		       (int)request->method.len, request->method.at, (unsigned long long)body->bytes, body->sha256);
	return respond(visit, 200, json, close);
}

/* Serves one request. Returns whether another may follow. */
static bool serve_one(struct visit *visit)
{
	struct http_refusal refusal;

	if (!read_head(visit, &refusal))
		return refusal.status != 0 && refuse(visit, refusal.status, refusal.why, true);
	struct body body = {.framing = visit->request.framing, .digest = tls_digest_new()};
	body.left = body.framing == HTTP_BODY_LENGTH ? visit->request.length : 0;
	http_chunked_init(&body.chunked);
	bool more = body.digest != NULL && answer(visit, &body);
	tls_digest_free(&body.digest);
	return more;
}

int visit_serve(const struct visit_context *context, int fd)
{
	struct visit *visit = malloc(sizeof(*visit));
	int code = EX_OSERR;

	if (visit == NULL)
		return code;
	*visit = (struct visit){.context = context, .fd = fd, .room = HTTP_HEAD_DEFAULT + context->read_ahead + 1};
	visit->bytes = malloc(visit->room);
	visit->link = visit->bytes != NULL ? tls_conn_new(context->server, socket_transport(&visit->fd)) : NULL;
	if (visit->link != NULL && thaw_conn_new(tls_conn_ssl(visit->link), &visit->conn, NULL) == THAW_OK) {
		code = EX_OK;
		if (shake_hands(visit))
			while (serve_one(visit))
				;
		tls_conn_close_notify(visit->link);
	}
	thaw_conn_free(&visit->conn);
	tls_conn_free(&visit->link);
	http_request_free(&visit->request);
	free(visit->bytes);
	free(visit);
	(void)close(fd);
	return code;
}
