#include "origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "tls/digest.h"
#include "world.h"

static const struct origin_plan *plan_of(const struct sim_upconn *upconn)
{
	return &upconn->world->scenario->origin;
}

/* ---- the gateway's side ---- */

static ssize_t upconn_read(void *io, void *data, size_t room)
{
	struct sim_upconn *upconn = io;
	return duplex_read(&upconn->duplex, DUPLEX_CLIENT, data, room, upconn->world->now_us);
}

static ssize_t upconn_write(void *io, const void *data, size_t len)
{
	struct sim_upconn *upconn = io;
	return duplex_write(&upconn->duplex, DUPLEX_CLIENT, data, len, upconn->world->now_us);
}

static void upconn_half_close(void *io)
{
	struct sim_upconn *upconn = io;
	duplex_half_close(&upconn->duplex, DUPLEX_CLIENT, upconn->world->now_us);
}

static ssize_t upconn_discard(void *io, size_t max)
{
	return upconn_read(io, NULL, max);
}

static const struct transport_ops upconn_transport_ops = {
	.read = upconn_read, .write = upconn_write, .half_close = upconn_half_close, .discard = upconn_discard};

static struct sim_upconn *idle_upconn(struct origin *origin)
{
	for (unsigned i = 0; i < origin->count; i++)
		if (origin->upconns[i].open && origin->upconns[i].conn == NULL)
			return &origin->upconns[i];
	return NULL;
}

static struct sim_upconn *new_upconn(struct world *world)
{
	struct origin *origin = &world->origin;
	const struct origin_plan *plan = &world->scenario->origin;

	if (origin->count == ORIGIN_UPCONNS) {
		world_fail(world, "more connections to the upstream than requests could need");
		return NULL;
	}
	struct sim_upconn *upconn = &origin->upconns[origin->count];
	*upconn = (struct sim_upconn){.world = world, .index = origin->count++, .open = true};
	upconn->ready_us = world->now_us + plan->connect_ms * 1000;
	upconn->failed = plan->habit == ORIGIN_AWAY;
	upconn->digest = NULL;
	if (!duplex_init(&upconn->duplex, &plan->up, &plan->down))
		abort();
	upconn->duplex.allowance = SIZE_MAX;
	return upconn;
}

/* A server that offers NTLM takes every request on a connection as the same user's. */
static void check_owner(const struct sim_upconn *upconn)
{
	if (upconn->owner != NULL && upconn->owner != upconn->world->current)
		world_fail(upconn->world, "a connection that offered NTLM serves another client");
}

static struct gw_upconn *take(void *pool, const struct config_upstream *upstream, bool fresh, void (*wake)(void *arg),
			      void *arg, uint64_t now_ms)
{
	struct world *world = pool;
	struct sim_upconn *upconn = fresh ? NULL : idle_upconn(&world->origin);

	(void)now_ms;
	if (strcmp(upstream->name, "app") != 0)
		world_fail(world, "the upstream is %s", upstream->name);
	if (upconn == NULL)
		upconn = new_upconn(world);
	if (upconn == NULL)
		return NULL;
	check_owner(upconn);
	upconn->conn = world->current;
	upconn->wake = wake;
	upconn->arg = arg;
	upconn->want_read = upconn->want_write = false;
	world->origin.taken++;
	return (struct gw_upconn *)upconn;
}

static enum thaw_status ready(struct gw_upconn *gw, uint64_t now_ms, struct thaw_error *err)
{
	struct sim_upconn *upconn = (struct sim_upconn *)gw;

	(void)now_ms;
	if (upconn->world->now_us < upconn->ready_us)
		return THAW_WANT_READ;
	return upconn->failed ? error_set(err, THAW_ERR_SYSTEM, "connection refused") : THAW_OK;
}

static struct transport transport_of(struct gw_upconn *gw)
{
	return (struct transport){&upconn_transport_ops, gw};
}

static void watch(struct gw_upconn *gw, bool read, bool write)
{
	struct sim_upconn *upconn = (struct sim_upconn *)gw;
	upconn->want_read = read;
	upconn->want_write = write;
}

static bool used(const struct gw_upconn *gw)
{
	return ((const struct sim_upconn *)gw)->used;
}

static const char *server(const struct gw_upconn *gw)
{
	(void)gw;
	return "http://origin.test";
}

