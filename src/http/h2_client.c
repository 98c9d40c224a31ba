#include "http/h2_client.h"

#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/ascii.h"

struct http_h2_client {
	nghttp2_session *session;
	int32_t stream;
	struct http_h2_response answer;
	const uint8_t *out; /* belongs to nghttp2, until the next nghttp2_session_mem_send() */
	size_t out_len;
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct http_h2_client *client = arg;
	struct http_h2_response *answer = &client->answer;
	uint64_t status = 0;

	(void)session;
	(void)flags;
	if (frame->hd.stream_id != client->stream)
		return 0;
	if (name_len == 7 && memcmp(name, ":status", 7) == 0 && len == 3 &&
	    ascii_number((const char *)value, len, 999, &status))
		answer->status = (unsigned)status;
	if (name_len == 6 && memcmp(name, "server", 6) == 0) {
		len = len < sizeof(answer->server) - 1 ? len : sizeof(answer->server) - 1;
		memcpy(answer->server, value, len);
		answer->server[len] = '\0';
	}
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
	struct http_h2_client *client = arg;

	(void)session;
	if (stream != client->stream || client->answer.over) /* by a GOAWAY, whose error code says more */
		return 0;
	client->answer.over = true;
	client->answer.reset = client->answer.status < 200;
	client->answer.error = error;
	return 0;
}

/* RFC 9113 6.8: a GOAWAY with an error, or for a lower stream, ends our request. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_h2_client *client = arg;

	(void)session;
	if (frame->hd.type != NGHTTP2_GOAWAY || client->answer.over ||
	    (frame->goaway.error_code == NGHTTP2_NO_ERROR && frame->goaway.last_stream_id >= client->stream))
		return 0;
	client->answer.over = client->answer.reset = true;
	client->answer.error = frame->goaway.error_code;
	return 0;
}

/* After invalid HTTP/2, nghttp2 sends a GOAWAY and then nothing more. */
static int on_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_h2_client *client = arg;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		client->answer.broken = true;
	return 0;
}

static nghttp2_session *new_session(struct http_h2_client *client)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, on_send);
	if (nghttp2_session_client_new(&session, callbacks, client) != 0)
		session = NULL;
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){.name = (uint8_t *)name,
			    .value = (uint8_t *)value,
			    .namelen = strlen(name),
			    .valuelen = strlen(value),
			    .flags = NGHTTP2_NV_FLAG_NONE};
}

struct http_h2_client *http_h2_client_new(const struct http_h2_request *request)
{
	struct http_h2_client *client = calloc(1, sizeof(*client));
	const nghttp2_nv fields[] = {
		field(":method", request->method),        field(":scheme", "https"),
		field(":authority", request->authority),  field(":path", request->path),
		field("user-agent", request->user_agent),
	};
	size_t unnamed = request->user_agent[0] == '\0';

	if (client == NULL)
		return NULL;
	client->session = new_session(client);
	if (client->session != NULL && nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0)
		client->stream = nghttp2_submit_request(client->session, NULL, fields,
							sizeof(fields) / sizeof(fields[0]) - unnamed, NULL, NULL);
	if (client->stream <= 0)
		http_h2_client_free(&client);
	return client;
}

void http_h2_client_free(struct http_h2_client **client)
{
	struct http_h2_client *gone = *client;

	*client = NULL;
	if (gone == NULL)
		return;
	nghttp2_session_del(gone->session);
	free(gone);
}

size_t http_h2_client_pull(struct http_h2_client *client, const uint8_t **bytes)
{
	if (client->out_len == 0) {
		ssize_t len = nghttp2_session_mem_send(client->session, &client->out);
		client->out_len = len > 0 ? (size_t)len : 0;
	}
	*bytes = client->out;
	return client->out_len;
}

void http_h2_client_pulled(struct http_h2_client *client, size_t len)
{
	client->out += len;
	client->out_len -= len;
}

bool http_h2_client_push(struct http_h2_client *client, const void *bytes, size_t len)
{
	/* Our callbacks never pause: nghttp2 takes all bytes, or fails. */
	return nghttp2_session_mem_recv(client->session, bytes, len) >= 0;
}

void http_h2_client_response(const struct http_h2_client *client, struct http_h2_response *answer)
{
	*answer = client->answer;
}
