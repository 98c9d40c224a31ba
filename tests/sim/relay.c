#include "relay.h"

#include <stdlib.h>
#include <string.h>

#include "base/transport.h"

#define SEGMENT_MAX 1448 /* the payload of one Ethernet frame: a long write arrives in pieces */

/* As in TCP, a writer waits until a third of the buffer is free; otherwise single bytes would be exchanged. */
static size_t room_of(const struct relay *relay)
{
	size_t room = relay->limits.buffer - relay->held;
	return room >= (relay->limits.buffer + 2) / 3 ? room : 0;
}

static bool relay_init(struct relay *relay, const struct relay_limits *limits)
{
	*relay = (struct relay){.limits = *limits, .fin_at_us = SIM_NEVER, .reset_at_us = SIM_NEVER};
	relay->ring = malloc(limits->buffer);
	return relay->ring != NULL;
}

static void relay_free(struct relay *relay)
{
	free(relay->ring);
	free(relay->segments);
}

bool duplex_init(struct duplex *duplex, const struct relay_limits *up, const struct relay_limits *down)
{
	bool ok = relay_init(&duplex->up, up);

	duplex->allowance = SIZE_MAX;
	return relay_init(&duplex->down, down) && ok;
}

void duplex_free(struct duplex *duplex)
{
	relay_free(&duplex->up);
	relay_free(&duplex->down);
}

static struct relay *inbound(struct duplex *duplex, enum duplex_end end)
{
	return end == DUPLEX_CLIENT ? &duplex->down : &duplex->up;
}

static struct relay *outbound(struct duplex *duplex, enum duplex_end end)
{
	return end == DUPLEX_CLIENT ? &duplex->up : &duplex->down;
}

static void push_segment(struct relay *relay, uint64_t at_us, size_t len)
{
	if (relay->segment_count > 0) {
		size_t last = (relay->segment_first + relay->segment_count - 1) % relay->segment_room;
		if (relay->segments[last].at_us == at_us) {
			relay->segments[last].len += len;
			return;
		}
	}
	if (relay->segment_count == relay->segment_room) {
		size_t room = relay->segment_room == 0 ? 16 : 2 * relay->segment_room;
		struct relay_segment *grown = calloc(room, sizeof(*grown));
		if (grown == NULL)
			abort();
		for (size_t i = 0; i < relay->segment_count; i++)
			grown[i] = relay->segments[(relay->segment_first + i) % relay->segment_room];
		free(relay->segments);
		relay->segments = grown;
		relay->segment_room = room;
		relay->segment_first = 0;
	}
	size_t next = (relay->segment_first + relay->segment_count++) % relay->segment_room;
	relay->segments[next] = (struct relay_segment){at_us, len};
}

/* The time at which len more bytes have arrived, after bandwidth and delay. */
static uint64_t leaves_at(struct relay *relay, size_t len, uint64_t now_us)
{
	if (relay->busy_until_us < now_us)
		relay->busy_until_us = now_us;
	if (relay->limits.bytes_per_s > 0)
		relay->busy_until_us += (len * 1000000U + relay->limits.bytes_per_s - 1) / relay->limits.bytes_per_s;
	return relay->busy_until_us + relay->limits.delay_us;
}

static void copy_in(struct relay *relay, const unsigned char *data, size_t len)
{
	size_t at = (relay->head + relay->held) % relay->limits.buffer;
	size_t first = relay->limits.buffer - at < len ? relay->limits.buffer - at : len;

	memcpy(relay->ring + at, data, first);
	memcpy(relay->ring, data + first, len - first);
	relay->held += len;
	relay->total_in += len;
}

static void relay_advance(struct relay *relay, uint64_t now_us)
{
	while (relay->segment_count > 0 && relay->segments[relay->segment_first].at_us <= now_us) {
		relay->arrived += relay->segments[relay->segment_first].len;
		relay->segment_first = (relay->segment_first + 1) % relay->segment_room;
		relay->segment_count--;
	}
	relay->fin = relay->fin || relay->fin_at_us <= now_us;
	if (!relay->reset && relay->reset_at_us <= now_us) {
		relay->reset = true;
		relay->held = relay->arrived = relay->segment_count = 0;
	}
}

static void send_reset(struct relay *relay, uint64_t now_us)
{
	if (relay->reset_at_us == SIM_NEVER)
		relay->reset_at_us = now_us + relay->limits.delay_us;
}

void duplex_advance(struct duplex *duplex, uint64_t now_us)
{
	relay_advance(&duplex->up, now_us);
	relay_advance(&duplex->down, now_us);
	if (duplex->up.reader_closed && duplex->up.arrived > 0)
		send_reset(&duplex->down, now_us);
	if (duplex->down.reader_closed && duplex->down.arrived > 0)
		send_reset(&duplex->up, now_us);
	relay_advance(&duplex->up, now_us);
	relay_advance(&duplex->down, now_us);
}

