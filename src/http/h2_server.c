/* Lifecycle of a connection. h2_receive.c and h2_send.c have nghttp2's callbacks, h2_states.c the states, h2_budget.c
 * the limits. */
#include "http/h2_server.h"

#include <stdlib.h>
#include <string.h>

#include "http/h2_inside.h"
#include "http/lines.h"

/* The most queued acknowledgements, resets and window updates for a client that does not read. */
#define QUEUE_MAX 1024

#define NO_LIMIT UINT32_MAX /* nghttp2's default */

#define FRAME_MAX                                                                                          \
	((size_t)H2_FRAME_LEN + 16384 + 1) /* the longest frame that nghttp2 sends, whose rest may be kept \
					    */

static void put_32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Prepares our own GOAWAY: nghttp2's queue is discarded, since the failure may be that nghttp2 is out of memory. The
 * first frame must be SETTINGS (RFC 9113 3.4): if nothing was sent yet, empty SETTINGS come first. */
static void say_goaway(struct h2_server *server)
{
	uint8_t *goaway = server->last + H2_FRAME_LEN;

	memset(server->last, 0, sizeof(server->last));
	server->last[3] = NGHTTP2_SETTINGS;
	goaway[2] = H2_GOAWAY_LEN - H2_FRAME_LEN;
	goaway[3] = NGHTTP2_GOAWAY;
	put_32(goaway + 9, (uint32_t)nghttp2_session_get_last_proc_stream_id(h2_session(server)));
	put_32(goaway + 13, server->end.code);
	server->last_left = server->settings_sent ? H2_GOAWAY_LEN : sizeof(server->last);
}

/* Whether nghttp2 still wants to read or write. A folded connection has received nothing since. */
static bool goes_on(struct h2_server *server)
{
	return server->memory.folded != NULL ||
	       (server->state != H2_ERROR_SENT && (nghttp2_session_want_read(h2_session(server)) != 0 ||
						   nghttp2_session_want_write(h2_session(server)) != 0));
}

/* Ends streams and the connection as needed, while nghttp2 is not on the call stack. */
static void settle(struct h2_server *server)
{
	if (server->state == H2_OVER)
		return;
	if (server->state == H2_FAILED)
		say_goaway(server);
	else if (goes_on(server))
		return;
	h2_close_all(server, server->end.code != H2_NO_ERROR ? server->end.code : H2_CANCEL);
	h2_enter(server, H2_OVER);
}

static nghttp2_option *new_options(void)
{
	nghttp2_option *options = NULL;

	if (nghttp2_option_new(&options) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(options, 1);
	/* nghttp2 would keep closed streams for priorities, which are not used. */
	nghttp2_option_set_no_closed_streams(options, 1);
	/* Each response field in the table would cost an idle connection 200 bytes. */
	nghttp2_option_set_max_deflate_dynamic_table_size(options, 0);
	/* nghttp2's own limit is 64 KiB. */
	nghttp2_option_set_max_send_header_block_length(options, (size_t)2 * HTTP_HEAD_MAX);
	/* Our own limits are in h2_budget.h; they use the caller's clock and count whole frames. */
#if H2_HAS_RESET_LIMIT
	nghttp2_option_set_stream_reset_rate_limit(options, UINT64_MAX, UINT64_MAX);
#endif
#if H2_HAS_MAX_CONTINUATIONS
	/* nghttp2 counts a frame header once for each part in which it arrives. */
	nghttp2_option_set_max_continuations(options, (size_t)H2_FRAME_LEN * (H2_CONTINUATIONS_MAX + 1));
#endif
	return options;
}

static bool new_session(struct h2_server *server)
{
	nghttp2_mem memory = h2_memory_hooks(&server->memory);
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *options = new_options();

	if (options != NULL && nghttp2_session_callbacks_new(&callbacks) == 0) {
		h2_receive_callbacks(callbacks);
		h2_send_callbacks(callbacks);
		h2_memory_begin(&server->memory);
		if (nghttp2_session_server_new3(&server->session, callbacks, server, options, &memory) != 0)
			server->session = NULL;
		server->memory.begins = false;
		nghttp2_session_callbacks_del(callbacks);
	}
	nghttp2_option_del(options);
	return server->session != NULL;
}

/* RFC 9113 3.4: SETTINGS are our first frame. The limit of streams is their first entry: see say_limit(). */
static bool greet(struct h2_server *server)
{
	const uint32_t list = (uint32_t)http_limits_of(server->head.limits)->head;
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, NO_LIMIT},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, list},
		{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
	};

	return nghttp2_submit_settings(h2_session(server), NGHTTP2_FLAG_NONE, settings,
				       sizeof(settings) / sizeof(settings[0])) == 0 &&
	       nghttp2_session_set_local_window_size(h2_session(server), NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW) ==
		       0;
}

struct h2_server *h2_server_new(const struct h2_ops *ops, void *arg, const struct http_limits *limits, uint64_t now_ms)
{
	struct h2_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->ops = ops;
	server->arg = arg;
	server->settings_due = now_ms + H2_SETTINGS_WAIT_MS;
	server->head.limits = limits;
	h2_budget_init(&server->budget, now_ms);
	server->heads_max = H2_HEADS_TIMES * http_limits_of(limits)->head;
	server->budget.block_max = H2_BLOCK_TIMES * http_limits_of(limits)->head;
	if (!new_session(server) || !greet(server))
		h2_server_free(&server);
	return server;
}