static void stay(struct gw_upconn *gw)
{
	struct sim_upconn *upconn = (struct sim_upconn *)gw;

	upconn->used = true;
	if (upconn->in_head || upconn->in_len > 0 || upconn->out != NULL)
		world_fail(upconn->world, "a leg is kept in the middle of an exchange");
}

static void wakes(struct gw_upconn *gw, void (*wake)(void *arg), void *arg)
{
	struct sim_upconn *upconn = (struct sim_upconn *)gw;

	upconn->wake = wake;
	upconn->arg = arg;
}

static void give(struct gw_upconn **gw, enum gw_upconn_end end, uint64_t now_ms)
{
	struct sim_upconn *upconn = (struct sim_upconn *)*gw;

	(void)now_ms;
	*gw = NULL;
	upconn->conn = NULL;
	upconn->want_read = upconn->want_write = false;
	upconn->used = true;
	if (end == GW_UPCONN_KEEP && !upconn->in_head && upconn->in_len == 0 && upconn->out == NULL)
		return;
	if (end == GW_UPCONN_KEEP)
		world_fail(upconn->world,
			   "a leg is kept in the middle of an exchange: %s, %zu bytes came, %zu are left",
			   upconn->in_head ? "a request is under way" : "no request", upconn->in_len,
			   upconn->out_len - upconn->out_at);
	upconn->open = false;
	duplex_close(&upconn->duplex, DUPLEX_CLIENT, upconn->world->now_us);
}

const struct gw_upconn_ops origin_ops = {take, ready, transport_of, watch, used, server, stay, wakes, give};

/* ---- the origin's side ---- */

/* Queues a reply after what is not written yet. Takes the ownership of text. */
static void reply(struct sim_upconn *upconn, char *text, size_t len)
{
	char *more = realloc(upconn->out, upconn->out_len + len);

	if (more == NULL)
		abort();
	if (upconn->out == NULL)
		upconn->out_at = upconn->out_len = 0;
	memcpy(more + upconn->out_len, text, len);
	free(text);
	upconn->out = more;
	upconn->out_len += len;
}

/* The client's element of an XFCC field: Hash=...;Subject="..." */
static json_t *identity_of(const struct http_request *head)
{
	const struct http_field *field = http_field_find(head, "X-Forwarded-Client-Cert");
	char value[4096], hash[65] = "", subject[512] = "";

	if (field == NULL)
		return json_null();
	(void)snprintf(value, sizeof(value), "%.*s", (int)field->value.len, field->value.at);
	const char *at = strstr(value, "Hash=");
	if (at != NULL)
		(void)sscanf(at, "Hash=%64[0-9a-f]", hash);
	at = strstr(value, "Subject=\"");
	if (at != NULL)
		(void)sscanf(at, "Subject=\"%511[^\"]", subject);
	return json_pack("{s:s, s:s, s:s, s:s}", "subject", subject, "sha256", hash, "means", "proxied", "moment",
			 "proxied");
}

void origin_pad(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + (i + i / 26 + i / 4096) % 26);
}

static json_t *make_pad(size_t len)
{
	char *text = malloc(len);

	if (text == NULL)
		abort();
	origin_pad(text, len);
	json_t *json = json_stringn(text, len);
	free(text);
	return json;
}

static char *inspect(struct sim_upconn *upconn, size_t *len)
{
	char hex[TLS_DIGEST_HEX];

	if (!tls_digest_end(upconn->digest, hex))
		abort();
	json_t *json =
		json_pack("{s:s%, s:s%, s:o, s:I, s:s}", "method", upconn->head.method.at, upconn->head.method.len,
			  "path", upconn->head.path.at, upconn->head.path.len, "certificate",
			  identity_of(&upconn->head), "body_bytes", (json_int_t)upconn->body, "body_sha256", hex);
	const struct http_field *pad = http_field_find(&upconn->head, "X-Pad");
	size_t padding = pad != NULL ? strtoul(pad->value.at, NULL, 10) : 0;
	if (padding > 0)
		json_object_set_new(json, "pad", make_pad(padding));
	char *text = json_dumps(json, JSON_INDENT(2));
	json_decref(json);
	if (text == NULL)
		abort();
	*len = strlen(text);
	return text;
}

