/*
 * Any bytes as a server's reply to the probe: the result does not depend on how they are split, no byte is read before
 * it arrives, and a complete or bad reply stays so. The first input byte says whether the request was HEAD, and the
 * sizes of the pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "holds.h"
#include "probe/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NEWS_MAX 4096

struct heard {
	unsigned char news[NEWS_MAX]; /* the results of reply_feed() in order, without REPLY_MORE */
	unsigned interim[NEWS_MAX];
	size_t count, used;
	bool bad;
};

static void check_kept(const struct reply *reply)
{
	HOLDS(reply->head_len <= sizeof(reply->head));
	HOLDS(reply->body_len <= REPLY_BODY_KEPT && reply->body[reply->body_len] == '\0');
	HOLDS(memchr(reply->server, '\0', sizeof(reply->server)) != NULL);
	HOLDS(memchr(reply->type, '\0', sizeof(reply->type)) != NULL);
	HOLDS(memchr(reply->keep_alive, '\0', sizeof(reply->keep_alive)) != NULL);
	HOLDS(!reply->in_body || (reply->status >= 200 && reply->status <= 999));
	HOLDS(!reply->done || reply->in_body);
}

/* One piece of exact size, so that the sanitizer detects a read past the end. */
static void feed_piece(struct reply *reply, const uint8_t *data, size_t len, struct heard *heard)
{
	char *piece = malloc(len > 0 ? len : 1);
	size_t at = 0, used = 0;

	HOLDS(piece != NULL);
	memcpy(piece, data, len);
	for (;;) {
		enum reply_news news = reply_feed(reply, piece + at, len - at, &used);
		HOLDS(used <= len - at);
		at += used;
		check_kept(reply);
		HOLDS((news == REPLY_DONE) == reply->done);
		HOLDS(news != REPLY_BAD || reply->why != NULL);
		if (news != REPLY_MORE && heard->count < NEWS_MAX) {
			heard->interim[heard->count] = reply->interim;
			heard->news[heard->count++] = (unsigned char)news;
		}
		heard->bad = news == REPLY_BAD;
		if (heard->bad || reply->done || (news == REPLY_MORE && at == len))
			break;
	}
	heard->used += at;
	free(piece);
}

static void check_end(struct reply *reply, enum reply_news end)
{
	size_t used = 1;

	HOLDS(reply_feed(reply, "HTTP/1.1 200 OK\r\n\r\n", 19, &used) == end && used == 0);
	HOLDS(reply->done == (end == REPLY_DONE));
}

static void feed(struct reply *reply, const uint8_t *data, size_t len, size_t step, struct heard *heard)
{
	memset(heard, 0, sizeof(*heard));
	for (size_t at = 0; at < len && !heard->bad && !reply->done; at += step)
		feed_piece(reply, data + at, len - at < step ? len - at : step, heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reply whole, pieces;
	static struct heard at_once, in_pieces;

	if (size < 2)
		return 0;
	bool is_head = (data[0] & 1) != 0;
	size_t step = data[0] / 2 + 1u;
	reply_init(&whole, is_head);
	reply_init(&pieces, is_head);
	feed(&whole, data + 1, size - 1, size - 1, &at_once);
	feed(&pieces, data + 1, size - 1, step, &in_pieces);
	HOLDS(at_once.count == in_pieces.count && at_once.bad == in_pieces.bad);
	HOLDS(memcmp(at_once.news, in_pieces.news, at_once.count) == 0);
	HOLDS(memcmp(at_once.interim, in_pieces.interim, at_once.count * sizeof(at_once.interim[0])) == 0);
	HOLDS(whole.done == pieces.done && whole.in_body == pieces.in_body && whole.status == pieces.status);
	HOLDS(whole.stays == pieces.stays && strcmp(whole.server, pieces.server) == 0);
	if (at_once.bad)
		check_end(&whole, REPLY_BAD);
	if (!at_once.bad) {
		HOLDS(at_once.used == in_pieces.used);
		HOLDS(whole.body_len == pieces.body_len && strcmp(whole.body, pieces.body) == 0);
		enum reply_news end = whole.done ? REPLY_DONE : reply_end(&whole);
		HOLDS(end == (pieces.done ? REPLY_DONE : reply_end(&pieces)));
		HOLDS(whole.done == (end == REPLY_DONE));
		if (whole.done)
			check_end(&whole, REPLY_DONE);
	}
	return 0;
}
