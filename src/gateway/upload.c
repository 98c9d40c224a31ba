/* The request on its way up: gathered from the spool, from what is here, and from the client, into one batch at a time.
 */
#include <string.h>

#include "gateway/forward.h"
#include "gateway/proxy.h"

#define CHUNK_ROOM (HTTP_CHUNK_SIZE_MAX + 2) /* around a chunk's data: its size line, and the CRLF behind it */

static void pack_bytes(struct gw_pack *pack, const void *bytes, size_t len)
{
	memcpy(pack->at + pack->len, bytes, len);
	pack->len += len;
}

void gw_pack_chunk(struct gw_pack *pack, const char *data, size_t len)
{
	char line[HTTP_CHUNK_SIZE_MAX] = "";

	pack_bytes(pack, line, http_write_chunk_size(line, len));
	pack_bytes(pack, data, len);
	pack_bytes(pack, "\r\n", 2);
}

/* What a gathering came to. */
enum gather {
	GATHER_MORE, /* the pack is full: send it, and go on */
	GATHER_READ, /* the client has no more now */
	GATHER_WRITE,
	GATHER_END,
	GATHER_OVER, /* the request is over: refused, or its client is gone */
};

/* From what is here already: as much of a span as there is room for. */
static void pack_span(struct gw_request *request, struct gw_pack *pack)
{
	size_t room = pack->room - pack->len - CHUNK_ROOM,
	       len = request->body.span.len < room ? request->body.span.len : room;

	if (request->body.framing == HTTP_BODY_CHUNKED)
		gw_pack_chunk(pack, request->body.span.at, len);
	else
		pack_bytes(pack, request->body.span.at, len);
	gw_body_took(request, len);
	request->proxy->body_taken += len;
}

/*
 * The body cannot be gone on with. While there is no response, that is one; once the server's own is on its way, that
 * goes on, and what still comes of the body is nobody's any more.
 */
static enum gather give_up(struct gw_conn *conn, enum gw_problem problem, const struct http_refusal *refusal)
{
	if (conn->state == GW_PASS)
		(void)gw_refuse(conn, problem, refusal);
	else
		conn->request->proxy->up = GW_UP_DEAD;
	return GATHER_OVER;
}

static enum gather read_failed(struct gw_conn *conn, enum thaw_status status)
{
	switch (status) {
	case THAW_WANT_READ:
		return GATHER_READ;
	case THAW_WANT_WRITE:
		return GATHER_WRITE;
	case THAW_CLOSED:
		return give_up(conn, GW_PROBLEM_CUT_OFF, NULL);
	case THAW_FAILED:
	case THAW_OK:
		(void)gw_cut(conn, thaw_conn_error(conn->ask)->text);
		break;
	}
	return GATHER_OVER;
}

/* A body of known length is read straight into the pack. */
static enum thaw_status read_straight(struct gw_conn *conn, struct gw_pack *pack)
{
	struct gw_request *request = conn->request;
	size_t room = pack->room - pack->len, got = 0;

	if (room > request->body.left)
		room = (size_t)request->body.left;
	enum thaw_status status = thaw_read(conn->ask, pack->at + pack->len, room, &got, conn->now_ms);
	pack->len += got;
	request->body.left -= got;
	request->body.received += got;
	request->body.ended = request->body.left == 0;
	request->proxy->body_taken += got;
	conn->work += got;
	pace_progress(&conn->pace, got, conn->now_ms);
	return status;
}

static enum gather read_more(struct gw_conn *conn, struct gw_pack *pack)
{
	struct gw_request *request = conn->request;
	enum thaw_status status = THAW_OK;

	if (request->body.framing == HTTP_BODY_LENGTH) {
		status = read_straight(conn, pack);
	} else if (gw_body_fill(conn, &status) != THAW_REASON_NONE) {
		return give_up(conn, GW_PROBLEM_MEMORY, NULL);
	}
	return status == THAW_OK ? GATHER_MORE : read_failed(conn, status);
}

/* The spool's oldest piece. */
static enum gather pack_spooled(struct gw_conn *conn, struct gw_pack *pack)
{
	struct gw_request *request = conn->request;
	const void *data = NULL;
	size_t len = 0, room = pack->room - pack->len - CHUNK_ROOM;
	enum thaw_reason reason = thaw_spool_peek(request->spool, &data, &len);

	if (reason != THAW_REASON_NONE && conn->state == GW_PASS) {
		(void)gw_refuse_verdict(conn, THAW_VERDICT_OVER_LIMIT, reason, "");
		return GATHER_OVER;
	}
	if (reason != THAW_REASON_NONE) {
		gw_notice_refused(conn, reason);
		return give_up(conn, GW_PROBLEM_MEMORY, NULL);
	}
	if (len == 0) {
		thaw_spool_free(&request->spool);
		return GATHER_MORE;
	}
	if (len > room)
		len = room;
	if (request->body.framing == HTTP_BODY_CHUNKED)
		gw_pack_chunk(pack, data, len);
	else
		pack_bytes(pack, data, len);
	thaw_spool_consume(request->spool, len);
	request->proxy->body_taken += len;
	return GATHER_MORE;
}

