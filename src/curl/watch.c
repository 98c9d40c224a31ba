/* Measures the peer's time, our own time, and progress. */
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/socket.h"
#include "curl/helper_inside.h"

#define CODE_TOO_LARGE   100 /* CURLE_TOO_LARGE of libcurl 8.6 */
#define TRAILER_TOO_LONG "Out of memory in chunked-encoding"

/* ---- time ---- */

uint64_t helper_now(const thaw_curl *helper)
{
	return clock_now_ms() - helper->own_ms;
}

bool helper_limit_head(const thaw_curl *helper)
{
	uint64_t ms = helper->options.options.timeout_ms + helper->own_ms - helper->head_own_ms;
	uint64_t left_ms = helper->until_ms > helper->head_from_ms ? helper->until_ms - helper->head_from_ms : 1;

	return curl_easy_setopt(helper->head, CURLOPT_TIMEOUT_MS, (long)(ms < left_ms ? ms : left_ms)) == CURLE_OK;
}

void helper_add_own_time(thaw_curl *helper, uint64_t ms)
{
	CURL *handle = helper->head != NULL ? helper->head : helper->easy;

	helper->own_ms += ms;
	if (ms == 0)
		return;
	if (helper->head != NULL)
		(void)helper_limit_head(helper);
	if (helper->options.connect_ms != 0)
		(void)curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
				       (long)(helper->options.connect_ms + helper->own_ms));
}

/* ---- what moves ---- */

int helper_connected_socket(const thaw_curl *helper)
{
	struct sockaddr_storage peer;

	for (unsigned i = 0; i < helper->opened && i < HELPER_SOCKETS_MAX; i++) {
		int fd = helper->sockets[(helper->opened - 1 - i) % HELPER_SOCKETS_MAX];
		socklen_t len = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
			return fd;
	}
	return -1;
}

/* Without TLS libcurl's counters are enough. */
static uint64_t moved_plainly(const thaw_curl *helper)
{
	curl_off_t up = 0, down = 0;
	uint64_t unsent = helper_unsent(helper);

	(void)curl_easy_getinfo(helper->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	(void)curl_easy_getinfo(helper->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	return (uint64_t)down + ((uint64_t)up > unsent ? (uint64_t)up - unsent : 0);
}

uint64_t helper_received(const thaw_curl *helper, int fd)
{
	return helper->filter != NULL ? tls_filter_received(helper->filter) : socket_received(fd);
}

int64_t helper_unseen(const thaw_curl *helper, uint64_t received)
{
	CURL *handle = helper->head != NULL ? helper->head : helper->easy;
	curl_off_t body = 0;
	long head = 0;

	(void)curl_easy_getinfo(handle, CURLINFO_SIZE_DOWNLOAD_T, &body);
	(void)curl_easy_getinfo(handle, CURLINFO_HEADER_SIZE, &head);
	return (int64_t)received - (int64_t)body - (int64_t)head;
}

bool helper_line_too_long(const thaw_curl *helper, CURLcode code, const char *text)
{
	uint64_t received = helper->filter != NULL ? tls_filter_received(helper->filter) : helper->received;
	int64_t unseen = helper_unseen(helper, received) - helper->unseen;

	if ((int)code == CODE_TOO_LARGE)
		return true;
	if (helper->requests == 0)
		return false;
	return (code == CURLE_OUT_OF_MEMORY && unseen >= HELPER_LINE_MAX) ||
	       (code == CURLE_RECV_ERROR && unseen >= HELPER_TRAILER_MAX && strcmp(text, TRAILER_TOO_LONG) == 0);
}

/* All bytes, except those that become no part of a response, as an endless chunk extension: of these as many as a line
 * may have. */
static uint64_t moved_over_tls(const thaw_curl *helper)
{
	int64_t unseen = helper_unseen(helper, tls_filter_received(helper->filter)) - helper->unseen;
	uint64_t moved = tls_filter_moved(helper->filter);

	return unseen > HELPER_LINE_MAX && helper->requests > 0 ? moved - (uint64_t)(unseen - HELPER_LINE_MAX) : moved;
}

static void begin_turn(thaw_curl *helper, uint64_t moved, uint64_t limit_ms, uint64_t now_ms)
{
	helper->begins = false;
	helper->moved = helper->turn_moved = moved;
	helper->moved_at_ms = helper->turn_at_ms = now_ms;
	pace_start(&helper->pace, limit_ms, now_ms);
}

bool helper_watch(thaw_curl *helper, enum helper_turn turn)
{
	uint64_t moved = helper->filter != NULL ? moved_over_tls(helper) : moved_plainly(helper);
	uint64_t now = helper_now(helper);
	uint64_t limit_ms = helper->options.options.stall_ms;

	if (turn == HELPER_THEIRS)
		limit_ms = helper->options.response_ms != 0 ? helper->options.response_ms : limit_ms * HELPER_PATIENCE;
	bool anew = turn != helper->turn || turn == HELPER_NOBODY || moved < helper->moved || helper->begins;
	if (anew || (moved != helper->moved && turn == HELPER_OURS)) {
		begin_turn(helper, moved, limit_ms, now);
	} else if (moved != helper->moved) { /* a response that trickles is not progress */
		pace_progress(&helper->pace, moved - helper->moved, now);
		helper->moved = moved;
		helper->moved_at_ms = now;
	}
	helper->turn = turn;
	if (helper->stalled_ms == 0 && pace_over(&helper->pace, now)) {
		helper->stalled_ms = now - helper->turn_at_ms;
		helper->stalled_with = moved - helper->turn_moved;
	}
	return helper->stalled_ms == 0;
}

uint64_t helper_stalled_with(const thaw_curl *helper)
{
	return helper->stalled_with;
}

uint64_t helper_quiet_ms(const thaw_curl *helper)
{
	return helper_now(helper) - helper->moved_at_ms;
}

uint64_t helper_stalled_ms(const thaw_curl *helper)
{
	return helper->stalled_ms;
}

uint64_t helper_unsent(const thaw_curl *helper)
{
	if (helper->filter == NULL)
		return socket_unsent(helper->closes ? helper->closing : helper_connected_socket(helper));
	/* A filter BIO whose TLS has ended no longer knows its socket. */
	bool over = helper->closes && tls_filter_over(helper->filter);
	return tls_filter_unsent(helper->filter) + (over ? socket_unsent(helper->closing) : 0);
}

const char *helper_tls(const thaw_curl *helper)
{
	return helper->tls;
}
