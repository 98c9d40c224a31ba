#include "h2_inside.h"

#define IMPATIENCE_US 1000000 /* for a 100, as in curl */

static unsigned index_of(const struct peer_stream *stream)
{
	return (unsigned)(stream - stream->peer->streams);
}

/* ---- the request ---- */

static void end_digest(struct peer_stream *stream)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char *hex = stream->peer->setup.sha256[index_of(stream)];

	if (EVP_DigestFinal_ex(stream->digest, digest, &len) != 1)
		abort();
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
}

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *data, size_t room, uint32_t *flags,
			 nghttp2_data_source *source, void *arg)
{
	static nghttp2_nv trailer = {(uint8_t *)"x-trailer", (uint8_t *)"after", 9, 5, NGHTTP2_NV_FLAG_NONE};
	struct peer_stream *stream = source->ptr;
	const struct request_plan *plan = stream->plan;
	uint64_t left = plan->body - stream->outcome.sent;
	size_t len = left < room ? (size_t)left : room;

	(void)arg;
	stream->deferred = stream->peer->now_us < stream->next_us;
	if (stream->deferred)
		return NGHTTP2_ERR_DEFERRED;
	if (plan->chunk > 0 && len > plan->chunk)
		len = plan->chunk;
	rng_fill(&stream->bytes, data, len);
	if (EVP_DigestUpdate(stream->digest, data, len) != 1)
		abort();
	stream->outcome.sent += len;
	if (plan->pause_ms > 0)
		stream->next_us = stream->peer->now_us + plan->pause_ms * 1000;
	if (len < left)
		return (ssize_t)len;
	end_digest(stream);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (plan->trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		must(nghttp2_submit_trailer(session, id, &trailer, 1));
	}
	return (ssize_t)len;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void begin(struct peer_stream *stream)
{
	const struct request_plan *plan = stream->plan;
	nghttp2_data_provider body = {.source = {.ptr = stream}, .read_callback = give_body};
	char path[64], length[24], pad[24];
	nghttp2_nv fields[12];
	size_t count = 0;

	scenario_target(plan_of(stream->peer), index_of(stream), path, sizeof(path));
	(void)snprintf(length, sizeof(length), "%llu", (unsigned long long)plan->body);
	(void)snprintf(pad, sizeof(pad), "%llu", (unsigned long long)plan->pad);
	fields[count++] = field(":method", plan->method);
	fields[count++] = field(":scheme", "https");
	fields[count++] = field(":authority", plan_of(stream->peer)->handshake_host ? "handshake.test" : "localhost");
	fields[count++] = field(":path", path);
	fields[count++] = field("client-cert", ":AAAA:");
	fields[count++] = field("x_who", "AAAA");
	fields[count++] = field("x-pad", pad);
	if (plan->framing == FRAMING_LENGTH)
		fields[count++] = field("content-length", length);
	if (plan->expect != EXPECT_NONE)
		fields[count++] = field("expect", "100-continue");
	if (plan->expect == EXPECT_STRICT)
		stream->next_us = SIM_NEVER;
	if (plan->expect == EXPECT_IMPATIENT)
		stream->next_us = stream->peer->now_us + IMPATIENCE_US;
	bool has_body = plan->framing == FRAMING_CHUNKED || plan->body > 0;
	if (!has_body)
		end_digest(stream);
	stream->outcome.begun = true;
	stream->id =
		nghttp2_submit_request(stream->peer->session, NULL, fields, count, has_body ? &body : NULL, stream);
	if (stream->id < 0)
		abort();
}

/* ---- the connection ---- */

static void open_session(struct h2_peer *peer)
{
	const struct conn_plan *plan = plan_of(peer);
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, plan->windows.stream},
	};

	must(nghttp2_session_callbacks_new(&callbacks));
	must(nghttp2_option_new(&option));
	nghttp2_option_set_no_auto_window_update(option, 1);
	h2_hear_callbacks(callbacks);
	must(nghttp2_session_client_new2(&peer->session, callbacks, peer, option));
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	must(nghttp2_submit_settings(peer->session, NGHTTP2_FLAG_NONE, settings, 2));
	if (plan->windows.connection > NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE)
		must(nghttp2_session_set_local_window_size(peer->session, NGHTTP2_FLAG_NONE, 0,
							   (int32_t)plan->windows.connection));
}

struct h2_peer *h2_peer_new(const struct h2_peer_setup *setup)
{
	struct h2_peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		abort();
	peer->setup = *setup;
	for (unsigned i = 0; i < setup->plan->request_count; i++) {
		struct peer_stream *stream = &peer->streams[i];
		stream->peer = peer;
		stream->plan = &setup->plan->requests[i];
		stream->answer = &setup->answers[i];
		stream->bytes.state = setup->scenario->seed ^ (uint64_t)(setup->plan - setup->scenario->conns) << 32 ^
				      (uint64_t)i << 40;
		stream->digest = EVP_MD_CTX_new();
		if (stream->digest == NULL || EVP_DigestInit_ex(stream->digest, EVP_sha256(), NULL) != 1)
			abort();
	}
	open_session(peer);
	return peer;
}

void h2_peer_free(struct h2_peer **peer)
{
	if (*peer == NULL)
		return;
	for (unsigned i = 0; i < plan_of(*peer)->request_count; i++)
		EVP_MD_CTX_free((*peer)->streams[i].digest);
	nghttp2_session_del((*peer)->session);
	free(*peer);
	*peer = NULL;
}

static uint64_t start_us(const struct peer_stream *stream)
{
	return stream->peer->began_us + stream->plan->start_ms * 1000;
}

