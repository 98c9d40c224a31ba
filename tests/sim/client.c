#include "client.h"

#include <stdlib.h>
#include <string.h>

void client_init(struct client *client, const struct scenario *scenario, const struct conn_plan *plan,
		 struct duplex *duplex)
{
	memset(client, 0, sizeof(*client));
	client->scenario = scenario;
	client->plan = plan;
	client->ops = plan->stack == STACK_GNUTLS ? &stack_gnutls : &stack_openssl;
	client->duplex = duplex;
	client->decide_at_us = SIM_NEVER;
	emitter_init(&client->emitter, scenario, plan);
	if (plan->http2) {
		struct h2_peer_setup setup = {scenario, plan, client->answers, client->emitter.sha256};
		emitter_stop(&client->emitter);
		client->http2 = h2_peer_new(&setup);
	}
}

void client_free(struct client *client)
{
	if (client->stack != NULL)
		client->ops->free(client->stack);
	client->stack = NULL;
	emitter_free(&client->emitter);
	h2_peer_free(&client->http2);
	for (unsigned i = 0; i < SCENARIO_REQUESTS; i++)
		answer_free(&client->answers[i]);
}

void client_start(struct client *client, void *resume, uint64_t now_us)
{
	struct stack_setup setup = {client->plan, client->duplex, &client->now_us, resume};

	client->now_us = now_us;
	client->stack = client->ops->make(&setup);
	client->started = true;
	client->want_write = true;
	if (client->plan->reading == READS_SLOWLY && !client->plan->shakes_fast)
		client->duplex->allowance = 0;
}

/* The only writer of client->end. */
static void finish(struct client *client, enum client_end end, const char *why)
{
	client->end = end;
	client->why = why;
	client->want_read = client->want_write = false;
	duplex_close(client->duplex, DUPLEX_CLIENT, client->now_us);
}

static void leave(struct client *client)
{
	client->left = true;
	client->quiet = true;
	switch (client->plan->ending) {
	case ENDING_NORMAL:
	case ENDING_IDLE:
	case ENDING_STOPS:
		break;
	case ENDING_NOTIFY:
		client->ops->close_notify(client->stack);
		finish(client, CLIENT_LEFT, NULL);
		break;
	case ENDING_HALF_CLOSE:
		duplex_half_close(client->duplex, DUPLEX_CLIENT, client->now_us);
		break;
	case ENDING_RESET:
		duplex_reset(client->duplex, DUPLEX_CLIENT, client->now_us);
		finish(client, CLIENT_LEFT, NULL);
		break;
	}
}

static bool leaves_early(const struct client *client)
{
	return client->plan->ending != ENDING_NORMAL && client->plan->ending != ENDING_IDLE && !client->left;
}

/* Handles a result of the TLS stack. True: continue. */
static bool handle(struct client *client, enum stack_result result)
{
	switch (result) {
	case STACK_DONE:
		return true;
	case STACK_WANT_READ:
		client->read_first = true;
		return false;
	case STACK_WANT_WRITE:
		client->want_write = true;
		return false;
	case STACK_ASKED:
		client->asked = true;
		client->decide_at_us = client->plan->answer == ANSWER_NEVER
					       ? SIM_NEVER
					       : client->now_us + client->plan->answer_after_ms * 1000;
		return true;
	case STACK_THINKING:
		client->thinking = true;
		if (client->plan->answer != ANSWER_NEVER)
			client->decide_at_us = client->now_us + client->plan->answer_after_ms * 1000;
		return false;
	case STACK_END:
		finish(client, CLIENT_TOLD_BYE, NULL);
		return false;
	case STACK_TRUNCATED:
		finish(client, CLIENT_CUT, client->ops->error(client->stack));
		return false;
	case STACK_BROKEN:
		finish(client, CLIENT_BROKEN, client->ops->error(client->stack));
		return false;
	}
	return false;
}

static void shake(struct client *client)
{
	if (client->thinking || client->left)
		return;
	enum stack_result result = client->ops->handshake(client->stack);

	client->shaken = result == STACK_DONE;
	if (leaves_early(client) && client->plan->ending_at == SIM_NEVER && duplex_moved(client->duplex) > 0)
		leave(client);
	else if (result == STACK_WANT_READ)
		client->want_read = true;
	else
		(void)handle(client, result);
}

/* GnuTLS must have sent a pending record completely before it begins a handshake, or it would send the record twice. */
static bool owes_record(const struct client *client)
{
	return client->write_pending && client->plan->stack == STACK_GNUTLS;
}

/* The human's decision: OpenSSL then continues by itself; GnuTLS must be told to answer. */
static void decide(struct client *client)
{
	if (client->now_us < client->decide_at_us || owes_record(client))
		return;
	client->decide_at_us = SIM_NEVER;
	client->thinking = false;
	client->ops->decide(client->stack);
	if (client->asked) {
		client->asked = false;
		client->answering = true;
	}
}