static void respond(struct sim_upconn *upconn)
{
	const struct origin_plan *plan = plan_of(upconn);
	size_t len = 0;
	char *body = inspect(upconn, &len), *text = NULL;
	const char *type = plan->binds ? "Content-Type: application/json\r\nWWW-Authenticate: NTLM\r\n"
				       : "Content-Type: application/json\r\n";
	int size = 0;

	if (upconn->head.is_head)
		size = asprintf(&text, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", type, len);
	else if (plan->body == ORIGIN_CHUNKED)
		size = asprintf(&text,
				"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n%sTransfer-Encoding: "
				"chunked\r\n\r\n1\r\n%.1s\r\n%zx;ext=1\r\n%s\r\n0\r\nDigest: none\r\n\r\n",
				type, body, len - 1, body + 1);
	else if (plan->body == ORIGIN_UNTIL_CLOSE)
		size = asprintf(&text, "HTTP/1.1 200 OK\r\n%sConnection: close\r\n\r\n%s", type, body);
	else
		size = asprintf(&text, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n%s", type, len, body);
	free(body);
	if (size < 0)
		abort();
	upconn->ends = plan->body == ORIGIN_UNTIL_CLOSE && !upconn->head.is_head;
	if (plan->binds)
		upconn->owner = upconn->conn;
	reply(upconn, text, (size_t)size);
}

/* Whether the field of `headers` matches the identity, and has nothing that the client sent. */
static bool identity_is_true(const struct http_request *head)
{
	const struct http_field *xfcc = http_field_find(head, "X-Forwarded-Client-Cert");
	const struct http_field *identity = http_field_find(head, "X-Who"),
				*verified = http_field_find(head, "X-Verified");

	if (http_field_find(head, "x_who") != NULL || verified == NULL || (xfcc == NULL) != (identity == NULL))
		return false;
	if (xfcc == NULL)
		return http_span_equal(verified->value, "NONE");
	return http_span_equal(verified->value, "SUCCESS") && identity->value.len == 64 && xfcc->value.len > 69 &&
	       memcmp(identity->value.at, xfcc->value.at + strlen("Hash="), 64) == 0;
}

static void begin_request(struct sim_upconn *upconn, size_t head_len)
{
	struct world *world = upconn->world;

	upconn->in_head = true;
	upconn->body = 0;
	upconn->left = upconn->head.framing == HTTP_BODY_LENGTH ? upconn->head.length : 0;
	http_chunked_init(&upconn->chunked);
	upconn->digest = tls_digest_new();
	upconn->requests++;
	world->origin.requests++;
	if (upconn->head.minor != 1 || upconn->head.host.len == 0 ||
	    http_field_find(&upconn->head, "X-Forwarded-For") == NULL || http_field_find(&upconn->head, "Via") == NULL)
		world_fail(world, "the upstream's request lacks something: %.*s", (int)head_len, upconn->in);
	if (!identity_is_true(&upconn->head))
		world_fail(world, "the upstream is told something else of the client: %.*s", (int)head_len, upconn->in);
	/* The spans of the head point into `in`, which keeps the head until the response. */
	upconn->head_len = head_len;
	upconn->in_at = head_len;
	if (upconn->head.expect_continue) {
		char *text = strdup("HTTP/1.1 100 Continue\r\n\r\n");
		reply(upconn, text, strlen(text));
	}
}

static void close_origin(struct sim_upconn *upconn, bool reset)
{
	upconn->dead = true;
	if (reset)
		duplex_reset(&upconn->duplex, DUPLEX_SERVER, upconn->world->now_us);
	else
		duplex_close(&upconn->duplex, DUPLEX_SERVER, upconn->world->now_us);
}

static void end_request(struct sim_upconn *upconn)
{
	respond(upconn);
	tls_digest_free(&upconn->digest);
	memmove(upconn->in, upconn->in + upconn->in_at, upconn->in_len - upconn->in_at);
	upconn->in_len -= upconn->in_at;
	upconn->in_at = upconn->head_len = 0;
	upconn->in_head = false;
	upconn->scan = (struct http_scan){0};
	if (upconn->in_len > 0)
		world_fail(upconn->world, "the upstream got bytes behind a request");
}

static void take_data(struct sim_upconn *upconn, const char *data, size_t len)
{
	upconn->body += len;
	if (!tls_digest_add(upconn->digest, data, len))
		abort();
}

/* True: the body is complete. */
static bool take_body(struct sim_upconn *upconn)
{
	const char *at = upconn->in + upconn->in_at;
	size_t here = upconn->in_len - upconn->in_at, used = 0;
	struct http_refusal refusal = {0};
	struct http_span data;

	if (upconn->head.framing == HTTP_BODY_LENGTH) {
		used = here < upconn->left ? here : (size_t)upconn->left;
		take_data(upconn, at, used);
		upconn->left -= used;
		upconn->in_at += used;
		return upconn->left == 0;
	}
	if (upconn->head.framing == HTTP_BODY_NONE)
		return true;
	for (;;) {
		enum http_chunk chunk = http_chunked_decode(&upconn->chunked, at, here, &used, &data, &refusal);
		at += used;
		here -= used;
		upconn->in_at += used;
		if (chunk == HTTP_CHUNK_DATA)
			take_data(upconn, data.at, data.len);
		else if (chunk == HTTP_CHUNK_BAD)
			world_fail(upconn->world, "the upstream got a malformed chunk: %s", refusal.why);
		if (chunk != HTTP_CHUNK_DATA)
			return chunk == HTTP_CHUNK_END;
	}
}

/* Habits that end an exchange early. True: it is over. */
static bool misbehaves(struct sim_upconn *upconn)
{
	const struct origin_plan *plan = plan_of(upconn);
	const char *text = NULL;

	if (!upconn->in_head || upconn->body < plan->at)
		return false;
	if (plan->habit == ORIGIN_CUTS && upconn->head.is_head) /* a head alone is complete */
		return false;
	switch (plan->habit) {
	case ORIGIN_CLOSES:
		close_origin(upconn, false);
		return true;
	case ORIGIN_RESETS:
		close_origin(upconn, true);
		return true;
	case ORIGIN_EARLY:
		text = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
		break;
	case ORIGIN_GARBAGE:
		text = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
		break;
	case ORIGIN_CUTS:
		text = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf of it";
		break;
	case ORIGIN_SILENT:
		return true;
	case ORIGIN_HONEST:
	case ORIGIN_AWAY:
	case ORIGIN_SLOW:
	case ORIGIN_EVENTS:
	case ORIGIN_CLOSES_IDLE:
		return false;
	}
	if (upconn->out == NULL && !upconn->ends) {
		char *copy = strdup(text);
		reply(upconn, copy, strlen(copy));
		upconn->ends = true;
		return true;
	}
	return upconn->ends;
}

static bool read_some(struct sim_upconn *upconn)
{
	const struct origin_plan *plan = plan_of(upconn);
	size_t room = ORIGIN_ROOM - upconn->in_len;

	if (upconn->in_head && upconn->in_at == upconn->in_len) { /* the head stays in the buffer */
		upconn->in_len = upconn->in_at = upconn->head_len;
		room = ORIGIN_ROOM - upconn->in_len;
	}
	if (plan->habit == ORIGIN_SLOW && room > plan->read_max)
		room = plan->read_max;
	ssize_t n =
		duplex_read(&upconn->duplex, DUPLEX_SERVER, upconn->in + upconn->in_len, room, upconn->world->now_us);
	if (n == TRANSPORT_BLOCKED)
		return false;
	if (n <= 0) {
		close_origin(upconn, false);
		return true;
	}
	upconn->in_len += (size_t)n;
	if (plan->habit == ORIGIN_SLOW)
		upconn->next_us = upconn->world->now_us + plan->pause_ms * 1000;
	return true;
}

static void parse(struct sim_upconn *upconn)
{
	struct http_refusal refusal = {0};
	size_t used = 0;

	if (!upconn->in_head) {
		switch (http_head_parse(upconn->in, upconn->in_len, &upconn->scan, &upconn->head, &used, &refusal)) {
		case HTTP_PARSE_MORE:
			return;
		case HTTP_PARSE_BAD:
			world_fail(upconn->world, "the upstream got a malformed request: %s", refusal.why);
			return;
		case HTTP_PARSE_DONE:
			begin_request(upconn, used);
			break;
		}
	}
	if (!misbehaves(upconn) && take_body(upconn) && !misbehaves(upconn))
		end_request(upconn);
}

static bool writes_slowly(const struct origin_plan *plan)
{
	return plan->habit == ORIGIN_SLOW || plan->habit == ORIGIN_EVENTS;
}

static bool write_some(struct sim_upconn *upconn)
{
	const struct origin_plan *plan = plan_of(upconn);
	size_t len = upconn->out_len - upconn->out_at;

	if (writes_slowly(plan) && len > plan->read_max)
		len = plan->read_max;
	ssize_t n =
		duplex_write(&upconn->duplex, DUPLEX_SERVER, upconn->out + upconn->out_at, len, upconn->world->now_us);
	if (n == TRANSPORT_BLOCKED)
		return false;
	if (n < 0) {
		close_origin(upconn, false);
		return true;
	}
	upconn->out_at += (size_t)n;
	if (writes_slowly(plan))
		upconn->next_us = upconn->world->now_us + plan->pause_ms * 1000;
	if (upconn->out_at < upconn->out_len)
		return true;
	free(upconn->out);
	upconn->out = NULL;
	upconn->out_at = upconn->out_len = 0;
	if (upconn->ends || (plan->habit == ORIGIN_CLOSES_IDLE && !upconn->in_head && upconn->requests > 0))
		close_origin(upconn, false);
	return true;
}

static bool stuck(const struct sim_upconn *upconn)
{
	const struct origin_plan *plan = plan_of(upconn);
	return plan->habit == ORIGIN_SILENT && upconn->in_head && upconn->body >= plan->at;
}

static bool step_upconn(struct sim_upconn *upconn)
{
	struct world *world = upconn->world;

	duplex_advance(&upconn->duplex, world->now_us);
	if (upconn->dead || upconn->failed || world->now_us < upconn->next_us || world->now_us < upconn->ready_us)
		return false;
	if (upconn->out != NULL && write_some(upconn))
		return true;
	if (upconn->dead || (upconn->out != NULL && upconn->ends) || stuck(upconn) ||
	    !duplex_readable(&upconn->duplex, DUPLEX_SERVER))
		return false;
	if (upconn->out != NULL && !upconn->in_head)
		return false; /* send the response first */
	if (!read_some(upconn))
		return false;
	if (!upconn->dead)
		parse(upconn);
	return true;
}

/* Tells the gateway when the event arrives that its upstream connection waits for. */
static bool tell(struct sim_upconn *upconn)
{
	struct world *world = upconn->world;
	struct sim_conn *conn = upconn->conn;

	duplex_advance(&upconn->duplex, world->now_us);
	if (conn == NULL || conn->woken)
		return false;
	bool connecting = upconn->ready_us != SIM_NEVER && world->now_us >= upconn->ready_us;
	if (connecting)
		upconn->ready_us = upconn->told ? upconn->ready_us : world->now_us;
	bool due = (connecting && !upconn->told) ||
		   (upconn->want_read && duplex_readable(&upconn->duplex, DUPLEX_CLIENT)) ||
		   (upconn->want_write && duplex_writable(&upconn->duplex, DUPLEX_CLIENT));
	upconn->told = upconn->told || connecting;
	if (!due)
		return false;
	upconn->wake(upconn->arg);
	return true;
}

bool origin_step(struct world *world)
{
	bool any = false;

	for (unsigned i = 0; i < world->origin.count && !world->failed; i++) {
		struct sim_upconn *upconn = &world->origin.upconns[i];
		any = step_upconn(upconn) || any;
		any = tell(upconn) || any;
		if (upconn->open && upconn->conn == NULL && duplex_readable(&upconn->duplex, DUPLEX_CLIENT)) {
			upconn->open = false; /* as a pool does that watches its idle connections */
			duplex_close(&upconn->duplex, DUPLEX_CLIENT, world->now_us);
			any = true;
		}
	}
	return any;
}

uint64_t origin_next(const struct world *world)
{
	uint64_t next = SIM_NEVER;

	for (unsigned i = 0; i < world->origin.count; i++) {
		const struct sim_upconn *upconn = &world->origin.upconns[i];
		uint64_t at = duplex_next(&upconn->duplex);
		if (at < next)
			next = at;
		if (!upconn->told && upconn->conn != NULL && upconn->ready_us < next)
			next = upconn->ready_us;
		if (!upconn->dead && upconn->next_us > world->now_us && upconn->next_us < next)
			next = upconn->next_us;
	}
	return next;
}

bool origin_under_way(const struct world *world, const struct sim_conn *conn)
{
	for (unsigned i = 0; i < world->origin.count; i++) {
		const struct sim_upconn *upconn = &world->origin.upconns[i];
		if (upconn->conn == conn && (duplex_next(&upconn->duplex) != SIM_NEVER ||
					     upconn->next_us > world->now_us || upconn->ready_us > world->now_us))
			return true;
	}
	return false;
}

void origin_free(struct world *world)
{
	for (unsigned i = 0; i < world->origin.count; i++) {
		duplex_free(&world->origin.upconns[i].duplex);
		tls_digest_free(&world->origin.upconns[i].digest);
		free(world->origin.upconns[i].out);
		http_request_free(&world->origin.upconns[i].head);
	}
}
