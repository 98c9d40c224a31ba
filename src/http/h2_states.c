/* The states of a connection, its failures, and the end of its streams. */
#include <stdlib.h>

#include "base/require.h"
#include "http/h2_inside.h"

#define BIT(state) (1U << (state))

static const struct {
	const char *name;
	unsigned next;
} states[H2_STATES] = {
	[H2_OPEN] = {"open", BIT(H2_NOTICE) | BIT(H2_STOPPING) | BIT(H2_FAILED) | BIT(H2_ERROR_SENT) | BIT(H2_OVER)},
	[H2_NOTICE] = {"notice", BIT(H2_STOPPING) | BIT(H2_FAILED) | BIT(H2_ERROR_SENT) | BIT(H2_OVER)},
	[H2_STOPPING] = {"stopping", BIT(H2_FAILED) | BIT(H2_ERROR_SENT) | BIT(H2_OVER)},
	[H2_FAILED] = {"failed", BIT(H2_OVER)},
	[H2_ERROR_SENT] = {"error-sent", BIT(H2_OVER)},
	[H2_OVER] = {"over", 0},
};

void h2_enter(struct h2_server *server, enum h2_state to)
{
	enum h2_state from = server->state;

	if (require_transition((states[from].next & BIT(to)) != 0, "h2", states[from].name, states[to].name))
		server->state = to;
	else if (h2_usable(server))
		server->state = H2_FAILED;
}

void h2_server_fail(struct h2_server *server, uint32_t code, const char *why)
{
	if (!h2_usable(server))
		return;
	server->end = (struct h2_end){.code = code, .why = why};
	h2_enter(server, H2_FAILED);
}

void h2_check(struct h2_server *server, int result)
{
	if (result == 0 || !nghttp2_is_fatal(result))
		return;
	if (result == NGHTTP2_ERR_NOMEM)
		h2_server_fail(server, H2_INTERNAL_ERROR, "out of memory");
	else if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
		h2_server_fail(server, H2_PROTOCOL_ERROR, "no preface of HTTP/2");
	else if (result == NGHTTP2_ERR_FLOODED)
		h2_server_fail(server, H2_ENHANCE_YOUR_CALM, "too many acknowledgements wait");
	else
		h2_server_fail(server, H2_INTERNAL_ERROR, nghttp2_strerror(result));
}

/* The stream is in no list any more. */
static void finish(struct h2_server *server, struct h2_stream *stream, uint32_t code)
{
	server->count--;
	server->heads -= stream->room;
	if (h2_usable(server) && stream->held > 0)
		h2_check(server, nghttp2_session_consume_connection(h2_session(server), stream->held));
	if (stream->owner == H2_OWNER_CALLER)
		server->ops->gone(server->arg, stream, code);
	free(stream);
}

void h2_close(struct h2_server *server, struct h2_stream *stream, uint32_t code)
{
	if (stream->next != NULL)
		stream->next->prev = stream->prev;
	if (stream->prev != NULL)
		stream->prev->next = stream->next;
	else
		server->streams = stream->next;
	finish(server, stream, code);
}

void h2_close_all(struct h2_server *server, uint32_t code)
{
	struct h2_stream *first;

	while ((first = server->streams) != NULL) {
		server->streams = first->next;
		if (first->next != NULL)
			first->next->prev = NULL;
		finish(server, first, code);
	}
}

void h2_rst(struct h2_stream *stream, uint32_t code)
{
	struct h2_server *server = stream->server;

	if (h2_usable(server))
		h2_check(server, nghttp2_submit_rst_stream(h2_session(server), NGHTTP2_FLAG_NONE, stream->id, code));
}

void h2_reset_dropped(struct h2_server *server)
{
	server->resets_due = false;
	for (struct h2_stream *stream = server->streams; stream != NULL; stream = stream->next) {
		if (stream->send != H2_SEND_ENDED || stream->receive != H2_RECEIVE_DROPS)
			continue;
		stream->receive = H2_RECEIVE_STOPPED;
		h2_rst(stream, H2_NO_ERROR);
	}
}
