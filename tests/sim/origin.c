#include "origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "tls/digest.h"
#include "world.h"

static const struct origin_plan *plan_of(const struct sim_leg *leg)
{
	return &leg->world->scenario->origin;
}

/* ---- the gateway's side ---- */

static ssize_t leg_read(void *io, void *data, size_t room)
{
	struct sim_leg *leg = io;
	return wire_read(&leg->wire, WIRE_CLIENT, data, room, leg->world->now_us);
}

static ssize_t leg_write(void *io, const void *data, size_t len)
{
	struct sim_leg *leg = io;
	return wire_write(&leg->wire, WIRE_CLIENT, data, len, leg->world->now_us);
}

static void leg_half_close(void *io)
{
	struct sim_leg *leg = io;
	wire_half_close(&leg->wire, WIRE_CLIENT, leg->world->now_us);
}

static ssize_t leg_discard(void *io, size_t max)
{
	return leg_read(io, NULL, max);
}

static const struct transport_ops leg_transport_ops = {
	.read = leg_read, .write = leg_write, .half_close = leg_half_close, .discard = leg_discard};

static struct sim_leg *idle_leg(struct origin *origin)
{
	for (unsigned i = 0; i < origin->count; i++)
		if (origin->legs[i].open && origin->legs[i].conn == NULL)
			return &origin->legs[i];
	return NULL;
}

static struct sim_leg *new_leg(struct world *world)
{
	struct origin *origin = &world->origin;
	const struct origin_plan *plan = &world->scenario->origin;

	if (origin->count == ORIGIN_LEGS) {
		world_fail(world, "more connections to the upstream than requests could need");
		return NULL;
	}
	struct sim_leg *leg = &origin->legs[origin->count];
	*leg = (struct sim_leg){.world = world, .index = origin->count++, .open = true};
	leg->ready_us = world->now_us + plan->connect_ms * 1000;
	leg->failed = plan->habit == ORIGIN_AWAY;
	leg->digest = NULL;
	if (!wire_init(&leg->wire, &plan->up, &plan->down))
		abort();
	leg->wire.allowance = SIZE_MAX;
	return leg;
}

/* A server that offers NTLM takes every request on a connection for the same user's. */
static void check_owner(const struct sim_leg *leg)
{
	if (leg->owner != NULL && leg->owner != leg->world->current)
		world_fail(leg->world, "a connection that offered NTLM serves another client");
}

static struct gw_leg *take(void *pool, const struct config_upstream *upstream, bool fresh, void (*wake)(void *arg),
			   void *arg, uint64_t now_ms)
{
	struct world *world = pool;
	struct sim_leg *leg = fresh ? NULL : idle_leg(&world->origin);

	(void)now_ms;
	if (strcmp(upstream->name, "app") != 0)
		world_fail(world, "the upstream is %s", upstream->name);
	if (leg == NULL)
		leg = new_leg(world);
	if (leg == NULL)
		return NULL;
	check_owner(leg);
	leg->conn = world->current;
	leg->wake = wake;
	leg->arg = arg;
	leg->want_read = leg->want_write = false;
	world->origin.taken++;
	return (struct gw_leg *)leg;
}

static enum thaw_status ready(struct gw_leg *gw, uint64_t now_ms, struct thaw_error *err)
{
	struct sim_leg *leg = (struct sim_leg *)gw;

	(void)now_ms;
	if (leg->world->now_us < leg->ready_us)
		return THAW_WANT_READ;
	return leg->failed ? error_set(err, THAW_ERR_SYSTEM, "connection refused") : THAW_OK;
}

static struct transport transport_of(struct gw_leg *gw)
{
	return (struct transport){&leg_transport_ops, gw};
}

static void watch(struct gw_leg *gw, bool read, bool write)
{
	struct sim_leg *leg = (struct sim_leg *)gw;
	leg->want_read = read;
	leg->want_write = write;
}

static bool used(const struct gw_leg *gw)
{
	return ((const struct sim_leg *)gw)->used;
}

static const char *server(const struct gw_leg *gw)
{
	(void)gw;
	return "http://origin.test";
}

static void stay(struct gw_leg *gw)
{
	struct sim_leg *leg = (struct sim_leg *)gw;

	leg->used = true;
	if (leg->in_head || leg->in_len > 0 || leg->out != NULL)
		world_fail(leg->world, "a leg is kept in the middle of an exchange");
}

static void wakes(struct gw_leg *gw, void (*wake)(void *arg), void *arg)
{
	struct sim_leg *leg = (struct sim_leg *)gw;

	leg->wake = wake;
	leg->arg = arg;
}

