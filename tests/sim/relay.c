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

bool wire_init(struct wire *wire, const struct relay_limits *up, const struct relay_limits *down)
{
	bool ok = relay_init(&wire->up, up);

	wire->allowance = SIZE_MAX;
	return relay_init(&wire->down, down) && ok;
}

void wire_free(struct wire *wire)
{
	relay_free(&wire->up);
	relay_free(&wire->down);
}

static struct relay *inbound(struct wire *wire, enum wire_end end)
{
	return end == WIRE_CLIENT ? &wire->down : &wire->up;
}

static struct relay *outbound(struct wire *wire, enum wire_end end)
{
	return end == WIRE_CLIENT ? &wire->up : &wire->down;
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

void wire_advance(struct wire *wire, uint64_t now_us)
{
	relay_advance(&wire->up, now_us);
	relay_advance(&wire->down, now_us);
	if (wire->up.reader_closed && wire->up.arrived > 0)
		send_reset(&wire->down, now_us);
	if (wire->down.reader_closed && wire->down.arrived > 0)
		send_reset(&wire->up, now_us);
	relay_advance(&wire->up, now_us);
	relay_advance(&wire->down, now_us);
}

ssize_t wire_read(struct wire *wire, enum wire_end end, void *data, size_t room, uint64_t now_us)
{
	struct relay *relay = inbound(wire, end);

	wire_advance(wire, now_us);
	if (relay->reset)
		return TRANSPORT_BROKEN;
	if (end == WIRE_CLIENT && room > wire->allowance)
		room = wire->allowance;
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
	if (end == WIRE_CLIENT && wire->allowance != SIZE_MAX)
		wire->allowance -= len;
	return (ssize_t)len;
}

ssize_t wire_write(struct wire *wire, enum wire_end end, const void *data, size_t len, uint64_t now_us)
{
	struct relay *relay = outbound(wire, end);

	wire_advance(wire, now_us);
	if (inbound(wire, end)->reset || relay->fin_at_us != SIM_NEVER || relay->reset_at_us != SIM_NEVER)
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
	wire_advance(wire, now_us);
	return (ssize_t)len;
}

void wire_half_close(struct wire *wire, enum wire_end end, uint64_t now_us)
{
	struct relay *relay = outbound(wire, end);

	if (relay->fin_at_us == SIM_NEVER)
		relay->fin_at_us = leaves_at(relay, 0, now_us);
	wire_advance(wire, now_us);
}

void wire_reset(struct wire *wire, enum wire_end end, uint64_t now_us)
{
	send_reset(outbound(wire, end), now_us);
	inbound(wire, end)->reader_closed = true;
	wire_advance(wire, now_us);
}

void wire_close(struct wire *wire, enum wire_end end, uint64_t now_us)
{
	wire_advance(wire, now_us);
	inbound(wire, end)->reader_closed = true;
	if (inbound(wire, end)->arrived > 0)
		send_reset(outbound(wire, end), now_us);
	else if (!inbound(wire, end)->reset)
		wire_half_close(wire, end, now_us);
	wire_advance(wire, now_us);
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

uint64_t wire_next(const struct wire *wire)
{
	uint64_t up = relay_next(&wire->up), down = relay_next(&wire->down);
	return up < down ? up : down;
}

bool wire_readable(const struct wire *wire, enum wire_end end)
{
	const struct relay *relay = inbound((struct wire *)wire, end);
	if (end == WIRE_CLIENT && wire->allowance == 0)
		return relay->reset;
	return relay->reset || relay->arrived > 0 || (relay->fin && relay->held == 0);
}

bool wire_writable(const struct wire *wire, enum wire_end end)
{
	const struct relay *relay = outbound((struct wire *)wire, end);
	return room_of(relay) > 0 || inbound((struct wire *)wire, end)->reset;
}

size_t wire_unread(const struct wire *wire, enum wire_end end)
{
	return inbound((struct wire *)wire, end)->arrived;
}

uint64_t wire_moved(const struct wire *wire)
{
	return wire->up.total_in + wire->up.total_out + wire->down.total_in + wire->down.total_out;
}