/* One step of filling the pack. */
static enum gather gather_some(struct gw_conn *conn, struct gw_pack *pack)
{
	struct gw_request *request = conn->request;
	struct http_refusal refusal = {0};

	if (request->spool != NULL)
		return pack_spooled(conn, pack);
	switch (gw_body_next(request, &refusal)) {
	case GW_BODY_SPAN:
		pack_span(request, pack);
		return GATHER_MORE;
	case GW_BODY_NEED:
		return read_more(conn, pack);
	case GW_BODY_END:
		if (request->body.framing == HTTP_BODY_CHUNKED)
			gw_forward_end(gw_conn_host(conn)->config, &request->body.trailers, pack);
		return GATHER_END;
	case GW_BODY_BAD:
		break;
	}
	return give_up(conn, GW_PROBLEM_MALFORMED, &refusal);
}

static enum gather gather(struct gw_conn *conn, struct gw_pack *pack)
{
	enum gather came = GATHER_MORE;

	while (came == GATHER_MORE && pack->room - pack->len >= GW_PACK_LEAST)
		came = gather_some(conn, pack);
	return came;
}

/* The head as the server gets it, at the beginning of the pack. False: refused. */
static bool pack_head(struct gw_conn *conn, struct gw_pack *pack)
{
	struct gw_proxy *proxy = conn->request->proxy;
	struct http_writer writer;

	http_writer_init(&writer, pack->at, GW_UP_HEAD_MAX);
	gw_forward_head(conn, &writer);
	if (writer.overflow) {
		if (conn->told.too_large)
			conn->request->note = "the client certificate does not fit the identity fields";
		(void)gw_refuse(conn, conn->told.too_large ? GW_PROBLEM_IDENTITY_SIZE : GW_PROBLEM_MEMORY, NULL);
		return false;
	}
	pack->len = writer.len;
	if (proxy->expects)
		proxy->continue_ms = conn->now_ms + GW_CONTINUE_MS;
	return true;
}

static bool pump(struct gw_conn *conn, struct gw_waits *waits)
{
	struct gw_proxy *proxy = conn->request->proxy;
	struct gw_pack pack = {.at = conn->gateway->pack, .room = GW_PACK_MAX};

	if (proxy->up == GW_UP_HEAD && !pack_head(conn, &pack))
		return true;
	enum gather came = gather(conn, &pack);
	if (came == GATHER_OVER)
		return true;
	proxy->up = came == GATHER_END ? GW_UP_DONE : GW_UP_BODY;
	waits->client_read = came == GATHER_READ;
	waits->client_write = came == GATHER_WRITE;
	if (pack.len == 0)
		return came == GATHER_END;
	if (!gw_proxy_send(conn, pack.at, pack.len))
		(void)give_up(conn, GW_PROBLEM_MEMORY, NULL);
	return true;
}

/* All that is owed to the server is written: the client may end its connection meanwhile, or send its next request. */
static bool look_at_client(struct gw_conn *conn, struct gw_waits *waits)
{
	struct gw_proxy *proxy = conn->request->proxy;
	enum thaw_status status = THAW_OK;

	if (proxy->client_ended || proxy->just_sent || !conn->request->body.ended) {
		waits->client_read = proxy->just_sent && !proxy->client_ended && conn->request->body.ended;
		return false;
	}
	enum thaw_reason reason = gw_body_fill(conn, &status);
	if (reason == THAW_REASON_NO_MEMORY) { /* bytes of the next request are lost */
		(void)(conn->state == GW_PASS ? gw_refuse(conn, GW_PROBLEM_MEMORY, NULL)
					      : gw_cut(conn, "out of memory"));
		return true;
	}
	if (reason != THAW_REASON_NONE) /* as much as may lie here lies here */
		return false;
	if (status == THAW_FAILED) {
		(void)gw_cut(conn, "the client broke the connection off");
		return true;
	}
	proxy->client_ended = status == THAW_CLOSED;
	conn->request->cut_off = conn->request->cut_off || proxy->client_ended;
	waits->client_read = status == THAW_WANT_READ;
	waits->client_write = status == THAW_WANT_WRITE;
	return status == THAW_OK;
}

bool gw_proxy_up(struct gw_conn *conn, struct gw_waits *waits)
{
	struct gw_proxy *proxy = conn->request->proxy;

	if (proxy->unsent.bytes != NULL)
		return gw_proxy_send_kept(conn, waits);
	switch (proxy->up) {
	case GW_UP_HEAD:
	case GW_UP_BODY:
		return pump(conn, waits);
	case GW_UP_DONE:
		return look_at_client(conn, waits);
	case GW_UP_DEAD:
		break;
	}
	return false;
}