/* Continues a GnuTLS exchange as far as possible. */
static void exchange(struct client *client)
{
	enum stack_result result =
		client->renegotiating ? client->ops->renegotiate(client->stack) : client->ops->answer(client->stack);

	client->mid_exchange = result == STACK_WANT_READ;
	if (result == STACK_WANT_READ)
		client->want_read = true;
	else if (handle(client, result))
		client->answering = client->renegotiating = false;
}

/* True: continue. TLS 1.3 has no renegotiation. */
static bool renegotiate(struct client *client)
{
	client->renegotiated = true;
	if (client->ops->is_tls13(client->stack))
		return true;
	if (client->plan->stack == STACK_GNUTLS) {
		client->renegotiating = true;
		exchange(client);
		return false;
	}
	enum stack_result result = client->ops->renegotiate(client->stack);
	if (result == STACK_WANT_READ)
		client->want_read = true;
	return handle(client, result);
}

static bool in_body(const struct client *client)
{
	return client->http2 != NULL || emitter_in_body(&client->emitter);
}

static size_t next_bytes(struct client *client, unsigned char *data, size_t room)
{
	if (client->http2 != NULL)
		return h2_peer_next(client->http2, data, room);
	return emitter_next(&client->emitter, data, room, client->now_us);
}

static bool has_more(const struct client *client)
{
	if (client->http2 != NULL)
		return h2_peer_ready(client->http2);
	return emitter_ready(&client->emitter, client->now_us);
}

/* How much goes into the next record: a whole record unless the plan says less. */
static size_t record_room(const struct client *client)
{
	size_t room = sizeof(client->out);

	if (in_body(client) && client->plan->record_max < room)
		room = client->plan->record_max;
	if (leaves_early(client) && client->plan->ending_at - client->sent < room)
		room = (size_t)(client->plan->ending_at - client->sent);
	return room;
}

static bool refill(struct client *client)
{
	client->out_at = client->out_len = 0;
	for (size_t room = record_room(client); room > client->out_len; room = record_room(client)) {
		client->out_body = in_body(client);
		size_t more = next_bytes(client, client->out + client->out_len, room - client->out_len);
		if (more == 0)
			break;
		client->out_len += more;
	}
	return client->out_len > 0;
}

/* Whether the client may not send now, whatever the emitter has. */
static bool must_be_still(const struct client *client)
{
	if (client->quiet || client->thinking || client->now_us < client->write_at_us)
		return true;
	if (!client->answering && !client->renegotiating)
		return false;
	return !client->plan->interleaves || !client->mid_exchange || client->ops->is_tls13(client->stack);
}

/* Sends one record, unless something prevents it. True: call again. */
static bool transmit(struct client *client)
{
	size_t written = 0;

	if (must_be_still(client))
		return false;
	if (client->plan->renegotiates && !client->renegotiated && client->sent >= client->plan->renegotiates_at &&
	    client->out_at == client->out_len)
		return renegotiate(client);
	if (leaves_early(client) && client->sent >= client->plan->ending_at) {
		leave(client);
		return false;
	}
	/* Between two records the client answers the ask first. */
	if (client->out_at == client->out_len && client->asked && client->now_us >= client->decide_at_us)
		return false;
	if (client->out_at == client->out_len && !refill(client))
		return false;
	enum stack_result result = client->ops->write(client->stack, client->out + client->out_at,
						      client->out_len - client->out_at, &written);
	client->out_at += written;
	client->sent += written;
	client->write_pending = result == STACK_WANT_WRITE;
	client->interleaved = client->interleaved || (written > 0 && client->answering);
	if (written > 0 && client->out_body && client->out_at == client->out_len && client->plan->trickle_ms > 0)
		client->write_at_us = client->now_us + client->plan->trickle_ms * 1000;
	return handle(client, result);
}

static void read_http2(struct client *client)
{
	const char *why = NULL;
	size_t len = client->reader.len;

	client->reader.len = 0;
	if (!h2_peer_take(client->http2, client->reader.data, len, &why))
		finish(client, CLIENT_BROKEN, why);
	else
		h2_peer_tick(client->http2, client->now_us);
	client->answered = h2_peer_over(client->http2);
}

static void read_responses(struct client *client)
{
	while (client->answered < client->plan->request_count) {
		const struct request_plan *request = &client->plan->requests[client->answered];
		struct answer *answer = &client->answers[client->answered];
		const char *why = "";
		enum answer_state state =
			answer_take(&client->reader, answer, strcmp(request->method, "HEAD") == 0, &why);

		if (state == ANSWER_MORE)
			return;
		if (state == ANSWER_BAD) {
			finish(client, CLIENT_BROKEN, why);
			return;
		}
		if (state == ANSWER_CONTINUE) {
			if (client->answered == client->emitter.request)
				emitter_continue(&client->emitter);
			continue;
		}
		/*
		 * A client that held back its body gets a final response instead of a 100: it no longer sends the body.
		 */
		if (client->answered == client->emitter.request && emitter_waits_100(&client->emitter)) {
			client->gives_up = client->quiet = true;
			emitter_stop(&client->emitter);
		}
		client->answered++;
		if (answer->close) {
			client->gives_up = client->quiet = true;
			return;
		}
		if (client->emitter.allowed < client->answered + 1)
			client->emitter.allowed = client->answered + 1;
	}
}