static void give(struct gw_leg **gw, enum gw_leg_end end, uint64_t now_ms)
{
	struct sim_leg *leg = (struct sim_leg *)*gw;

	(void)now_ms;
	*gw = NULL;
	leg->conn = NULL;
	leg->want_read = leg->want_write = false;
	leg->used = true;
	if (end == GW_LEG_KEEP && !leg->in_head && leg->in_len == 0 && leg->out == NULL)
		return;
	if (end == GW_LEG_KEEP)
		world_fail(leg->world, "a leg is kept in the middle of an exchange: %s, %zu bytes came, %zu are left",
			   leg->in_head ? "a request is under way" : "no request", leg->in_len,
			   leg->out_len - leg->out_at);
	leg->open = false;
	wire_close(&leg->wire, WIRE_CLIENT, leg->world->now_us);
}

const struct gw_leg_ops origin_ops = {take, ready, transport_of, watch, used, server, stay, wakes, give};

/* ---- the origin's side ---- */

/* Behind what is not written yet. */
static void reply(struct sim_leg *leg, char *text, size_t len)
{
	char *more = realloc(leg->out, leg->out_len + len);

	if (more == NULL)
		abort();
	if (leg->out == NULL)
		leg->out_at = leg->out_len = 0;
	memcpy(more + leg->out_len, text, len);
	free(text);
	leg->out = more;
	leg->out_len += len;
}

/* The value of the client's part in an XFCC field: Hash=...;Subject="..." */
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

