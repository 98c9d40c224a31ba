#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../made.h"
#include "base/require.h"
#include "base/transport.h"
#include "spool/store.h"
#include "tls/seal.h"
#include "watch.h"

#define IDLE_STEPS_MAX 4096 /* server steps at one instant without a byte moved, while it processes what it holds */

void world_fail(struct world *world, const char *format, ...)
{
	va_list args;

	if (world->failed)
		return;
	world->failed = true;
	va_start(args, format);
	(void)vsnprintf(world->failure, sizeof(world->failure), format, args);
	va_end(args);
}

static void trace_line(const struct world *world, const struct sim_conn *conn, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void trace_line(const struct world *world, const struct sim_conn *conn, const char *format, ...)
{
	va_list args;

	if (!world->trace)
		return;
	(void)printf("%12.3f ms  #%u  ", (double)world->now_us / 1000, conn != NULL ? conn->index : 99);
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	(void)putchar('\n');
}

/* The server's transport. */

static ssize_t server_read(void *io, void *data, size_t room)
{
	struct sim_conn *conn = io;
	ssize_t n = duplex_read(&conn->duplex, DUPLEX_SERVER, data, room, conn->world->now_us);

	trace_line(conn->world, conn, "server reads %zd", n);
	return n;
}

static ssize_t server_write(void *io, const void *data, size_t len)
{
	struct sim_conn *conn = io;
	ssize_t n = duplex_write(&conn->duplex, DUPLEX_SERVER, data, len, conn->world->now_us);

	trace_line(conn->world, conn, "server writes %zd of %zu", n, len);
	return n;
}

static void server_half_close(void *io)
{
	struct sim_conn *conn = io;

	trace_line(conn->world, conn, "server half-closes");
	duplex_half_close(&conn->duplex, DUPLEX_SERVER, conn->world->now_us);
}

static ssize_t server_discard(void *io, size_t max)
{
	struct sim_conn *conn = io;
	ssize_t n = duplex_read(&conn->duplex, DUPLEX_SERVER, NULL, max, conn->world->now_us);

	trace_line(conn->world, conn, "server discards %zd", n);
	return n;
}

static ssize_t server_peek(void *io, char *first)
{
	struct sim_conn *conn = io;

	duplex_advance(&conn->duplex, conn->world->now_us);
	if (duplex_unread(&conn->duplex, DUPLEX_SERVER) > 0) {
		*first = (char)conn->duplex.up.ring[conn->duplex.up.head];
		return 1;
	}
	return duplex_read(&conn->duplex, DUPLEX_SERVER, NULL, 1, conn->world->now_us);
}

static const struct transport_ops transport_ops = {server_read, server_write, server_half_close, server_discard,
						   server_peek};

/* The server's trace and messages. */

static void on_change(void *arg, const char *machine, const char *from, const char *to, uint64_t now_ms)
{
	struct world *world = arg;
	struct sim_conn *conn = world->current;

	(void)now_ms;
	trace_line(world, conn, "%s: %s -> %s", machine, from, to);
	if (conn == NULL)
		return;
	if (strcmp(machine, "ask") == 0) {
		(void)snprintf(conn->ask_state, sizeof(conn->ask_state), "%s", to);
		if (strcmp(to, "answer") == 0)
			conn->asks++;
	}
	if (strcmp(machine, "conn") == 0 || strcmp(machine, "stream") == 0)
		(void)snprintf(conn->conn_state, sizeof(conn->conn_state), "%s", to);
}

static void on_access(void *arg, const char *line, size_t len)
{
	struct world *world = arg;
	struct sim_conn *conn = world->current;
	json_error_t error;

	trace_line(world, conn, "access: %.*s", (int)(len > 0 ? len - 1 : 0), line);
	if (conn == NULL || conn->record_count == WORLD_RECORDS) {
		world_fail(world, "an access record too many");
		return;
	}
	if (len == 0 || line[len - 1] != '\n' || memchr(line, '\n', len - 1) != NULL)
		world_fail(world, "an access record that is not one line");
	json_t *record = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (record == NULL)
		world_fail(world, "an access record that is not JSON: %s: %.*s", error.text, (int)len, line);
	conn->records[conn->record_count++] = record;
}

static void on_message(void *arg, enum config_log_level level, const char *text)
{
	struct world *world = arg;

	(void)snprintf(world->last_message, sizeof(world->last_message), "%d %s", (int)level, text);
	trace_line(world, world->current, "message: %s", world->last_message);
}

/* Bytes left on the simulated disk. A process runs one simulation at a time. */
static uint64_t disk_left;

static ssize_t write_to_disk(int fd, const void *data, size_t len, off_t at)
{
	if (len > disk_left) {
		errno = ENOSPC;
		return -1;
	}
	disk_left -= len;
	return spool_file_system.write(fd, data, len, at);
}

static bool make_store(struct world *world, struct thaw_error *err)
{
	const struct scenario *scenario = world->scenario;
	struct cipher cipher = {0};

	if (tls_seal_new(&cipher, err) != THAW_OK)
		return false;
	world->files = spool_file_system;
	disk_left = scenario->disk_room;
	if (scenario->disk_room > 0)
		world->files.write = write_to_disk;
	world->store =
		spool_store_new(world->quota, 0, scenario->disk > 0 ? pki_folder() : NULL, cipher, &world->files, err);
	if (world->store == NULL)
		cipher.ops->free(cipher.key);
	return world->store != NULL;
}

static bool open_store(struct world *world)
{
	const struct scenario *scenario = world->scenario;
	struct thaw_error err = {0};

	world->limits = (struct thaw_quota_limits){
		.size = sizeof(struct thaw_quota_limits),
		.memory = scenario->memory,
		.disk = scenario->disk,
		.client_memory = scenario->memory * scenario->per_client_percent / 100,
		.client_disk = scenario->disk * scenario->per_client_percent / 100,
		.request_memory = scenario->request_memory,
		.workers = 1,
	};
	world->quota = made_quota_new(&world->limits);
	if (world->quota == NULL || !make_store(world, &err))
		world_fail(world, "no store: %s", err.text);
	return world->store != NULL;
}

static bool open_server(struct world *world)
{
	struct server_env env = {world->store, {NULL, world}, {on_change, world}, on_access, on_message, world};
	struct thaw_error err = {0};

	if (world->scenario->proxied)
		env.upconns.ops = &origin_ops;
	world->ops = world->scenario->server == SERVER_GATEWAY ? &server_gateway : &server_small;
	world->server = world->ops->open(world->scenario, &env, &err);
	if (world->server == NULL)
		world_fail(world, "no server: %s", err.text);
	return world->server != NULL;
}

static void open_conn(struct world *world, unsigned index)
{
	const struct conn_plan *plan = &world->scenario->conns[index];
	struct sim_conn *conn = &world->conns[index];

	*conn = (struct sim_conn){.world = world, .index = index};
	conn->address.sin_family = AF_INET;
	conn->address.sin_addr.s_addr = htonl(0x0a000001U + plan->address);
	conn->address.sin_port = htons((uint16_t)(40000 + index));
	if (!duplex_init(&conn->duplex, &plan->up, &plan->down))
		abort();
	client_init(&conn->client, world->scenario, plan, &conn->duplex);
}

static void on_ready(void *arg)
{
	((struct sim_conn *)arg)->woken = true;
}

/* The client connects, and the server accepts the connection. */
static void start_conn(struct world *world, struct sim_conn *conn)
{
	const struct conn_plan *plan = conn->client.plan;
	void *session = NULL;

	conn->sent_away = plan->follows >= 0 && h2_peer_sent_away(world->conns[plan->follows].client.http2);
	if (plan->resumes >= 0) {
		struct client *earlier = &world->conns[plan->resumes].client;
		session = earlier->stack != NULL ? earlier->ops->session(earlier->stack) : NULL;
	}
	client_start(&conn->client, session, world->now_us);
	if (session != NULL)
		conn->client.ops->session_free(session);
	struct transport transport = {&transport_ops, conn};
	world->current = conn;
	conn->server = world->ops->accept(world->server, transport, (const struct sockaddr *)&conn->address,
					  world->now_us / 1000);
	world->current = NULL;
	if (conn->server != NULL && world->ops->on_ready != NULL)
		world->ops->on_ready(conn->server, on_ready, conn);
	conn->accepted = true;
	conn->retire_us = plan->retire_ms > 0 ? world->now_us + plan->retire_ms * 1000 : SIM_NEVER;
	conn->dismiss_us = plan->dismiss_ms > 0 ? conn->retire_us + plan->dismiss_ms * 1000 : SIM_NEVER;
	conn->bound_us = world->now_us + watch_bound_us(world->scenario, plan);
	if (conn->server == NULL)
		world_fail(world, "#%u was not accepted", conn->index);
}

static bool may_start(const struct world *world, const struct sim_conn *conn)
{
	const struct conn_plan *plan = conn->client.plan;

	if (conn->accepted)
		return false;
	if (plan->resumes >= 0)
		return world->conns[plan->resumes].accepted && world->conns[plan->resumes].server == NULL;
	if (plan->follows >= 0) {
		const struct sim_conn *first = &world->conns[plan->follows];
		return h2_peer_sent_away(first->client.http2) || (first->accepted && first->server == NULL);
	}
	return world->now_us >= (WORLD_START_MS + plan->start_ms) * 1000;
}

/*
 * A graceful stop: the connection ends after the current request. Like the event loop, it steps the connection at once.
 */
static void retire(struct world *world, struct sim_conn *conn)
{
	conn->retire_us = SIM_NEVER;
	if (conn->server == NULL || world->ops->retire == NULL)
		return;
	trace_line(world, conn, "server retires");
	world->ops->retire(conn->server, world->now_us / 1000);
	conn->stepped = false;
}

/* The time for the current request is over. */
static void dismiss(struct world *world, struct sim_conn *conn)
{
	conn->dismiss_us = SIM_NEVER;
	if (conn->server == NULL || world->ops->dismiss == NULL)
		return;
	trace_line(world, conn, "server dismisses");
	world->current = conn;
	world->ops->dismiss(conn->server, world->now_us / 1000);
	world->current = NULL;
	conn->stepped = false;
}

static bool server_ready(const struct sim_conn *conn)
{
	if (conn->server == NULL)
		return false;
	return !conn->stepped || conn->woken || conn->wants.again ||
	       (conn->wants.read && duplex_readable(&conn->duplex, DUPLEX_SERVER)) ||
	       (conn->wants.write && duplex_writable(&conn->duplex, DUPLEX_SERVER)) ||
	       conn->world->now_us / 1000 >= conn->wants.deadline_ms;
}

static void drop_server(struct world *world, struct sim_conn *conn)
{
	world->current = conn;
	world->ops->drop(conn->server);
	world->current = NULL;
	conn->server = NULL;
	duplex_close(&conn->duplex, DUPLEX_SERVER, world->now_us);
	trace_line(world, conn, "server closes");
}

/* Bytes moved on its connection and on all upstream connections. */
static uint64_t moved_by(const struct sim_conn *conn)
{
	uint64_t moved = duplex_moved(&conn->duplex);

	for (unsigned i = 0; i < conn->world->origin.count; i++)
		moved += duplex_moved(&conn->world->origin.upconns[i].duplex);
	return moved;
}

static void step_server(struct world *world, struct sim_conn *conn)
{
	uint64_t moved = moved_by(conn);

	world->current = conn;
	conn->woken = false;
	conn->wants = world->ops->step(conn->server, world->now_us / 1000);
	world->current = NULL;
	conn->stepped = true;
	conn->steps++;
	conn->idle_steps = moved_by(conn) == moved ? conn->idle_steps + 1 : 0;
	if (conn->idle_steps > IDLE_STEPS_MAX)
		world_fail(world, "#%u the server spins: %u steps at one instant without a byte moved (%s, ask %s)",
			   conn->index, conn->idle_steps, conn->conn_state, conn->ask_state);
	watch_step(world, conn);
	if (conn->wants.dead)
		drop_server(world, conn);
}

static void step_client(struct world *world, struct sim_conn *conn)
{
	bool was_shaken = conn->client.shaken;
	unsigned answered = conn->client.answered;

	uint64_t moved = duplex_moved(&conn->duplex);

	client_step(&conn->client, world->now_us);
	conn->idle_turns = duplex_moved(&conn->duplex) == moved ? conn->idle_turns + 1 : 0;
	if (conn->idle_turns > IDLE_STEPS_MAX)
		world_fail(world, "#%u the client spins: a fault of the simulation", conn->index);
	if (!was_shaken && conn->client.shaken)
		trace_line(world, conn, "client: handshake over, %s",
			   conn->client.ops->is_tls13(conn->client.stack) ? "TLS 1.3" : "TLS 1.2");
	for (; answered < conn->client.answered; answered++)
		trace_line(world, conn, "client: response %u: %s", conn->client.answers[answered].status,
			   conn->client.answers[answered].body);
	if (conn->client.end != CLIENT_OPEN)
		trace_line(world, conn, "client: %s%s%s", client_end_name(conn->client.end),
			   conn->client.why != NULL ? ": " : "", conn->client.why != NULL ? conn->client.why : "");
}

/* Everything that can happen now happens, in an order that depends on the seed. True: something happened. */
static bool step_all(struct world *world)
{
	unsigned first = (unsigned)rng_next(&world->order) % world->scenario->conn_count;
	bool server_first = rng_chance(&world->order, 50);
	bool any = origin_step(world);

	for (unsigned i = 0; i < world->scenario->conn_count && !world->failed; i++) {
		struct sim_conn *conn = &world->conns[(first + i) % world->scenario->conn_count];
		duplex_advance(&conn->duplex, world->now_us);
		if (may_start(world, conn)) {
			start_conn(world, conn);
			any = true;
		}
		if (conn->accepted && world->now_us >= conn->retire_us) {
			retire(world, conn);
			any = true;
		}
		if (conn->accepted && world->now_us >= conn->dismiss_us) {
			dismiss(world, conn);
			any = true;
		}
		for (int side = 0; side < 2 && !world->failed; side++) {
			if ((side == 0) == server_first && server_ready(conn)) {
				step_server(world, conn);
				any = true;
			} else if ((side == 0) != server_first && client_ready(&conn->client, world->now_us)) {
				step_client(world, conn);
				any = true;
			}
		}
	}
	world->events += any;
	return any && !world->failed;
}

static bool all_over(const struct world *world)
{
	for (unsigned i = 0; i < world->scenario->conn_count; i++)
		if (!world->conns[i].accepted || world->conns[i].server != NULL)
			return false;
	return true;
}

static uint64_t next_event(const struct world *world)
{
	uint64_t next = origin_next(world);

	for (unsigned i = 0; i < world->scenario->conn_count; i++) {
		const struct sim_conn *conn = &world->conns[i];
		uint64_t at = watch_next(conn);
		if (!conn->accepted && conn->client.plan->resumes < 0 && conn->client.plan->follows < 0)
			at = (WORLD_START_MS + conn->client.plan->start_ms) * 1000;
		next = at < next ? at : next;
	}
	return next;
}

static void run(struct world *world)
{
	for (;;) {
		/* As in the event loop. It needs no event of its own: a postponed search is done at the next event. */
		while (thaw_store_tend(world->store, world->now_us / 1000) <= world->now_us / 1000 || step_all(world))
			;
		if (world->failed)
			return;
		for (unsigned i = 0; i < world->scenario->conn_count && !world->failed; i++)
			watch_still(world, &world->conns[i]);
		uint64_t next = next_event(world);
		if (world->failed || (all_over(world) && next == SIM_NEVER))
			return;
		if (next <= world->now_us || next == SIM_NEVER) {
			world->frozen = true;
			world_fail(world, "frozen: nothing will ever happen, and not all is over");
			return;
		}
		world->now_us = next;
		for (unsigned i = 0; i < world->scenario->conn_count; i++)
			world->conns[i].idle_steps = world->conns[i].idle_turns = 0;
	}
}

/* In the release build nothing else reports it: only the affected object ends, and the others continue. */
static void on_broken(void *arg, const char *machine, const char *from, const char *to)
{
	world_fail(arg, "the state machine '%s' may not go from '%s' to '%s'", machine, from, to);
}

void world_run(struct world *world, const struct scenario *scenario, bool trace)
{
	memset(world, 0, sizeof(*world));
	world->scenario = scenario;
	world->trace = trace;
	world->now_us = WORLD_START_MS * 1000;
	world->order.state = scenario->seed;
	pki_seed(scenario->seed);
	require_report(on_broken, world);
	for (unsigned i = 0; i < scenario->conn_count; i++)
		open_conn(world, i);
	if (open_store(world) && open_server(world))
		run(world);
	for (unsigned i = 0; i < scenario->conn_count; i++)
		if (world->conns[i].server != NULL)
			drop_server(world, &world->conns[i]);
	require_report(NULL, NULL);
	if (world->quota != NULL && !world->failed)
		watch_end(world);
}

void world_free(struct world *world)
{
	for (unsigned i = 0; i < world->scenario->conn_count; i++) {
		client_free(&world->conns[i].client);
		duplex_free(&world->conns[i].duplex);
		for (unsigned k = 0; k < world->conns[i].record_count; k++)
			json_decref(world->conns[i].records[k]);
	}
	origin_free(world);
	if (world->server != NULL)
		world->ops->close(world->server);
	if (world->store != NULL)
		thaw_store_free(&world->store);
	if (world->quota != NULL)
		thaw_quota_free(&world->quota);
}