static uint64_t cancel_us(const struct peer_stream *stream)
{
	if (stream->plan->cancel != CANCEL_LATER || stream->outcome.cancelled || stream->outcome.over ||
	    !stream->outcome.begun)
		return SIM_NEVER;
	return start_us(stream) + stream->plan->cancel_at * 1000;
}

static bool cancels(const struct peer_stream *stream)
{
	const struct request_plan *plan = stream->plan;

	switch (plan->cancel) {
	case CANCEL_NOT:
		break;
	case CANCEL_LATER:
		return stream->peer->now_us >= cancel_us(stream);
	case CANCEL_SENT:
		return stream->outcome.sent >= plan->cancel_at;
	case CANCEL_HEARD:
		return stream->answer->status >= 200 && stream->got >= plan->cancel_at;
	}
	return false;
}

static void tick_stream(struct peer_stream *stream)
{
	struct h2_peer *peer = stream->peer;

	if (!stream->outcome.begun && !stream->outcome.over && peer->goaway)
		h2_finish(stream, NGHTTP2_REFUSED_STREAM);
	if (!stream->outcome.begun && !stream->outcome.over && peer->now_us >= start_us(stream))
		begin(stream);
	if (stream->outcome.over)
		return;
	if (stream->deferred && peer->now_us >= stream->next_us) {
		stream->deferred = false;
		must(nghttp2_session_resume_data(peer->session, stream->id));
	}
	if (cancels(stream))
		h2_cancel(stream, NGHTTP2_CANCEL);
}

/* Gives back a part of each stream's window, if some is missing. */
static void grant(struct h2_peer *peer)
{
	const struct conn_plan *plan = plan_of(peer);

	for (unsigned i = 0; i < plan->request_count; i++) {
		struct peer_stream *stream = &peer->streams[i];
		uint64_t len = stream->kept < plan->windows.grant_max ? stream->kept : plan->windows.grant_max;
		if (len == 0 || stream->outcome.over)
			continue;
		stream->kept -= len;
		must(nghttp2_submit_window_update(peer->session, NGHTTP2_FLAG_NONE, stream->id, (int32_t)len));
	}
	peer->grant_us = peer->now_us + plan->windows.grant_pause_ms * 1000;
}

static bool owes_grant(const struct h2_peer *peer)
{
	for (unsigned i = 0; plan_of(peer)->windows.grants == GRANTS_DRIBBLE && i < plan_of(peer)->request_count; i++)
		if (peer->streams[i].kept > 0 && !peer->streams[i].outcome.over)
			return true;
	return false;
}

void h2_peer_tick(struct h2_peer *peer, uint64_t now_us)
{
	peer->now_us = now_us;
	if (!peer->began)
		peer->began_us = now_us;
	peer->began = true;
	for (unsigned i = 0; i < plan_of(peer)->request_count; i++)
		tick_stream(&peer->streams[i]);
	if (owes_grant(peer) && now_us >= peer->grant_us)
		grant(peer);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t h2_peer_timer(const struct h2_peer *peer)
{
	uint64_t timer = owes_grant(peer) ? peer->grant_us : SIM_NEVER;

	for (unsigned i = 0; peer->began && i < plan_of(peer)->request_count; i++) {
		const struct peer_stream *stream = &peer->streams[i];
		if (stream->outcome.over)
			continue;
		timer = sooner(timer, cancel_us(stream));
		if (!stream->outcome.begun)
			timer = sooner(timer, start_us(stream));
		if (stream->deferred)
			timer = sooner(timer, stream->next_us);
	}
	return timer;
}

static void pull(struct h2_peer *peer)
{
	if (peer->out_len > 0)
		return;
	ssize_t len = nghttp2_session_mem_send(peer->session, &peer->out);
	if (len < 0)
		abort();
	peer->out_len = (size_t)len;
}

size_t h2_peer_next(struct h2_peer *peer, void *data, size_t room)
{
	h2_peer_tick(peer, peer->now_us); /* the bytes sent so far may trigger a cancellation */
	pull(peer);
	size_t len = peer->out_len < room ? peer->out_len : room;
	if (len > 0)
		memcpy(data, peer->out, len);
	peer->out += len;
	peer->out_len -= len;
	return len;
}

bool h2_peer_ready(const struct h2_peer *peer)
{
	return peer->out_len > 0 || nghttp2_session_want_write(peer->session);
}

bool h2_peer_take(struct h2_peer *peer, const void *data, size_t len, const char **why)
{
	ssize_t taken = nghttp2_session_mem_recv(peer->session, data, len);

	if (taken < 0)
		peer->why = nghttp2_strerror((int)taken);
	*why = peer->why;
	return peer->why == NULL;
}

unsigned h2_peer_over(const struct h2_peer *peer)
{
	unsigned over = 0;

	for (unsigned i = 0; i < plan_of(peer)->request_count; i++)
		over += peer->streams[i].outcome.over;
	return over;
}

bool h2_peer_done(const struct h2_peer *peer)
{
	return h2_peer_over(peer) == plan_of(peer)->request_count && !h2_peer_ready(peer);
}

const struct h2_fate *h2_peer_fate(const struct h2_peer *peer, unsigned request)
{
	return &peer->streams[request].outcome;
}

bool h2_peer_sent_away(const struct h2_peer *peer)
{
	for (unsigned i = 0; i < plan_of(peer)->request_count; i++)
		if (peer->streams[i].outcome.over && peer->streams[i].outcome.code == NGHTTP2_HTTP_1_1_REQUIRED &&
		    plan_of(peer)->requests[i].route != ROUTE_OTHER)
			return true;
	return false;
}