/*
 * The client reads if it waits for something; otherwise its plan decides. An OpenSSL client that reads while its own
 * write is pending fails if it is asked just then: on TLS 1.3 it ends its connection ("bad length"), on 1.2 it may
 * forget the request until something else can be read. So a careful client does not read then.
 */
static bool may_read(const struct client *client)
{
	bool waits = client->out_at == client->out_len && !has_more(client);

	if (client->thinking || client->answering || client->renegotiating || !client->shaken)
		return false;
	if (client->write_pending && !client->plan->careless && client->plan->stack == STACK_OPENSSL)
		return false;
	return client->plan->reading != READS_AFTER || waits || client->read_first || client->quiet;
}

/* True: call again. */
static bool receive(struct client *client)
{
	size_t room = ANSWER_MAX - 1 - client->reader.len, len = 0;
	enum stack_result result =
		client->ops->read(client->stack, client->reader.data + client->reader.len, room, &len);

	client->reader.len += len;
	client->read_first = false;
	client->write_first = result == STACK_WANT_WRITE;
	if (result == STACK_WANT_READ) {
		client->want_read = true;
		return false;
	}
	if (result == STACK_DONE && client->http2 != NULL)
		read_http2(client);
	else if (result == STACK_DONE)
		read_responses(client);
	return handle(client, result) && client->end == CLIENT_OPEN;
}

/* After its last response one client closes; another (ENDING_IDLE) waits for the server to close. */
static bool is_done(const struct client *client)
{
	bool all = client->answered == client->plan->request_count;
	bool sent = emitter_all_sent(&client->emitter) && client->out_at == client->out_len;

	if (client->end != CLIENT_OPEN || client->answering || client->asked || client->thinking)
		return false;
	if (client->http2 != NULL)
		return client->plan->ending != ENDING_IDLE && sent && h2_peer_done(client->http2);
	return client->gives_up || (client->plan->ending != ENDING_IDLE && all && (sent || client->quiet));
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t client_timer(const struct client *client)
{
	uint64_t timer = owes_record(client) ? SIM_NEVER : client->decide_at_us;

	if (!client->started || client->end != CLIENT_OPEN)
		return SIM_NEVER;
	if (client->write_at_us > client->now_us && !client->quiet)
		timer = sooner(timer, client->write_at_us);
	if (client->plan->reading == READS_SLOWLY && client->duplex->allowance == 0 &&
	    duplex_unread(client->duplex, DUPLEX_CLIENT) > 0)
		timer = sooner(timer, client->read_at_us);
	if (client->http2 != NULL)
		timer = sooner(timer, h2_peer_timer(client->http2));
	if (emitter_waits_100(&client->emitter) && client->out_at == client->out_len && !must_be_still(client))
		timer = sooner(timer, client->emitter.continue_at_us);
	return timer;
}

static void allow_reading(struct client *client)
{
	bool left = client->duplex->allowance > 0 && client->duplex->allowance != SIZE_MAX;

	if (client->plan->reading != READS_SLOWLY || client->now_us < client->read_at_us || left)
		return;
	if (client->plan->shakes_fast && !client->shaken)
		return;
	client->read_at_us = client->now_us + client->plan->read_pause_ms * 1000;
	client->duplex->allowance = client->plan->read_max;
}

void client_step(struct client *client, uint64_t now_us)
{
	client->now_us = now_us;
	client->want_read = client->want_write = client->write_first = false;
	decide(client);
	allow_reading(client);
	if (!client->shaken)
		shake(client);
	if (client->shaken && (client->answering || client->renegotiating))
		exchange(client);
	if (client->shaken && client->http2 != NULL)
		h2_peer_tick(client->http2, now_us);
	do {
		while (client->end == CLIENT_OPEN && may_read(client) && receive(client))
			;
	} while (client->shaken && client->end == CLIENT_OPEN && transmit(client));
	if (client->shaken && is_done(client)) {
		client->ops->close_notify(client->stack);
		finish(client, CLIENT_DONE, NULL);
	}
	client->want_read =
		client->end == CLIENT_OPEN && !client->write_first && (client->want_read || may_read(client));
}

bool client_ready(const struct client *client, uint64_t now_us)
{
	if (!client->started || client->end != CLIENT_OPEN)
		return false;
	return (client->want_read && duplex_readable(client->duplex, DUPLEX_CLIENT)) ||
	       (client->want_write && duplex_writable(client->duplex, DUPLEX_CLIENT)) || client_timer(client) <= now_us;
}

bool client_write_blocked(const struct client *client)
{
	return client->end == CLIENT_OPEN && client->want_write && !duplex_writable(client->duplex, DUPLEX_CLIENT);
}

const char *client_end_name(enum client_end end)
{
	static const char *const names[] = {
		[CLIENT_OPEN] = "open",         [CLIENT_DONE] = "done",   [CLIENT_LEFT] = "left",
		[CLIENT_TOLD_BYE] = "told bye", [CLIENT_CUT] = "cut off", [CLIENT_BROKEN] = "broken",
	};
	return names[end];
}
