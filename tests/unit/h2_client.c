/* The one request over HTTP/2, against a server of nghttp2's in memory, and against what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "http/h2_client.h"

#define TURNS_MAX 100

/* What the server does with a request. */
enum does { ANSWERS, ANSWERS_WITH_A_BODY, INTERIM_FIRST, RESETS, LEAVES, LEAVES_LATER, NOTHING };

struct server {
	nghttp2_session *session;
	enum does does;
	unsigned status;
	uint32_t error;
	char fields[8][128];
	size_t field_count;
};

static const struct http_h2_request request = {
	.method = "PUT", .authority = "localhost:8443", .path = "/late?x", .user_agent = "a test"};

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct server *server = arg;

	(void)session;
	(void)frame;
	(void)flags;
	assert_true(server->field_count < 8);
	(void)snprintf(server->fields[server->field_count++], 128, "%.*s=%.*s", (int)name_len, (const char *)name,
		       (int)len, (const char *)value);
	return 0;
}

static ssize_t body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room, uint32_t *flags,
		    nghttp2_data_source *source, void *arg)
{
	(void)session;
	(void)stream;
	(void)source;
	(void)arg;
	assert_true(room >= 4);
	memcpy(to, "body", 4);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return 4;
}

static void answer(struct server *server, int32_t stream, bool has_body)
{
	char status[4];
	char long_name[300];
	const nghttp2_data_provider provider = {.read_callback = body};

	memset(long_name, 's', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	(void)snprintf(status, sizeof(status), "%u", server->status);
	const nghttp2_nv fields[] = {field(":status", status), field("server", has_body ? long_name : "short")};
	assert_int_equal(nghttp2_submit_response(server->session, stream, fields, 2, has_body ? &provider : NULL), 0);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct server *server = arg;
	int32_t stream = frame->hd.stream_id;

	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	assert_true((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0); /* it has no body */
	const nghttp2_nv interim = field(":status", "103");
	switch (server->does) {
	case INTERIM_FIRST:
		assert_int_equal(nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, stream, NULL, &interim, 1, NULL),
				 0);
		answer(server, stream, false);
		break;
	case ANSWERS:
	case ANSWERS_WITH_A_BODY:
		answer(server, stream, server->does == ANSWERS_WITH_A_BODY);
		break;
	case RESETS:
		assert_int_equal(nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, server->error), 0);
		break;
	case LEAVES: /* before our stream */
		assert_int_equal(nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, 0, server->error, NULL, 0), 0);
		break;
	case LEAVES_LATER: /* with it, in peace: the answer still comes */
		assert_int_equal(nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR, NULL, 0),
				 0);
		answer(server, stream, false);
		break;
	case NOTHING:
		break;
	}
	return 0;
}

