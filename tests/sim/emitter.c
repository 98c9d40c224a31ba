#include "emitter.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define IMPATIENCE_US 1000000 /* as in curl */

static void say(struct emitter *emitter, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct emitter *emitter, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(emitter->text + emitter->text_len, sizeof(emitter->text) - emitter->text_len, format, args);
	va_end(args);
	emitter->text_len += (size_t)n;
	if (n < 0 || emitter->text_len >= sizeof(emitter->text))
		abort();
}

static const struct request_plan *current(const struct emitter *emitter)
{
	return &emitter->plan->requests[emitter->request];
}

static void end_digest(struct emitter *emitter)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_DigestFinal_ex(emitter->digest, digest, &len) != 1)
		abort();
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(emitter->sha256[emitter->request] + (size_t)2 * i, 3, "%02x", digest[i]);
}

static void begin(struct emitter *emitter)
{
	const struct request_plan *request = current(emitter);

	emitter->phase = EMIT_HEAD;
	emitter->text_at = emitter->text_len = 0;
	emitter->body_left = request->body;
	emitter->chunk_left = 0;
	emitter->continue_at_us = SIM_NEVER;
	if (EVP_DigestInit_ex(emitter->digest, EVP_sha256(), NULL) != 1)
		abort();
	if (request->body == 0)
		end_digest(emitter);
	say(emitter, "%s %s HTTP/1.1\r\nHost: %s\r\n", request->method, route_path(request->route),
	    emitter->plan->handshake_host ? "handshake.test" : "localhost");
	/* The gateway must ignore these claims of the client about its identity. */
	say(emitter, "Client-Cert: :AAAA:\r\nx_who: AAAA\r\nX-Request: %u\r\n", emitter->request);
	if (request->framing == FRAMING_LENGTH)
		say(emitter, "Content-Length: %llu\r\n", (unsigned long long)request->body);
	if (request->framing == FRAMING_CHUNKED)
		say(emitter, "Transfer-Encoding: chunked\r\n");
	if (request->expect != EXPECT_NONE)
		say(emitter, "Expect: 100-continue\r\n");
	if (request->close)
		say(emitter, "Connection: close\r\n");
	say(emitter, "\r\n");
}

void emitter_init(struct emitter *emitter, const struct scenario *scenario, const struct conn_plan *plan)
{
	*emitter = (struct emitter){.scenario = scenario, .plan = plan};
	emitter->body.state = scenario->seed ^ (uint64_t)(plan - scenario->conns) << 32;
	emitter->sizes.state = ~emitter->body.state;
	emitter->digest = EVP_MD_CTX_new();
	emitter->allowed = plan->pipelined ? plan->request_count : 1;
	if (emitter->digest == NULL)
		abort();
	if (plan->request_count > 0)
		begin(emitter);
	else
		emitter->phase = EMIT_DONE;
}

void emitter_free(struct emitter *emitter)
{
	EVP_MD_CTX_free(emitter->digest);
}

static void end_body(struct emitter *emitter)
{
	emitter->request++;
	if (emitter->request < emitter->plan->request_count)
		begin(emitter);
	else
		emitter->phase = EMIT_DONE;
}

/* The text of the phase is sent: enters the next phases until there is text, data, or a wait. */
static void turn(struct emitter *emitter, uint64_t now_us)
{
	const struct request_plan *request = current(emitter);

	emitter->text_at = emitter->text_len = 0;
	switch (emitter->phase) {
	case EMIT_HEAD:
		emitter->phase = EMIT_BODY;
		if (request->expect == EXPECT_STRICT || request->expect == EXPECT_IMPATIENT) {
			emitter->phase = EMIT_WAIT_100;
			if (request->expect == EXPECT_IMPATIENT)
				emitter->continue_at_us = now_us + IMPATIENCE_US;
		}
		break;
	case EMIT_WAIT_100:
		emitter->phase = EMIT_BODY;
		break;
	case EMIT_BODY:
		if (request->framing != FRAMING_CHUNKED) {
			end_body(emitter);
		} else if (emitter->body_left == 0) {
			say(emitter, "0\r\n%s\r\n", request->trailers ? "X-Trailer: after\r\nX-More: \r\n" : "");
			emitter->phase = EMIT_TRAILER;
		} else {
			emitter->chunk_left = 1 + rng_skewed(&emitter->sizes, request->chunk - 1);
			if (emitter->chunk_left > emitter->body_left)
				emitter->chunk_left = emitter->body_left;
			say(emitter, rng_chance(&emitter->sizes, 20) ? "%llX;a=\"b\"\r\n" : "%llx\r\n",
			    (unsigned long long)emitter->chunk_left);
			emitter->phase = EMIT_CHUNK_END;
		}
		break;
	case EMIT_CHUNK_END:
		say(emitter, "\r\n");
		emitter->phase = EMIT_BODY;
		break;
	case EMIT_TRAILER:
		end_body(emitter);
		break;
	case EMIT_DONE:
		break;
	}
}

static uint64_t data_left(const struct emitter *emitter)
{
	if (emitter->phase == EMIT_CHUNK_END)
		return emitter->chunk_left;
	if (emitter->phase == EMIT_BODY && current(emitter)->framing == FRAMING_LENGTH)
		return emitter->body_left;
	return 0;
}

static bool waiting(const struct emitter *emitter, uint64_t now_us)
{
	if (emitter->phase == EMIT_WAIT_100)
		return now_us < emitter->continue_at_us;
	return emitter->phase == EMIT_HEAD && emitter->request >= emitter->allowed;
}

bool emitter_ready(const struct emitter *emitter, uint64_t now_us)
{
	return emitter->phase != EMIT_DONE && !waiting(emitter, now_us);
}

size_t emitter_next(struct emitter *emitter, void *data, size_t room, uint64_t now_us)
{
	while (emitter_ready(emitter, now_us)) {
		size_t left = emitter->text_len - emitter->text_at;
		if (left > 0) {
			size_t len = left < room ? left : room;
			memcpy(data, emitter->text + emitter->text_at, len);
			emitter->text_at += len;
			return len;
		}
		if (data_left(emitter) > 0) {
			size_t len = data_left(emitter) < room ? (size_t)data_left(emitter) : room;
			rng_fill(&emitter->body, data, len);
			if (EVP_DigestUpdate(emitter->digest, data, len) != 1)
				abort();
			emitter->body_left -= len;
			if (emitter->body_left == 0)
				end_digest(emitter);
			if (emitter->phase == EMIT_CHUNK_END)
				emitter->chunk_left -= len;
			return len;
		}
		turn(emitter, now_us);
	}
	return 0;
}

bool emitter_in_body(const struct emitter *emitter)
{
	if (emitter->phase == EMIT_HEAD)
		return emitter->text_at == emitter->text_len && current(emitter)->framing != FRAMING_NONE;
	return emitter->phase != EMIT_DONE;
}

bool emitter_waits_100(const struct emitter *emitter)
{
	return emitter->phase == EMIT_WAIT_100;
}

void emitter_continue(struct emitter *emitter)
{
	if (emitter->phase == EMIT_WAIT_100)
		emitter->phase = EMIT_BODY;
}

void emitter_stop(struct emitter *emitter)
{
	emitter->phase = EMIT_DONE;
}

bool emitter_all_sent(const struct emitter *emitter)
{
	return emitter->phase == EMIT_DONE;
}
