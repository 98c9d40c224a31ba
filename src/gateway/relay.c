/* Forwards the response of an upstream's server to the client. */
#include <string.h>

#include "gateway/answer.h"
#include "gateway/forward.h"
#include "gateway/gather.h"
#include "gateway/pin.h"
#include "gateway/proxy.h"

#define HEAD_EXTRA (256 + GW_HEADERS_MAX) /* of a forwarded head: what the gateway adds to it */

/* ---- the body ---- */

static void batch_data(struct gw_proxy *proxy, struct gw_batch *batch, const char *data, size_t len)
{
	if (proxy->to_chunks) {
		gw_batch_chunk(batch, data, len);
	} else {
		memcpy(batch->at + batch->len, data, len);
		batch->len += len;
	}
}

/* The response is complete. extra: the server has sent more data after it. */
static void complete(struct gw_stream *stream, struct gw_batch *batch, bool extra)
{
	struct gw_proxy *proxy = stream->upstream;
	const struct gw_trailer_rules rules = {.headers = &gw_headers_of(stream)->response};

	if (proxy->to_chunks)
		gw_forward_end(&rules, &proxy->trailers, batch);
	stream->conn->protocol->finish(stream, &proxy->trailers);
	/* After a repair the next bytes may be ambiguous, too, so the connection is not reused. */
	bool keep = proxy->reusable && !extra && stream->repairs == 0 &&
		    (proxy->up == GW_UP_DONE || proxy->up == GW_UP_ENDED) && buffer_left(&proxy->unsent) == 0;
	if (keep && proxy->pinned)
		gw_pin_put(stream->conn, proxy->upstream, &proxy->upconn);
	gw_proxy_give(proxy, keep ? GW_UPCONN_KEEP : GW_UPCONN_DROP, gw_stream_now(stream));
}

/* The result of decoding a piece of the body. */
enum piece {
	PIECE_MORE,
	PIECE_LAST,  /* the response is complete */
	PIECE_EXTRA, /* the same, and the server has sent more data after it */
	PIECE_BAD,   /* malformed: *why */
};

static enum piece last(bool extra)
{
	return extra ? PIECE_EXTRA : PIECE_LAST;
}

/* Decodes as many of the server's bytes as fit in one batch. */
static enum piece batch_body(struct gw_stream *stream, struct gw_batch *batch, const char *bytes, size_t len,
			     const char **why)
{
	struct gw_proxy *proxy = stream->upstream;
	struct http_refusal refusal = {0};
	struct http_span data;
	size_t used = 0;

	switch (proxy->framing) {
	case HTTP_RESPONSE_NONE:
		return last(len > 0);
	case HTTP_RESPONSE_LENGTH:
		used = len < proxy->left ? len : (size_t)proxy->left;
		if (used > 0)
			batch_data(proxy, batch, bytes, used);
		proxy->left -= used;
		stream->body_out += used;
		return proxy->left == 0 ? last(len > used) : PIECE_MORE;
	case HTTP_RESPONSE_UNTIL_CLOSE:
		if (len > 0)
			batch_data(proxy, batch, bytes, len);
		stream->body_out += len;
		return PIECE_MORE;
	case HTTP_RESPONSE_CHUNKED:
		break;
	}
	for (;;) {
		enum http_chunk chunk = http_chunked_decode(&proxy->chunked, bytes, len, &used, &data, &refusal);
		bytes += used;
		len -= used;
		if (chunk == HTTP_CHUNK_DATA) {
			batch_data(proxy, batch, data.at, data.len);
			stream->body_out += data.len;
		} else if (chunk == HTTP_CHUNK_END) {
			return last(len > 0);
		} else {
			*why = refusal.why;
			return chunk == HTTP_CHUNK_MORE ? PIECE_MORE : PIECE_BAD;
		}
	}
}

/* Aborts a response that has begun and cannot be completed. */
static void break_off(struct gw_stream *stream, const char *note)
{
	struct gw_proxy *proxy = stream->upstream;

	gw_notice(stream->gateway, gw_proxy_notice(stream), CONFIG_LOG_WARNING, gw_stream_now(stream),
		  "upstream %s, %s: response aborted: %s", proxy->upstream->name,
		  proxy->upconns->ops->server(proxy->upconn), note);
	gw_proxy_give(proxy, GW_UPCONN_FAIL, gw_stream_now(stream));
	(void)gw_cut(stream, note);
}

