#include "watch_inside.h"

#include <string.h>

#include "base/pace.h"
#include "gateway/conn_states.h"
#include "gateway/stream_states.h"

#define TLS_OVERHEAD 64   /* the overhead of a record, at most */
#define HANDSHAKES   8192 /* bytes of all handshakes in one direction, and of a response */

static bool ask_pending(const struct sim_conn *conn)
{
	return conn->ask_state[0] != '\0' && strcmp(conn->ask_state, "settled") != 0 &&
	       strcmp(conn->ask_state, "abandoned") != 0;
}

static void frozen(struct world *world, const struct sim_conn *conn, const char *what)
{
	world->frozen = true;
	world_fail(world, "frozen: #%u %s (%s, ask %s; at %llu ms; the server waits for%s%s%s)", conn->index, what,
		   conn->conn_state[0] != '\0' ? conn->conn_state : "-",
		   conn->ask_state[0] != '\0' ? conn->ask_state : "-",
		   (unsigned long long)(world->now_us / 1000 - WORLD_START_MS), conn->wants.read ? " bytes" : "",
		   conn->wants.write ? " room" : "",
		   conn->wants.deadline_ms == THAW_NEVER ? " nothing else" : " a deadline");
}

void watch_step(struct world *world, struct sim_conn *conn)
{
	struct thaw_quota_use use = {.size = sizeof(use)};
	const struct thaw_quota_limits *limits = &world->limits;

	if (thaw_quota_read_use(world->quota, &use) != THAW_OK)
		world_fail(world, "the quota cannot be read");
	world->memory_most = use.memory > world->memory_most ? use.memory : world->memory_most;
	world->disk_most = use.disk > world->disk_most ? use.disk : world->disk_most;
	/* Each connection may read back one chunk more from the disk. */
	if (use.memory > limits->memory + world->scenario->conn_count * THAW_SPOOL_CHUNK || use.disk > limits->disk)
		world_fail(world, "the spool is over its budget: %llu in memory, %llu on disk",
			   (unsigned long long)use.memory, (unsigned long long)use.disk);
	watch_h2_step(world, conn);
	/* Promise 1: the server reads the connection while an ask is pending. */
	if (!conn->wants.dead && ask_pending(conn) && !conn->wants.read && !conn->wants.again)
		frozen(world, conn, "the server does not read while an ask is pending");
}

uint64_t watch_next(const struct sim_conn *conn)
{
	uint64_t next = duplex_next(&conn->duplex);
	uint64_t timer = client_timer(&conn->client);

	if (timer < next)
		next = timer;
	if (conn->server != NULL && conn->retire_us < next)
		next = conn->retire_us;
	if (conn->server != NULL && conn->dismiss_us < next)
		next = conn->dismiss_us;
	if (conn->server != NULL && conn->wants.deadline_ms != THAW_NEVER && conn->wants.deadline_ms * 1000 < next)
		next = conn->wants.deadline_ms * 1000;
	return next;
}

/*
 * Whether it is the client's fault that the server cannot write: it sends its next request, and does not read the
 * response to an earlier one.
 */
static bool client_is_why(const struct sim_conn *conn)
{
	const struct client *client = &conn->client;

	return client->emitter.request > client->answered && !client->want_read && !ask_pending(conn);
}

void watch_still(struct world *world, struct sim_conn *conn)
{
	const struct client *client = &conn->client;
	bool under_way = duplex_next(&conn->duplex) != SIM_NEVER || client_timer(client) != SIM_NEVER ||
			 origin_under_way(world, conn);

	if (conn->server == NULL)
		return;
	if (world->now_us > conn->bound_us)
		frozen(world, conn, "no outcome within any deadline");
	if (under_way)
		return;
	if (conn->wants.deadline_ms == THAW_NEVER)
		frozen(world, conn, "the server waits without a deadline");
	if (watch_h2_waits(world, conn))
		frozen(world, conn, "streams wait although no one holds anything back");
	if (client_write_blocked(client) && duplex_unread(&conn->duplex, DUPLEX_SERVER) > 0 && !client_is_why(conn) &&
	    world->scenario->origin.habit == ORIGIN_HONEST)
		frozen(world, conn, "the client has more to say, and the server leaves unread what it said");
}

