/* A minimal HTTP/2 client, just enough for its own requests: frames by RFC 9113, header blocks by RFC 7541. */
#include <stdio.h>
#include <string.h>

#include "client.h"

#define FRAME_LEN   9
#define END_STREAM  0x1
#define ACK         0x1
#define END_HEADERS 0x4

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE };

/* RFC 7541: indices of the static table, and those of the dynamic table after the first block (newest first). */
enum { METHOD_GET = 0x82, SCHEME_HTTPS = 0x87, STATUS_200 = 0x88, SIZE_UPDATE = 0x20, SIZE_UPDATE_MASK = 0xe0 };
enum { ADD_PATH = 0x44, ADD_AUTHORITY = 0x41, ADD_USER_AGENT = 0x7a, ADD_ACCEPT = 0x53 };

static const unsigned char next_block[] = {METHOD_GET, SCHEME_HTTPS, 0xc1, 0xc0, 0xbf, 0xbe};

static size_t add(char *block, size_t len, int kind, const char *value)
{
	size_t value_len = strlen(value);

	block[len] = (char)kind;
	block[len + 1] = (char)value_len;
	memcpy(block + len + 2, value, value_len);
	return len + 2 + value_len;
}

bool client_h2_init(struct client_plan *plan, const char *path)
{
	if (strlen(path) > 126 || strlen(plan->name) > 126)
		return false;
	plan->head[0] = (char)METHOD_GET;
	plan->head[1] = (char)SCHEME_HTTPS;
	size_t len = add(plan->head, 2, ADD_PATH, path);
	len = add(plan->head, len, ADD_AUTHORITY, plan->name);
	len = add(plan->head, len, ADD_USER_AGENT, "bench-load");
	plan->head_len = add(plan->head, len, ADD_ACCEPT, "*/*");
	return true;
}

static bool put(struct client *client, const void *bytes, size_t len)
{
	if (client->head_left == 0)
		client->head_len = 0;
	if (len > sizeof(client->out) - client->head_len)
		return false;
	memcpy(client->out + client->head_len, bytes, len);
	client->head_len += len;
	client->head_left += len;
	return true;
}

static bool put_frame(struct client *client, int type, int flags, uint32_t id, const void *bytes, size_t len)
{
	const unsigned char header[FRAME_LEN] = {0,
						 (unsigned char)(len >> 8),
						 (unsigned char)len,
						 (unsigned char)type,
						 (unsigned char)flags,
						 (unsigned char)(id >> 24),
						 (unsigned char)(id >> 16),
						 (unsigned char)(id >> 8),
						 (unsigned char)id};

	return put(client, header, sizeof(header)) && put(client, bytes, len);
}

/* Disables push, and sets a connection window that is never used up. */
static bool put_preface(struct client *client)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	static const unsigned char no_push[] = {0, 2, 0, 0, 0, 0}, most[] = {0x7f, 0xff, 0, 0};

	return put(client, preface, sizeof(preface) - 1) &&
	       put_frame(client, SETTINGS, 0, 0, no_push, sizeof(no_push)) &&
	       put_frame(client, WINDOW_UPDATE, 0, 0, most, sizeof(most));
}

const char *client_h2_begin(struct client *client)
{
	const struct client_plan *plan = client->plan;
	bool ok = client->next_id != 0 || put_preface(client);

	while (ok && client->under_way < plan->streams) {
		bool first = client->next_id == 0;
		if (first)
			client->next_id = 1;
		ok = put_frame(client, HEADERS, END_STREAM | END_HEADERS, client->next_id,
			       first ? plan->head : (const char *)next_block,
			       first ? plan->head_len : sizeof(next_block));
		client->next_id += 2;
		client->under_way++;
	}
	return ok ? NULL : "too much is to be sent";
}

/* Whether the block begins with ":status: 200", which all measured servers encode like that. A table size update may
 * come first. */
static bool is_200(const unsigned char *block, size_t len)
{
	while (len > 0 && (*block & SIZE_UPDATE_MASK) == SIZE_UPDATE) {
		block++;
		len--;
	}
	return len > 0 && *block == STATUS_200;
}

static const char *take_frame(struct client *client, const unsigned char *frame, size_t len)
{
	static char text[64];
	unsigned type = frame[3], flags = frame[4];

	if (type == HEADERS && (flags & END_HEADERS) != 0 && !is_200(frame + FRAME_LEN, len))
		return "a response that is not 200";
	if (type == HEADERS || type == DATA) {
		bool ended = (flags & END_STREAM) != 0;
		if (client->under_way < ended)
			return "a response that nobody has asked for";
		client->under_way -= ended;
		client->plan->counted.done += ended;
		return NULL;
	}
	if (type == WINDOW_UPDATE || ((type == SETTINGS || type == PING) && (flags & ACK) != 0))
		return NULL;
	if (type == SETTINGS || type == PING)
		return put_frame(client, (int)type, ACK, 0, frame + FRAME_LEN, type == PING ? len : 0)
			       ? NULL
			       : "too much is to be acknowledged";
	(void)snprintf(text, sizeof(text), "an unexpected frame of type %u", type);
	return text;
}

const char *client_h2_take(struct client *client)
{
	const unsigned char *at = (const unsigned char *)client->in;
	size_t left = client->in_len;

	while (left >= FRAME_LEN) {
		size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
		if (len > sizeof(client->in) - 1 - FRAME_LEN)
			return "a frame that is too long";
		if (left < FRAME_LEN + len)
			break;
		const char *why = take_frame(client, at, len);
		if (why != NULL)
			return why;
		at += FRAME_LEN + len;
		left -= FRAME_LEN + len;
	}
	memmove(client->in, at, left);
	client->in_len = left;
	return NULL;
}