static void open_server(struct server *server)
{
	nghttp2_session_callbacks *callbacks = NULL;

	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	assert_int_equal(nghttp2_session_server_new(&server->session, callbacks, server), 0);
	nghttp2_session_callbacks_del(callbacks);
	assert_int_equal(nghttp2_submit_settings(server->session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

/* All that the client has to say, `step` bytes at once; false: nothing. */
static bool to_server(struct http_h2_client *client, nghttp2_session *session, size_t step)
{
	const uint8_t *bytes = NULL;
	size_t len;
	bool any = false;

	while ((len = http_h2_client_pull(client, &bytes)) > 0) {
		len = len < step ? len : step;
		if (session != NULL)
			assert_int_equal(nghttp2_session_mem_recv(session, bytes, len), (ssize_t)len);
		http_h2_client_pulled(client, len);
		any = true;
	}
	return any;
}

static bool to_client(struct http_h2_client *client, nghttp2_session *session, size_t step)
{
	const uint8_t *bytes = NULL;
	ssize_t len;
	bool any = false;

	while ((len = nghttp2_session_mem_send(session, &bytes)) > 0) {
		for (size_t at = 0; at < (size_t)len; at += step)
			assert_true(http_h2_client_push(client, bytes + at,
							(size_t)len - at < step ? (size_t)len - at : step));
		any = true;
	}
	return any;
}

static struct http_h2_response play(struct server *server, size_t step)
{
	struct http_h2_client *client = http_h2_client_new(&request);
	struct http_h2_response answer;

	assert_non_null(client);
	server->field_count = 0;
	open_server(server);
	http_h2_client_response(client, &answer);
	assert_false(answer.over || answer.reset || answer.broken);
	for (int i = 0; i < TURNS_MAX; i++) {
		bool up = to_server(client, server->session, step), down = to_client(client, server->session, step);
		if (!up && !down)
			break;
	}
	http_h2_client_response(client, &answer);
	nghttp2_session_del(server->session);
	http_h2_client_free(&client);
	assert_null(client);
	return answer;
}

static const size_t steps[] = {1, 2, 9, 10, 1000};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void request_frames_are_correct(void **state)
{
	static const char *const wanted[] = {":method=PUT", ":scheme=https", ":authority=localhost:8443",
					     ":path=/late?x", "user-agent=a test"};
	struct server server = {.does = ANSWERS, .status = 200};

	(void)state;
	(void)play(&server, 1000);
	assert_int_equal(server.field_count, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < server.field_count; i++)
		assert_string_equal(server.fields[i], wanted[i]);
}

static void responses_are_reported(void **state)
{
	static const unsigned statuses[] = {200, 204, 403, 421, 599};

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		for (size_t k = 0; k < STEPS; k++)
			for (int does = ANSWERS; does <= INTERIM_FIRST; does++) {
				struct server server = {.does = (enum does)does, .status = statuses[i]};
				if (does == ANSWERS_WITH_A_BODY && statuses[i] == 204)
					continue;
				struct http_h2_response answer = play(&server, steps[k]);
				assert_true(answer.over);
				assert_false(answer.reset || answer.broken);
				assert_int_equal(answer.status, statuses[i]);
				assert_int_equal(answer.error, 0);
				if (does != ANSWERS_WITH_A_BODY)
					assert_string_equal(answer.server, "short");
				else
					assert_int_equal(strlen(answer.server), sizeof(answer.server) - 1);
			}
}

static void resets_are_reported(void **state)
{
	static const uint32_t errors[] = {NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM,
					  HTTP_H2_HTTP_1_1_REQUIRED};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		for (size_t k = 0; k < STEPS; k++)
			for (int does = RESETS; does <= LEAVES; does++) {
				struct server server = {.does = (enum does)does, .error = errors[i]};
				struct http_h2_response answer = play(&server, steps[k]);
				assert_true(answer.over && answer.reset);
				assert_false(answer.broken);
				assert_int_equal(answer.status, 0);
				assert_int_equal(answer.error, errors[i]); /* also where nghttp2 has one of its own */
			}
}

static void a_server_that_leaves_in_peace_answers_first(void **state)
{
	struct server server = {.does = LEAVES_LATER, .status = 200};

	(void)state;
	struct http_h2_response answer = play(&server, 1000);
	assert_true(answer.over);
	assert_false(answer.reset);
	assert_int_equal(answer.status, 200);
}

static void silence_is_not_an_answer(void **state)
{
	struct server server = {.does = NOTHING};

	(void)state;
	struct http_h2_response answer = play(&server, 1000);
	assert_false(answer.over || answer.reset || answer.broken);
}

static void invalid_http2_is_reported(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
		{"\0\0\0\x06\0\0\0\0\0", 9},                                /* its SETTINGS must come first */
		{"\0\0\0\x04\0\0\0\0\0\0\0\x04\x08\0\0\0\0\0\0\0\0\0", 22}, /* a window of nothing more */
		{"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\xff", 19}, /* no HPACK */
		{"\0\0\x05\x04\0\0\0\0\0\0\0\0\0\0", 14},                   /* SETTINGS of a length that there is not */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t k = 0; k < STEPS; k++) {
			struct http_h2_client *client = http_h2_client_new(&request);
			struct http_h2_response answer;
			bool pushed = true;
			assert_non_null(client);
			(void)to_server(client, NULL, 1000);
			for (size_t at = 0; at < cases[i].len && pushed; at += steps[k]) {
				size_t len = cases[i].len - at < steps[k] ? cases[i].len - at : steps[k];
				pushed = http_h2_client_push(client, cases[i].bytes + at, len);
				(void)to_server(client, NULL, 1000);
			}
			http_h2_client_response(client, &answer);
			assert_true(!pushed || answer.broken);
			assert_int_equal(answer.status, 0);
			http_h2_client_free(&client);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_frames_are_correct),
		cmocka_unit_test(responses_are_reported),
		cmocka_unit_test(resets_are_reported),
		cmocka_unit_test(a_server_that_leaves_in_peace_answers_first),
		cmocka_unit_test(silence_is_not_an_answer),
		cmocka_unit_test(invalid_http2_is_reported),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
