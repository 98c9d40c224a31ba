#include "http/h2_budget.h"

#include <string.h>

#include "http/h2_server.h"

#define PREFACE_LEN 24 /* RFC 9113 3.4 */
#define HEADER_LEN  9  /* RFC 9113 4.1 */
#define FLAG_LAST   0x1
#define ENDED_BITS  64
#define FLAG_PADDED 0x8

/* RFC 9113 6 */
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, TYPES };

/* The cost of a frame type in the idle bucket. */
static const uint8_t costs[TYPES] = {
	[PRIORITY] = 1,        [RST_STREAM] = 1, [SETTINGS] = H2_IDLE_SETTINGS, [PUSH_PROMISE] = 1,
	[PING] = H2_IDLE_PING, [GOAWAY] = 1,     [WINDOW_UPDATE] = 1,           [CONTINUATION] = 1,
};

static void refill(struct h2_bucket *bucket, uint64_t burst, uint64_t rate, uint64_t now_ms)
{
	uint64_t passed = now_ms > bucket->at_ms ? now_ms - bucket->at_ms : 0;

	/* A token per second is a thousandth per millisecond. */
	if (passed >= 1000 * burst / rate)
		bucket->left = 1000 * burst;
	else
		bucket->left += passed * rate;
	if (bucket->left > 1000 * burst)
		bucket->left = 1000 * burst;
	bucket->at_ms = now_ms;
}

static void earn(struct h2_bucket *bucket, uint64_t burst, uint64_t units)
{
	bucket->left =
		units >= burst || bucket->left > 1000 * (burst - units) ? 1000 * burst : bucket->left + 1000 * units;
}

static bool spend(struct h2_bucket *bucket, uint64_t units)
{
	if (bucket->left < 1000 * units)
		return false;
	bucket->left -= 1000 * units;
	return true;
}

void h2_budget_init(struct h2_budget *budget, uint64_t now_ms)
{
	*budget = (struct h2_budget){
		.idle = {.left = 1000 * H2_IDLE_BURST, .at_ms = now_ms},
		.resets = {.left = 1000 * H2_RESETS_BURST, .at_ms = now_ms},
		.now_ms = now_ms,
		.skip = PREFACE_LEN,
		.block_max = H2_BLOCK_MAX,
	};
}

/* RFC 9113 6.2, 6.10 */
static const char *count_block(struct h2_budget *budget, unsigned type, size_t len)
{
	budget->block = type == HEADERS ? len : budget->block + len;
	budget->continuations = type == HEADERS ? 0 : budget->continuations + 1;
	if (budget->block > budget->block_max)
		return "a header block is too long";
	return budget->continuations > H2_CONTINUATIONS_MAX ? "too many CONTINUATION frames" : NULL;
}

static uint32_t id_of(const uint8_t *header)
{
	return (uint32_t)(header[5] & 0x7f) << 24 | (uint32_t)header[6] << 16 | (uint32_t)header[7] << 8 | header[8];
}

/*
 * RFC 9113 5.1, half-closed (remote) and closed. False: a frame for a stream that the client has ended. Frames for a
 * stream that we have reset are allowed: the client may have sent them before it got the reset.
 */
static bool follow(struct h2_budget *budget, unsigned type, unsigned flags, uint32_t id)
{
	bool carries = type == DATA || type == HEADERS;
	uint32_t further = (id - budget->newest) / 2, before = (budget->newest - id) / 2;

	if (id % 2 == 0 || (!carries && type != RST_STREAM))
		return true;
	if (id > budget->newest && type == HEADERS) {
		budget->ended = further < ENDED_BITS ? budget->ended << further : 0;
		budget->newest = id;
		before = 0;
	}
	if (id > budget->newest || before >= ENDED_BITS)
		return true;
	uint64_t bit = UINT64_C(1) << before;
	if (carries && (budget->ended & bit) != 0)
		return false;
	if (type == RST_STREAM || (flags & FLAG_LAST) != 0)
		budget->ended |= bit;
	return true;
}

static const char *count_frame(struct h2_budget *budget, uint32_t *code)
{
	const uint8_t *header = budget->bytes;
	size_t len = (size_t)header[0] << 16 | (size_t)header[1] << 8 | header[2];
	unsigned type = header[3], flags = header[4];
	unsigned cost = type < TYPES ? costs[type] : 1;

	budget->skip = len;
	budget->header = 0;
	if (!follow(budget, type, flags, id_of(header))) {
		*code = H2_STREAM_CLOSED;
		return "a frame for a stream that the client has ended";
	}
	if (type == DATA) {
		/* The payload may be only padding. */
		cost = (len == 0 && (flags & FLAG_LAST) == 0) || (flags & FLAG_PADDED) != 0;
		earn(&budget->idle, H2_IDLE_BURST, len / H2_IDLE_CAME_BYTES);
	} else if (type == HEADERS) {
		earn(&budget->idle, H2_IDLE_BURST, H2_IDLE_PER_HEAD);
	}
	if (type == HEADERS || type == CONTINUATION) {
		const char *over = count_block(budget, type, len);
		if (over != NULL)
			return over;
	}
	return spend(&budget->idle, cost) ? NULL : "too many frames that carry nothing";
}

const char *h2_budget_take(struct h2_budget *budget, const uint8_t *bytes, size_t len, uint64_t now_ms, uint32_t *code)
{
	const char *over = NULL;

	*code = H2_ENHANCE_YOUR_CALM;
	budget->now_ms = now_ms;
	refill(&budget->idle, H2_IDLE_BURST, H2_IDLE_RATE, now_ms);
	while (len > 0 && over == NULL) {
		bool skips = budget->skip > 0;
		size_t step = skips ? budget->skip : HEADER_LEN - budget->header;
		step = step < len ? step : len;
		if (skips) {
			budget->skip -= step;
		} else {
			memcpy(budget->bytes + budget->header, bytes, step);
			budget->header += step;
		}
		if (budget->header == HEADER_LEN)
			over = count_frame(budget, code);
		bytes += step;
		len -= step;
	}
	return over;
}

bool h2_budget_reset(struct h2_budget *budget)
{
	refill(&budget->resets, H2_RESETS_BURST, H2_RESETS_RATE, budget->now_ms);
	return spend(&budget->resets, 1);
}

void h2_budget_completed(struct h2_budget *budget)
{
	earn(&budget->resets, H2_RESETS_BURST, 1);
}

void h2_budget_sent(struct h2_budget *budget, size_t len)
{
	earn(&budget->idle, H2_IDLE_BURST, len / H2_IDLE_SENT_BYTES);
}