ssize_t duplex_read(struct duplex *duplex, enum duplex_end end, void *data, size_t room, uint64_t now_us)
{
	struct relay *relay = inbound(duplex, end);

	duplex_advance(duplex, now_us);
	if (relay->reset)
		return TRANSPORT_BROKEN;
	if (end == DUPLEX_CLIENT && room > duplex->allowance)
		room = duplex->allowance;
	if (room == 0)
		return TRANSPORT_BLOCKED;
	if (relay->arrived == 0)
		return relay->fin && relay->held == 0 ? TRANSPORT_END : TRANSPORT_BLOCKED;
	size_t len = relay->arrived < room ? relay->arrived : room;
	size_t first = relay->limits.buffer - relay->head < len ? relay->limits.buffer - relay->head : len;
	if (data != NULL) {
		memcpy(data, relay->ring + relay->head, first);
		memcpy((unsigned char *)data + first, relay->ring, len - first);
	}
	relay->head = (relay->head + len) % relay->limits.buffer;
	relay->held -= len;
	relay->arrived -= len;
	relay->total_out += len;
	if (end == DUPLEX_CLIENT && duplex->allowance != SIZE_MAX)
		duplex->allowance -= len;
	return (ssize_t)len;
}

ssize_t duplex_write(struct duplex *duplex, enum duplex_end end, const void *data, size_t len, uint64_t now_us)
{
	struct relay *relay = outbound(duplex, end);

	duplex_advance(duplex, now_us);
	if (inbound(duplex, end)->reset || relay->fin_at_us != SIM_NEVER || relay->reset_at_us != SIM_NEVER)
		return TRANSPORT_BROKEN;
	size_t room = room_of(relay);
	if (len > room)
		len = room;
	if (len == 0)
		return TRANSPORT_BLOCKED;
	copy_in(relay, data, len);
	for (size_t left = len; left > 0;) {
		size_t piece = left < SEGMENT_MAX ? left : SEGMENT_MAX;
		push_segment(relay, leaves_at(relay, piece, now_us), piece);
		left -= piece;
	}
	duplex_advance(duplex, now_us);
	return (ssize_t)len;
}

void duplex_half_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us)
{
	struct relay *relay = outbound(duplex, end);

	if (relay->fin_at_us == SIM_NEVER)
		relay->fin_at_us = leaves_at(relay, 0, now_us);
	duplex_advance(duplex, now_us);
}

void duplex_reset(struct duplex *duplex, enum duplex_end end, uint64_t now_us)
{
	send_reset(outbound(duplex, end), now_us);
	inbound(duplex, end)->reader_closed = true;
	duplex_advance(duplex, now_us);
}

void duplex_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us)
{
	duplex_advance(duplex, now_us);
	inbound(duplex, end)->reader_closed = true;
	if (inbound(duplex, end)->arrived > 0)
		send_reset(outbound(duplex, end), now_us);
	else if (!inbound(duplex, end)->reset)
		duplex_half_close(duplex, end, now_us);
	duplex_advance(duplex, now_us);
}

static uint64_t relay_next(const struct relay *relay)
{
	uint64_t next = SIM_NEVER;

	if (relay->segment_count > 0)
		next = relay->segments[relay->segment_first].at_us;
	if (!relay->fin && relay->fin_at_us < next)
		next = relay->fin_at_us;
	if (!relay->reset && relay->reset_at_us < next)
		next = relay->reset_at_us;
	return next;
}

uint64_t duplex_next(const struct duplex *duplex)
{
	uint64_t up = relay_next(&duplex->up), down = relay_next(&duplex->down);
	return up < down ? up : down;
}

bool duplex_readable(const struct duplex *duplex, enum duplex_end end)
{
	const struct relay *relay = inbound((struct duplex *)duplex, end);
	if (end == DUPLEX_CLIENT && duplex->allowance == 0)
		return relay->reset;
	return relay->reset || relay->arrived > 0 || (relay->fin && relay->held == 0);
}

bool duplex_writable(const struct duplex *duplex, enum duplex_end end)
{
	const struct relay *relay = outbound((struct duplex *)duplex, end);
	return room_of(relay) > 0 || inbound((struct duplex *)duplex, end)->reset;
}

size_t duplex_unread(const struct duplex *duplex, enum duplex_end end)
{
	return inbound((struct duplex *)duplex, end)->arrived;
}

uint64_t duplex_moved(const struct duplex *duplex)
{
	return duplex->up.total_in + duplex->up.total_out + duplex->down.total_in + duplex->down.total_out;
}