/* Sends the batch with a piece of the body to the client. Of a malformed piece, it has the part before the error. */
static void pass_piece(struct gw_stream *stream, struct gw_batch *batch, enum piece piece)
{
	bool done = piece == PIECE_LAST || piece == PIECE_EXTRA;

	if (done)
		complete(stream, batch, piece == PIECE_EXTRA);
	if (!gw_send(stream, batch)) {
		(void)gw_cut(stream, "the response could not be written to the client");
		return;
	}
	if (piece == PIECE_BAD)
		break_off(stream, "the upstream sent a malformed chunk");
	else if (done)
		gw_stream_enter(stream, GW_REPLY);
}

/* The server has ended its connection. orderly: without an error. */
static void body_ends(struct gw_stream *stream, bool orderly)
{
	struct gw_proxy *proxy = stream->upstream;
	struct gw_batch batch = {.at = stream->gateway->batch, .room = GW_BATCH_MAX};

	if (proxy->framing != HTTP_RESPONSE_UNTIL_CLOSE || !orderly) {
		break_off(stream, "the upstream closed the connection in the middle of its response");
		return;
	}
	complete(stream, &batch, false);
	if (!gw_send(stream, &batch))
		(void)gw_cut(stream, "the response could not be written to the client");
	else
		gw_stream_enter(stream, GW_REPLY);
}

static bool down_body(struct gw_stream *stream, struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;
	struct gw_batch batch = {.at = stream->gateway->batch, .room = GW_BATCH_MAX};

	if (gw_unwritten(stream)) {
		waits->client_write = true;
		return false;
	}
	ssize_t n = proxy->server.ops->read(proxy->server.io, stream->gateway->down, stream->conn->protocol->piece);
	if (n == TRANSPORT_BLOCKED) {
		waits->server_read = true;
		return false;
	}
	if (n <= 0) {
		body_ends(stream, n == TRANSPORT_END);
		return true;
	}
	stream->conn->work += (size_t)n;
	pace_stop(&proxy->pace); /* server-sent events are short: the full limit applies again before each of them */
	const char *why = NULL;
	enum piece piece = batch_body(stream, &batch, stream->gateway->down, (size_t)n, &why);
	pass_piece(stream, &batch, piece);
	return true;
}

/* Waits only for the client: input from the server causes no wake-up, and the server's timeout does not run. */
static enum gw_step wait_for_client(struct gw_stream *stream)
{
	struct gw_proxy *proxy = stream->upstream;
	struct gw_waits waits = {.client_write = true};

	gw_proxy_paces(stream, &waits);
	if (proxy->upconn != NULL)
		proxy->upconns->ops->watch(proxy->upconn, waits.server_read, waits.server_write);
	return stream->conn->protocol->make_way(stream);
}

enum gw_step gw_proxy_relay(struct gw_stream *stream)
{
	enum thaw_status status = gw_unwritten(stream) ? stream->conn->protocol->flush(stream) : THAW_OK;

	if (status == THAW_FAILED || status == THAW_CLOSED)
		return gw_cut(stream, stream->gateway->err.text);
	/* The server accepts no more of the body, but the client is still sending it, and perhaps does not read before
	 * it has finished: see make_way(). */
	if (status != THAW_OK && gw_proxy_of(stream)->up == GW_UP_DEAD)
		return wait_for_client(stream);
	return gw_proxy_drive(stream, gw_proxy_up, down_body);
}

/* ---- the head ---- */

static void write_length(const struct http_response *answer, struct gw_proxy *proxy, bool chunks,
			 struct http_writer *writer)
{
	switch (answer->framing) {
	case HTTP_RESPONSE_LENGTH:
		http_write_field_number(writer, "Content-Length", answer->length);
		break;
	case HTTP_RESPONSE_NONE:
		if (answer->has_length) /* for HEAD and 304: the length that GET would return (RFC 9110 8.6) */
			http_write_field_number(writer, "Content-Length", answer->length);
		break;
	case HTTP_RESPONSE_CHUNKED:
	case HTTP_RESPONSE_UNTIL_CLOSE:
		proxy->to_chunks = chunks;
		if (chunks)
			http_write_field(writer, "Transfer-Encoding", "chunked");
		break;
	}
}