static char *inspect(struct sim_leg *leg, size_t *len)
{
	char hex[TLS_DIGEST_HEX];

	if (!tls_digest_end(leg->digest, hex))
		abort();
	json_t *json = json_pack("{s:s%, s:s%, s:o, s:I, s:s}", "method", leg->head.method.at, leg->head.method.len,
				 "path", leg->head.path.at, leg->head.path.len, "certificate", identity_of(&leg->head),
				 "body_bytes", (json_int_t)leg->body, "body_sha256", hex);
	const struct http_field *pad = http_field_find(&leg->head, "X-Pad");
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

static void respond(struct sim_leg *leg)
{
	const struct origin_plan *plan = plan_of(leg);
	size_t len = 0;
	char *body = inspect(leg, &len), *text = NULL;
	const char *type = plan->binds ? "Content-Type: application/json\r\nWWW-Authenticate: NTLM\r\n"
				       : "Content-Type: application/json\r\n";
	int size = 0;

	if (leg->head.is_head)
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
	leg->ends = plan->body == ORIGIN_UNTIL_CLOSE && !leg->head.is_head;
	if (plan->binds)
		leg->owner = leg->conn;
	reply(leg, text, (size_t)size);
}

/* The field of `headers` has what the identity has, and nothing of the client's. */
static bool who_is_true(const struct http_request *head)
{
	const struct http_field *xfcc = http_field_find(head, "X-Forwarded-Client-Cert");
	const struct http_field *who = http_field_find(head, "X-Who"), *verified = http_field_find(head, "X-Verified");

	if (http_field_find(head, "x_who") != NULL || verified == NULL || (xfcc == NULL) != (who == NULL))
		return false;
	if (xfcc == NULL)
		return http_span_equal(verified->value, "NONE");
	return http_span_equal(verified->value, "SUCCESS") && who->value.len == 64 && xfcc->value.len > 69 &&
	       memcmp(who->value.at, xfcc->value.at + strlen("Hash="), 64) == 0;
}

static void begin_request(struct sim_leg *leg, size_t head_len)
{
	struct world *world = leg->world;

	leg->in_head = true;
	leg->body = 0;
	leg->left = leg->head.framing == HTTP_BODY_LENGTH ? leg->head.length : 0;
	http_chunked_init(&leg->chunked);
	leg->digest = tls_digest_new();
	leg->requests++;
	world->origin.requests++;
	if (leg->head.minor != 1 || leg->head.host.len == 0 || http_field_find(&leg->head, "X-Forwarded-For") == NULL ||
	    http_field_find(&leg->head, "Via") == NULL)
		world_fail(world, "the upstream's request lacks something: %.*s", (int)head_len, leg->in);
	if (!who_is_true(&leg->head))
		world_fail(world, "the upstream is told something else of the client: %.*s", (int)head_len, leg->in);
	/* The head's spans point to in, which keeps it until the response. */
	leg->head_len = head_len;
	leg->in_at = head_len;
	if (leg->head.expect_continue) {
		char *text = strdup("HTTP/1.1 100 Continue\r\n\r\n");
		reply(leg, text, strlen(text));
	}
}

static void close_origin(struct sim_leg *leg, bool reset)
{
	leg->dead = true;
	if (reset)
		wire_reset(&leg->wire, WIRE_SERVER, leg->world->now_us);
	else
		wire_close(&leg->wire, WIRE_SERVER, leg->world->now_us);
}

static void end_request(struct sim_leg *leg)
{
	respond(leg);
	tls_digest_free(&leg->digest);
	memmove(leg->in, leg->in + leg->in_at, leg->in_len - leg->in_at);
	leg->in_len -= leg->in_at;
	leg->in_at = leg->head_len = 0;
	leg->in_head = false;
	leg->scan = (struct http_scan){0};
	if (leg->in_len > 0)
		world_fail(leg->world, "the upstream got bytes behind a request");
}

static void take_data(struct sim_leg *leg, const char *data, size_t len)
{
	leg->body += len;
	if (!tls_digest_add(leg->digest, data, len))
		abort();
}

/* True: the body is complete. */
static bool take_body(struct sim_leg *leg)
{
	const char *at = leg->in + leg->in_at;
	size_t here = leg->in_len - leg->in_at, used = 0;
	struct http_refusal refusal = {0};
	struct http_span data;

	if (leg->head.framing == HTTP_BODY_LENGTH) {
		used = here < leg->left ? here : (size_t)leg->left;
		take_data(leg, at, used);
		leg->left -= used;
		leg->in_at += used;
		return leg->left == 0;
	}
	if (leg->head.framing == HTTP_BODY_NONE)
		return true;
	for (;;) {
		enum http_chunk chunk = http_chunked_decode(&leg->chunked, at, here, &used, &data, &refusal);
		at += used;
		here -= used;
		leg->in_at += used;
		if (chunk == HTTP_CHUNK_DATA)
			take_data(leg, data.at, data.len);
		else if (chunk == HTTP_CHUNK_BAD)
			world_fail(leg->world, "the upstream got a malformed chunk: %s", refusal.why);
		if (chunk != HTTP_CHUNK_DATA)
			return chunk == HTTP_CHUNK_END;
	}
}

/* The habits that end an exchange before its time. True: it is over. */
static bool misbehaves(struct sim_leg *leg)
{
	const struct origin_plan *plan = plan_of(leg);
	const char *text = NULL;

	if (!leg->in_head || leg->body < plan->at)
		return false;
	if (plan->habit == ORIGIN_CUTS && leg->head.is_head) /* a head alone is complete */
		return false;
	switch (plan->habit) {
	case ORIGIN_CLOSES:
		close_origin(leg, false);
		return true;
	case ORIGIN_RESETS:
		close_origin(leg, true);
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
	if (leg->out == NULL && !leg->ends) {
		char *copy = strdup(text);
		reply(leg, copy, strlen(copy));
		leg->ends = true;
		return true;
	}
	return leg->ends;
}

static bool read_some(struct sim_leg *leg)
{
	const struct origin_plan *plan = plan_of(leg);
	size_t room = ORIGIN_ROOM - leg->in_len;

	if (leg->in_head && leg->in_at == leg->in_len) { /* the head stays */
		leg->in_len = leg->in_at = leg->head_len;
		room = ORIGIN_ROOM - leg->in_len;
	}
	if (plan->habit == ORIGIN_SLOW && room > plan->read_max)
		room = plan->read_max;
	ssize_t n = wire_read(&leg->wire, WIRE_SERVER, leg->in + leg->in_len, room, leg->world->now_us);
	if (n == TRANSPORT_BLOCKED)
		return false;
	if (n <= 0) {
		close_origin(leg, false);
		return true;
	}
	leg->in_len += (size_t)n;
	if (plan->habit == ORIGIN_SLOW)
		leg->next_us = leg->world->now_us + plan->pause_ms * 1000;
	return true;
}

static void parse(struct sim_leg *leg)
{
	struct http_refusal refusal = {0};
	size_t used = 0;

	if (!leg->in_head) {
		switch (http_head_parse(leg->in, leg->in_len, &leg->scan, &leg->head, &used, &refusal)) {
		case HTTP_PARSE_MORE:
			return;
		case HTTP_PARSE_BAD:
			world_fail(leg->world, "the upstream got a malformed request: %s", refusal.why);
			return;
		case HTTP_PARSE_DONE:
			begin_request(leg, used);
			break;
		}
	}
	if (!misbehaves(leg) && take_body(leg) && !misbehaves(leg))
		end_request(leg);
}

static bool writes_slowly(const struct origin_plan *plan)
{
	return plan->habit == ORIGIN_SLOW || plan->habit == ORIGIN_EVENTS;
}

static bool write_some(struct sim_leg *leg)
{
	const struct origin_plan *plan = plan_of(leg);
	size_t len = leg->out_len - leg->out_at;

	if (writes_slowly(plan) && len > plan->read_max)
		len = plan->read_max;
	ssize_t n = wire_write(&leg->wire, WIRE_SERVER, leg->out + leg->out_at, len, leg->world->now_us);
	if (n == TRANSPORT_BLOCKED)
		return false;
	if (n < 0) {
		close_origin(leg, false);
		return true;
	}
	leg->out_at += (size_t)n;
	if (writes_slowly(plan))
		leg->next_us = leg->world->now_us + plan->pause_ms * 1000;
	if (leg->out_at < leg->out_len)
		return true;
	free(leg->out);
	leg->out = NULL;
	leg->out_at = leg->out_len = 0;
	if (leg->ends || (plan->habit == ORIGIN_CLOSES_IDLE && !leg->in_head && leg->requests > 0))
		close_origin(leg, false);
	return true;
}

static bool stuck(const struct sim_leg *leg)
{
	const struct origin_plan *plan = plan_of(leg);
	return plan->habit == ORIGIN_SILENT && leg->in_head && leg->body >= plan->at;
}

static bool step_leg(struct sim_leg *leg)
{
	struct world *world = leg->world;

	wire_advance(&leg->wire, world->now_us);
	if (leg->dead || leg->failed || world->now_us < leg->next_us || world->now_us < leg->ready_us)
		return false;
	if (leg->out != NULL && write_some(leg))
		return true;
	if (leg->dead || (leg->out != NULL && leg->ends) || stuck(leg) || !wire_readable(&leg->wire, WIRE_SERVER))
		return false;
	if (leg->out != NULL && !leg->in_head)
		return false; /* the response first */
	if (!read_some(leg))
		return false;
	if (!leg->dead)
		parse(leg);
	return true;
}

/* The gateway is told what its leg waits for. */
static bool tell(struct sim_leg *leg)
{
	struct world *world = leg->world;
	struct sim_conn *conn = leg->conn;

	wire_advance(&leg->wire, world->now_us);
	if (conn == NULL || conn->woken)
		return false;
	bool connecting = leg->ready_us != SIM_NEVER && world->now_us >= leg->ready_us;
	if (connecting)
		leg->ready_us = leg->told ? leg->ready_us : world->now_us;
	bool due = (connecting && !leg->told) || (leg->want_read && wire_readable(&leg->wire, WIRE_CLIENT)) ||
		   (leg->want_write && wire_writable(&leg->wire, WIRE_CLIENT));
	leg->told = leg->told || connecting;
	if (!due)
		return false;
	leg->wake(leg->arg);
	return true;
}

bool origin_step(struct world *world)
{
	bool any = false;

	for (unsigned i = 0; i < world->origin.count && !world->failed; i++) {
		struct sim_leg *leg = &world->origin.legs[i];
		any = step_leg(leg) || any;
		any = tell(leg) || any;
		if (leg->open && leg->conn == NULL && wire_readable(&leg->wire, WIRE_CLIENT)) {
			leg->open = false; /* as a pool that watches its idle connections */
			wire_close(&leg->wire, WIRE_CLIENT, world->now_us);
			any = true;
		}
	}
	return any;
}

uint64_t origin_next(const struct world *world)
{
	uint64_t next = SIM_NEVER;

	for (unsigned i = 0; i < world->origin.count; i++) {
		const struct sim_leg *leg = &world->origin.legs[i];
		uint64_t at = wire_next(&leg->wire);
		if (at < next)
			next = at;
		if (!leg->told && leg->conn != NULL && leg->ready_us < next)
			next = leg->ready_us;
		if (!leg->dead && leg->next_us > world->now_us && leg->next_us < next)
			next = leg->next_us;
	}
	return next;
}

bool origin_under_way(const struct world *world, const struct sim_conn *conn)
{
	for (unsigned i = 0; i < world->origin.count; i++) {
		const struct sim_leg *leg = &world->origin.legs[i];
		if (leg->conn == conn && (wire_next(&leg->wire) != SIM_NEVER || leg->next_us > world->now_us ||
					  leg->ready_us > world->now_us))
			return true;
	}
	return false;
}

void origin_free(struct world *world)
{
	for (unsigned i = 0; i < world->origin.count; i++) {
		wire_free(&world->origin.legs[i].wire);
		tls_digest_free(&world->origin.legs[i].digest);
		free(world->origin.legs[i].out);
		http_request_free(&world->origin.legs[i].head);
	}
}