void h2_server_free(struct h2_server **server)
{
	struct h2_server *gone = *server;

	*server = NULL;
	if (gone == NULL)
		return;
	if (h2_usable(gone)) /* ops that are called now have nothing to do */
		h2_enter(gone, H2_FAILED);
	h2_close_all(gone, H2_CANCEL);
	nghttp2_session_del(h2_session(gone));
	h2_memory_end(&gone->memory);
	h2_head_free(&gone->head);
	buffer_free(&gone->left);
	free(gone);
}

bool h2_server_take(struct h2_server *server, const void *bytes, size_t len, uint64_t now_ms)
{
	if (server->state == H2_OVER)
		return false;
	uint32_t code = H2_NO_ERROR;
	const char *over = h2_usable(server) ? h2_budget_take(&server->budget, bytes, len, now_ms, &code) : NULL;
	if (over != NULL)
		h2_server_fail(server, code, over);
	if (h2_usable(server) && len > 0) {
		ssize_t taken = nghttp2_session_mem_recv(h2_session(server), bytes, len);
		h2_check(server, taken < 0 ? (int)taken : 0);
	}
	if (h2_usable(server) && nghttp2_session_get_outbound_queue_size(h2_session(server)) > QUEUE_MAX)
		h2_server_fail(server, H2_ENHANCE_YOUR_CALM, "too many frames wait to be read");
	settle(server);
	return server->state != H2_OVER;
}

/* Copies as many bytes as there is room for. */
static size_t put_out(struct h2_server *server, const void *bytes, size_t len)
{
	size_t room = server->room - server->used;

	len = len < room ? len : room;
	if (len > 0)
		memcpy(server->out + server->used, bytes, len);
	server->used += len;
	return len;
}

static void put_left(struct h2_server *server)
{
	if (buffer_left(&server->left) > 0)
		buffer_consume(&server->left, put_out(server, buffer_first(&server->left), buffer_left(&server->left)));
	if (buffer_left(&server->left) == 0)
		buffer_free(&server->left);
}

/* RFC 9113 5.1.2: a stream over the limit is refused (h2_receive.c), and the client may repeat its request. nghttp2
 * would close the whole connection, so the limit is written into our SETTINGS without telling nghttp2. */
static void say_limit(uint8_t *frame)
{
	put_32(frame + H2_FRAME_LEN + 2, H2_STREAMS_MAX); /* after the first identifier */
}

/* Copies the rest of a frame that does not fit: nghttp2's buffer is shared by all sessions (h2_memory.h). */
static void put_frames(struct h2_server *server)
{
	while (server->used < server->room && h2_usable(server) && server->memory.folded == NULL) {
		const uint8_t *bytes = NULL;
		ssize_t len = nghttp2_session_mem_send(h2_session(server), &bytes);
		h2_check(server, len < 0 ? (int)len : 0);
		if (len <= 0)
			return;
		uint8_t *at = server->out + server->used;
		size_t put = put_out(server, bytes, (size_t)len);
		if (!server->settings_sent) /* it fits in H2_PULL_LEAST */
			say_limit(at);
		server->settings_sent = true;
		if (put < (size_t)len && !buffer_append(&server->left, FRAME_MAX, bytes + put, (size_t)len - put))
			h2_check(server, NGHTTP2_ERR_NOMEM);
	}
}

size_t h2_server_pull(struct h2_server *server, void *buffer, size_t room)
{
	server->out = buffer;
	server->room = room;
	server->used = 0;
	/* Not together with the response: curl 7.88 loses a response whose RST_STREAM is in the same TLS record. */
	if (server->resets_due && buffer_left(&server->left) == 0)
		h2_reset_dropped(server);
	put_left(server);
	put_frames(server);
	settle(server);
	if (buffer_left(&server->left) == 0)
		server->last_left -=
			put_out(server, server->last + sizeof(server->last) - server->last_left, server->last_left);
	server->out = NULL;
	return server->used;
}

/* Whether h2_server_pull() may return bytes. It can be true although the client's window is empty or body() has
 * nothing. */
static bool wants_write(const struct h2_server *server)
{
	return buffer_left(&server->left) > 0 || server->last_left > 0 || server->resets_due ||
	       server->state == H2_FAILED ||
	       (h2_usable(server) && server->memory.folded == NULL && nghttp2_session_want_write(server->session) != 0);
}

void h2_server_rest(struct h2_server *server)
{
	if (h2_usable(server) && server->streams == NULL && !wants_write(server))
		h2_memory_fold(&server->memory);
}

uint64_t h2_server_deadline(const struct h2_server *server)
{
	return h2_usable(server) ? server->settings_due : THAW_NEVER;
}

void h2_server_tick(struct h2_server *server, uint64_t now_ms)
{
	if (now_ms >= h2_server_deadline(server))
		h2_server_fail(server, H2_SETTINGS_TIMEOUT, "the client does not acknowledge the settings");
	settle(server);
}

const struct h2_end *h2_server_end(const struct h2_server *server)
{
	return server->state == H2_OVER ? &server->end : NULL;
}

bool h2_server_notice(struct h2_server *server)
{
	if (server->state != H2_OPEN)
		return h2_usable(server);
	h2_check(server, nghttp2_submit_shutdown_notice(h2_session(server)));
	if (h2_usable(server))
		h2_enter(server, H2_NOTICE);
	return h2_usable(server);
}

bool h2_server_stop(struct h2_server *server)
{
	if (server->state == H2_STOPPING || !h2_usable(server))
		return h2_usable(server);
	int32_t last = nghttp2_session_get_last_proc_stream_id(h2_session(server));
	h2_check(server, nghttp2_submit_goaway(h2_session(server), NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0));
	if (h2_usable(server))
		h2_enter(server, H2_STOPPING);
	return h2_usable(server);
}