/* headers: NULL for an informational response. */
static void write_fields(const struct gw_proxy *proxy, const struct http_response *answer,
			 const struct config_headers *headers, struct http_writer *writer)
{
	struct http_hops hops;

	http_hops_of(&hops, answer->fields, answer->field_count);
	for (size_t i = 0; i < answer->field_count; i++) {
		struct http_span name = answer->fields[i].name;
		if (!http_hops_has(&hops, name) && !http_span_equal_nocase(name, "Content-Length") &&
		    !http_span_equal_nocase(name, "Transfer-Encoding") &&
		    !(headers != NULL && gw_headers_replace(headers, name)))
			gw_rewrite_response(&proxy->rewrite, &answer->fields[i], writer);
	}
}

static void write_head(struct gw_stream *stream, const struct http_response *answer, struct http_writer *writer)
{
	struct gw_proxy *proxy = stream->upstream;
	const struct http_request *head = &stream->head;
	const struct config_headers *headers = answer->status >= 200 ? &gw_headers_of(stream)->response : NULL;

	http_write_status_line(writer, answer->status, answer->phrase);
	write_fields(proxy, answer, headers, writer);
	if (headers != NULL && headers->count > 0) {
		const struct gw_origin origin = gw_origin_of(stream);
		gw_headers_write(&origin, headers, writer);
	}
	if (answer->status == 101) {
		http_write_field(writer, "Connection", "upgrade");
		http_write_span(writer, (struct http_span){"Upgrade", 7}, http_response_find(answer, "Upgrade")->value);
	} else if (answer->status >= 200) {
		if (http_response_find(answer, "Date") == NULL) /* RFC 9110 6.6.1 */
			http_write_date(writer, gw_wall(stream->conn, gw_stream_now(stream)) / 1000);
		write_length(answer, proxy, stream->conn->protocol->text && head->minor == 1, writer);
		if (stream->close_after)
			http_write_field(writer, "Connection", "close");
		else if (head->minor == 0)
			http_write_field(writer, "Connection", "keep-alive");
	}
	http_write_end(writer);
}

/* Whether the client's connection ends with this response. */
static bool closes(const struct gw_stream *stream, const struct http_response *answer)
{
	bool framed = answer->framing != HTTP_RESPONSE_CHUNKED && answer->framing != HTTP_RESPONSE_UNTIL_CLOSE;

	return stream->conn->retiring || gw_overtaken(stream) || !stream->head.keep_alive || stream->cut_off ||
	       !stream->body.ended || stream->spool != NULL || (stream->head.minor == 0 && !framed);
}

static bool make_batch(struct gw_stream *stream, const struct http_response *answer, struct gw_batch *batch)
{
	struct http_writer writer;

	http_writer_init(&writer, batch->at, HTTP_HEAD_MAX + HEAD_EXTRA);
	write_head(stream, answer, &writer);
	batch->len = writer.len;
	return !writer.overflow;
}

/* Forwards an informational response (RFC 9110 15.2); a 100 Continue only if the client waits for it. */
static void inform(struct gw_stream *stream, const struct http_response *answer)
{
	struct gw_proxy *proxy = stream->upstream;
	struct gw_batch batch = {.at = stream->gateway->batch, .room = GW_BATCH_MAX};

	if (answer->status == 100) {
		bool waits = stream->expect == GW_EXPECT_PASSED && stream->body.received == 0;
		gw_expect_enter(stream, GW_EXPECT_NONE);
		proxy->continue_ms = THAW_NEVER;
		if (waits)
			(void)gw_continue(stream);
		return;
	}
	if (stream->head.minor == 0)
		return;
	if (make_batch(stream, answer, &batch) &&
	    (!gw_send_head(stream, answer->status, &batch, batch.len, false) || !gw_send(stream, &batch)))
		(void)gw_abandon(stream, "the response could not be written to the client");
}