void watch_end(struct world *world)
{
	struct thaw_quota_use use = {.size = sizeof(use)};

	if (thaw_quota_read_use(world->quota, &use) != THAW_OK)
		world_fail(world, "the quota cannot be read");
	if (use.memory != 0 || use.disk != 0 || use.clients != 0)
		world_fail(world, "the spool was not given back: %llu in memory, %llu on disk, %llu clients",
			   (unsigned long long)use.memory, (unsigned long long)use.disk,
			   (unsigned long long)use.clients);
	for (unsigned i = 0; i < world->scenario->conn_count; i++) {
		const struct sim_conn *conn = &world->conns[i];
		uint64_t work = duplex_moved(&conn->duplex) + 1000;
		if (conn->steps > 4 * work)
			world_fail(world, "#%u took %llu steps for %llu bytes", i, (unsigned long long)conn->steps,
				   (unsigned long long)work);
	}
}

static uint64_t transfer_us(const struct relay_limits *limits, uint64_t bytes)
{
	uint64_t rate = 0; /* microseconds for each KiB, by bandwidth and window */

	if (limits->bytes_per_s > 0)
		rate += 1024U * 1000000U / limits->bytes_per_s + 1;
	rate += limits->delay_us * 1024U / limits->buffer + 1;
	return (bytes / 1024 + 1) * rate + limits->delay_us;
}

uint64_t watch_bound_us(const struct scenario *scenario, const struct conn_plan *plan)
{
	uint64_t ms = gw_states[GW_SILENT].limit_ms + gw_states[GW_TLS].limit_ms + gw_states[GW_IDLE].limit_ms +
		      gw_states[GW_LINGER].limit_ms + 1000;
	uint64_t up = HANDSHAKES, down = HANDSHAKES;

	for (unsigned i = 0; i < plan->request_count; i++) {
		const struct request_plan *request = &plan->requests[i];
		uint64_t records = request->body / plan->record_max + 1;
		if (request->framing == FRAMING_CHUNKED)
			records += request->body * 3 / (request->chunk > 0 ? 1 : 1);
		up += HANDSHAKES + request->body + records * TLS_OVERHEAD;
		down += 2U * HANDSHAKES;
		ms += gw_states[GW_IDLE].limit_ms + gw_stream_rows[GW_HEAD].limit_ms +
		      gw_stream_rows[GW_PASS].limit_ms + 2U * gw_stream_rows[GW_REPLY].limit_ms + scenario->timeout_ms +
		      scenario->grace_ms + 60000U + 2U * plan->answer_after_ms;
		up += plan->http2 ? request->pad / 16 : 0; /* WINDOW_UPDATEs */
		down += request->pad + request->pad / 16;
		ms += request->start_ms + 60000U + request->pad * PACE_MS_PER_BYTE;
		if (request->pause_ms > 0)
			ms += request->body / (request->chunk > 0 ? request->chunk : 1024U) * request->pause_ms;
		/* Each byte extends the deadline a little (base/pace.h). */
		ms += (request->body + HANDSHAKES) * PACE_MS_PER_BYTE;
	}
	if (scenario->proxied)
		ms += 4 * 60000U * plan->request_count + transfer_us(&scenario->origin.up, up) / 1000 +
		      transfer_us(&scenario->origin.down, down) / 1000;
	if (plan->reading == READS_SLOWLY)
		ms += down / plan->read_max * plan->read_pause_ms;
	return ms * 1000 + transfer_us(&plan->up, up) + transfer_us(&plan->down, down);
}
