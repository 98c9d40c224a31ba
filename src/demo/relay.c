#include "demo/relay.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/socket.h"

#define BUFFER 65536

/* One direction. */
struct pipe_way {
	char bytes[BUFFER];
	size_t at, len;
	bool ended, passed_on; /* the source has half-closed; the half-close was passed on */
	uint64_t moved;
};

struct relay {
	int listener, client, server; /* -1: none */
	uint16_t server_port;
	struct pipe_way up, down;
	uint64_t began_ms, moved_ms;
};

struct relay *relay_new(uint16_t server_port, struct thaw_error *err)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	relay->client = relay->server = -1;
	relay->server_port = server_port;
	relay->began_ms = relay->moved_ms = clock_now_ms();
	relay->listener = socket_listen("127.0.0.1", 0, err);
	if (relay->listener < 0)
		relay_free(&relay);
	return relay;
}

void relay_free(struct relay **relay)
{
	struct relay *gone = *relay;

	*relay = NULL;
	if (gone == NULL)
		return;
	if (gone->listener >= 0)
		(void)close(gone->listener);
	if (gone->client >= 0)
		(void)close(gone->client);
	if (gone->server >= 0)
		(void)close(gone->server);
	free(gone);
}

uint16_t relay_port(const struct relay *relay)
{
	return socket_port(relay->listener);
}

uint64_t relay_up(const struct relay *relay)
{
	return relay->up.moved;
}

static bool accept_one(struct relay *relay)
{
	relay->client = socket_accept(relay->listener, NULL);
	if (relay->client < 0)
		return false;
	relay->server = socket_connect("127.0.0.1", relay->server_port, NULL);
	(void)close(relay->listener); /* only one connection: a second one is refused immediately */
	relay->listener = -1;
	return true;
}

/* Closes both sides after a connection was reset. */
static void give_up(struct relay *relay)
{
	(void)close(relay->client);
	(void)close(relay->server);
	relay->client = relay->server = -1;
}

/* False: one of the two sides failed. */
static bool carry(struct pipe_way *way, int from, int to, bool *moved)
{
	struct transport source = socket_transport(&from), sink = socket_transport(&to);

	if (way->at == way->len && !way->ended) {
		ssize_t got = source.ops->read(&from, way->bytes, BUFFER);
		if (got == TRANSPORT_BROKEN)
			return false;
		way->ended = got == TRANSPORT_END;
		way->at = 0;
		way->len = got > 0 ? (size_t)got : 0;
		*moved = *moved || got >= 0;
	}
	if (way->at < way->len) {
		ssize_t put = sink.ops->write(&to, way->bytes + way->at, way->len - way->at);
		if (put == TRANSPORT_BROKEN)
			return false;
		if (put > 0) {
			way->at += (size_t)put;
			way->moved += (uint64_t)put;
			*moved = true;
		}
	}
	if (way->at == way->len && way->ended && !way->passed_on) {
		sink.ops->half_close(&to);
		way->passed_on = *moved = true;
	}
	return true;
}

static short wanted(const struct pipe_way *in, const struct pipe_way *out)
{
	short events = 0;

	if (in->at == in->len && !in->ended)
		events |= POLLIN;
	if (out->at < out->len)
		events |= POLLOUT;
	return events;
}

static bool move(struct relay *relay, int timeout_ms)
{
	bool moved = false;
	struct pollfd fds[] = {
		{.fd = relay->listener, .events = POLLIN},
		{.fd = relay->client, .events = wanted(&relay->up, &relay->down)},
		{.fd = relay->server, .events = wanted(&relay->down, &relay->up)},
	};

	if (relay->client >= 0 && fds[1].events == 0)
		fds[1].fd = -1; /* otherwise its hang-up would end poll() again and again */
	if (relay->server >= 0 && fds[2].events == 0)
		fds[2].fd = -1;
	if (poll(fds, 3, timeout_ms) <= 0)
		return false;
	if (relay->listener >= 0)
		return accept_one(relay);
	if (relay->client < 0)
		return false;
	if (!carry(&relay->up, relay->client, relay->server, &moved) ||
	    !carry(&relay->down, relay->server, relay->client, &moved)) {
		give_up(relay);
		return true;
	}
	return moved;
}

void relay_step(struct relay *relay, int timeout_ms)
{
	if (move(relay, timeout_ms))
		relay->moved_ms = clock_now_ms();
}

uint64_t relay_age_ms(const struct relay *relay)
{
	return clock_now_ms() - relay->began_ms;
}

uint64_t relay_idle_ms(const struct relay *relay)
{
	return clock_now_ms() - relay->moved_ms;
}