/* Begins the final response: its head, and the bytes received after it. */
static void begin(struct gw_stream *stream, const struct http_response *answer, const char *bytes, size_t len)
{
	struct gw_proxy *proxy = stream->upstream;
	struct gw_batch batch = {.at = stream->gateway->batch, .room = GW_BATCH_MAX};
	const char *why = NULL;

	stream->close_after = closes(stream, answer);
	if (!make_batch(stream, answer, &batch)) {
		gw_proxy_server_gone(stream,
				     "the head of the upstream's response is too large after fields were added");
		return;
	}
	proxy->framing = answer->framing;
	proxy->left = answer->framing == HTTP_RESPONSE_LENGTH ? answer->length : 0;
	proxy->reusable = answer->keep_alive && answer->framing != HTTP_RESPONSE_UNTIL_CLOSE;
	proxy->pinned = proxy->pinned || gw_pin_by_answer(answer);
	http_chunked_init(&proxy->chunked);
	proxy->chunked.trailers = &proxy->trailers;
	proxy->chunked.repairs = &stream->repairs;
	bool switches = answer->status == 101;
	size_t head = batch.len;
	enum piece piece = switches ? PIECE_MORE : batch_body(stream, &batch, bytes, len, &why);
	if (piece == PIECE_BAD) { /* nothing is written yet, so the client can still get an error response */
		gw_proxy_server_gone(stream, why);
		return;
	}
	bool whole = !switches && piece != PIECE_MORE && batch.len == head;
	if (!gw_send_head(stream, answer->status, &batch, head, whole)) {
		gw_proxy_server_gone(stream, "the head of the upstream's response cannot be sent to the client");
		return;
	}
	stream->status = answer->status;
	gw_proxy_count(stream, SCOREBOARD_ANSWERED);
	proxy->continue_ms = THAW_NEVER;
	if (switches) {
		gw_tunnel_begin(stream, &batch, bytes, len);
		return;
	}
	pace_stop(&proxy->pace);
	gw_stream_enter(stream, GW_RELAY);
	pass_piece(stream, &batch, piece);
}

/* Buffers an incomplete head. False: out of memory, or the head is too long. */
static bool keep_head(struct gw_proxy *proxy, const char *bytes, size_t len)
{
	buffer_free(&proxy->head);
	return buffer_append(&proxy->head, HTTP_HEAD_MAX, bytes, len);
}

/* Parses the heads of responses. bytes: all data from the server, without the heads that were already processed. */
static void take_heads(struct gw_stream *stream, char *bytes, size_t len)
{
	struct gw_proxy *proxy = stream->upstream;
	struct http_request_kind ask = {.is_head = stream->head.is_head, .upgrade = proxy->upgrade};
	struct http_refusal refusal = {0};
	struct http_response answer;
	size_t used = 0;

	while (len > 0) {
		switch (http_response_parse(bytes, len, &ask, &proxy->head_scan, &answer, &used, &refusal)) {
		case HTTP_PARSE_MORE:
			if (!keep_head(proxy, bytes, len))
				gw_proxy_server_gone(stream, "the head of the upstream's response is too large");
			return;
		case HTTP_PARSE_BAD:
			gw_proxy_server_gone(stream, refusal.why);
			return;
		case HTTP_PARSE_DONE:
			break;
		}
		proxy->head_scan = (struct http_scan){.limits = &proxy->limits};
		stream->repairs |= answer.repairs;
		bytes += used;
		len -= used;
		if (answer.status == 101 &&
		    !gw_forward_may_switch(stream->route->config, http_response_find(&answer, "Upgrade")->value)) {
			gw_proxy_server_gone(
				stream, "the upstream responded 101 with a protocol that the route does not allow");
			return;
		}
		if (answer.status >= 200 || answer.status == 101) {
			begin(stream, &answer, bytes, len);
			return;
		}
		if (++proxy->informed > GW_INFORM_MAX) {
			gw_proxy_server_gone(stream, "the upstream sent too many informational responses");
			return;
		}
		inform(stream, &answer);
		if (stream->state != GW_PASS)
			return;
	}
	buffer_free(&proxy->head);
}

bool gw_proxy_down_head(struct gw_stream *stream, struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;
	size_t kept = buffer_left(&proxy->head), room = stream->conn->protocol->piece;

	/* At most one piece of the body may follow the head; the head itself may be as long as one piece. */
	room = kept < room ? room - kept : room;
	if (gw_unwritten(stream)) { /* informational responses must be written first */
		waits->client_write = true;
		return false;
	}
	waits->server_read = true;
	if (proxy->just_sent)
		return false;
	/* Puts the bytes received earlier before the new ones. */
	if (kept > 0)
		memcpy(stream->gateway->down, buffer_first(&proxy->head), kept);
	ssize_t n = proxy->server.ops->read(proxy->server.io, stream->gateway->down + kept, room);
	if (n == TRANSPORT_BLOCKED)
		return false;
	if (n <= 0) {
		gw_proxy_server_gone(stream, "the upstream closed the connection without a response");
		return true;
	}
	proxy->heard = true;
	stream->conn->work += (size_t)n;
	pace_progress(&proxy->pace, (uint64_t)n, gw_stream_now(stream));
	take_heads(stream, stream->gateway->down, kept + (size_t)n);
	return true;
}
