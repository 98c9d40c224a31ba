#include "probe/meter.h"

#include <errno.h>
#include <string.h>

static ssize_t meter_read(void *io, void *data, size_t room)
{
	struct meter *meter = io;

	errno = 0;
	ssize_t got = meter->below.ops->read(meter->below.io, data, room);
	if (got > 0 && !meter->said_something) {
		meter->said_something = true;
		meter->first = *(const unsigned char *)data;
	}
	if (got > 0)
		meter->down += (uint64_t)got;
	if (got == TRANSPORT_END)
		meter->ended = true;
	if (got == TRANSPORT_BROKEN)
		meter->read_error = errno != 0 ? errno : ECONNRESET;
	return got;
}

/* Like the transport below, but after a failure it blocks for ever. */
static ssize_t write_below(struct meter *meter, const void *data, size_t len)
{
	if (meter->write_error != 0)
		return TRANSPORT_BLOCKED;
	errno = 0;
	ssize_t put = meter->below.ops->write(meter->below.io, data, len);
	if (put > 0)
		meter->up += (uint64_t)put;
	if (put != TRANSPORT_BROKEN)
		return put;
	meter->write_error = errno != 0 ? errno : EPIPE;
	return TRANSPORT_BLOCKED;
}

bool meter_flush(struct meter *meter)
{
	while (meter->held_at < meter->held_len) {
		ssize_t put = write_below(meter, meter->held + meter->held_at, meter->held_len - meter->held_at);
		if (put <= 0)
			return false;
		meter->held_at += (size_t)put;
	}
	meter->held_at = meter->held_len = 0;
	return true;
}

static ssize_t meter_write(void *io, const void *data, size_t len)
{
	struct meter *meter = io;

	if (meter->corked && len <= sizeof(meter->held) - meter->held_len) {
		memcpy(meter->held + meter->held_len, data, len);
		meter->held_len += len;
		return (ssize_t)len;
	}
	return meter_flush(meter) ? write_below(meter, data, len) : TRANSPORT_BLOCKED;
}

void meter_cork(struct meter *meter)
{
	meter->corked = true;
}

void meter_uncork(struct meter *meter)
{
	meter->corked = false;
	(void)meter_flush(meter);
}

static void meter_half_close(void *io)
{
	const struct meter *meter = io;

	meter->below.ops->half_close(meter->below.io);
}

static ssize_t meter_discard(void *io, size_t max)
{
	const struct meter *meter = io;

	return meter->below.ops->discard(meter->below.io, max);
}

struct transport meter_transport(struct meter *meter)
{
	static const struct transport_ops ops = {
		.read = meter_read,
		.write = meter_write,
		.half_close = meter_half_close,
		.discard = meter_discard,
	};
	return (struct transport){.ops = &ops, .io = meter};
}
