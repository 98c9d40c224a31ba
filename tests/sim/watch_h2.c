/* What holds at every moment of an HTTP/2 connection: how much the gateway keeps of its streams, and their progress. */
#include "gateway/http2_inside.h"
#include "watch_inside.h"

#define FRAMING 1024 /* bytes of a response beside one read of it, such as the whole body of a problem */

void watch_h2_step(struct world *world, struct sim_conn *conn)
{
	const struct gw_conn *gateway = conn->server;
	size_t waits = 0, count = 0;

	if (world->scenario->server != SERVER_GATEWAY || gateway == NULL || gateway->http2 == NULL)
		return;
	for (const struct gw_stream *at = gateway->http2->streams; at != NULL; at = at->next) {
		size_t in = at->in.rest != NULL ? at->in.len - at->in.at : 0;
		if (in > H2_STREAM_WINDOW || at->in.rest_room > 2 * (size_t)H2_STREAM_WINDOW + GW_REST_ROOM)
			world_fail(world, "#%u a stream keeps %zu bytes of its request, in %zu", conn->index, in,
				   at->in.rest_room);
		if (buffer_left(&at->out) > GW_H2_PIECE + FRAMING)
			world_fail(world, "#%u a stream keeps %zu bytes of its response", conn->index,
				   buffer_left(&at->out));
		waits += in;
		count++;
	}
	if (waits > H2_CONNECTION_WINDOW)
		world_fail(world, "#%u the streams keep %zu bytes of their requests", conn->index, waits);
	if (count > 2 * H2_STREAMS_MAX)
		world_fail(world, "#%u has %zu streams", conn->index, count);
	if (buffer_left(&gateway->http2->out) > GW_H2_OUT_ROOM)
		world_fail(world, "#%u %zu bytes of frames wait", conn->index, buffer_left(&gateway->http2->out));
}

/* Whether streams are left although nothing is in flight and nobody withholds anything. */
bool watch_h2_waits(const struct world *world, const struct sim_conn *conn)
{
	const struct client *client = &conn->client;
	enum origin_habit habit = world->scenario->origin.habit;

	if (client->http2 == NULL || !client->shaken || client->end != CLIENT_OPEN || client->left)
		return false;
	if (client->plan->windows.grants != GRANTS_AT_ONCE || (habit != ORIGIN_HONEST && habit != ORIGIN_CLOSES_IDLE))
		return false;
	return h2_peer_over(client->http2) < client->plan->request_count;
}
