#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The result of a part of a step. */
enum part { PART_NEXT, PART_IN, PART_OUT, PART_BOTH, PART_FAILED };

static const unsigned char payload[CLIENT_RECORD] = "What is sent is of no interest to anybody.";

void client_init(struct client *client, struct client_plan *plan)
{
	memset(client, 0, sizeof(*client));
	client->plan = plan;
	client->fd = -1;
}

double client_now(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static bool watch(struct client *client, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = client};

	if (events == client->watched)
		return true;
	int op = client->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	client->watched = events;
	return epoll_ctl(client->plan->epoll, op, client->fd, &event) == 0;
}

void client_close(struct client *client)
{
	if (client->fd < 0)
		return;
	(void)SSL_shutdown(client->ssl);
	SSL_free(client->ssl);
	(void)close(client->fd);
	client->ssl = NULL;
	client->fd = -1;
	client->watched = 0;
	client->next_id = 0;
	client->state = CLIENT_IDLE;
}

static const char *open_connection(struct client *client)
{
	struct client_plan *plan = client->plan;
	int on = 1;

	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return client_tls_failure("socket");
	client->ssl = client_tls_new(client);
	if (client->ssl == NULL)
		return client_tls_failure("a connection's TLS");
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(client->fd, (const struct sockaddr *)&plan->server, sizeof(plan->server)) != 0 &&
	    errno != EINPROGRESS)
		return client_tls_failure("connect");
	plan->counted.connections++;
	client->state = CLIENT_CONNECTING;
	return watch(client, EPOLLOUT) ? NULL : client_tls_failure("epoll_ctl");
}

const char *client_begin(struct client *client)
{
	const struct client_plan *plan = client->plan;
	const char *why = NULL;

	client->write_blocked = client->read_blocked = false;
	client->in_len = 0;
	client->response_left = 0;
	if (plan->streams > 0) {
		client->head = client->out;
		why = client_h2_begin(client);
	} else {
		client->head = plan->head;
		client->head_len = client->head_left = plan->head_len;
		client->body_left = plan->body;
	}
	if (why != NULL)
		return why;
	if (client->fd < 0)
		return open_connection(client);
	client->state = CLIENT_SENDING;
	return client_step(client, EPOLLOUT);
}

/* ---- the parts of a step; each sets *why if it fails ---- */

static enum part connecting(struct client *client, const char **why)
{
	int code = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0 || code != 0) {
		errno = code;
		*why = client_tls_failure("connect");
		return PART_FAILED;
	}
	client->state = CLIENT_HANDSHAKE;
	return PART_NEXT;
}

static enum part handshake(struct client *client, const char **why)
{
	switch (client_tls_handshake(client)) {
	case CLIENT_IO_WANT_IN:
		return PART_IN;
	case CLIENT_IO_WANT_OUT:
		return PART_OUT;
	case CLIENT_IO_FAILED:
		*why = client_tls_failure("handshake");
		return PART_FAILED;
	case CLIENT_IO_OK:
		break;
	}
	*why = client_tls_check(client);
	client->state = CLIENT_SENDING;
	return *why == NULL ? PART_NEXT : PART_FAILED;
}

/* 1: the response is complete; 0: not yet, and with a complete head response_left is set; -1: it is not the response
 * that we expect. */
static int judge(struct client *client)
{
	static const char wanted[] = "HTTP/1.1 200", length[] = "\r\nContent-Length:";

	client->in[client->in_len] = '\0';
	const char *end = strstr(client->in, "\r\n\r\n");
	if (end == NULL)
		return client->in_len < sizeof(client->in) - 1 ? 0 : -1;
	const char *field = strcasestr(client->in, length);
	if (strncmp(client->in, wanted, sizeof(wanted) - 1) != 0 || field == NULL || field > end)
		return -1;
	uint64_t body = strtoull(field + sizeof(length) - 1, NULL, 10), whole = (uint64_t)(end + 4 - client->in) + body;
	if (client->in_len > whole || (client->plan->response > 0 && body != client->plan->response))
		return -1;
	client->response_left = whole - client->in_len;
	return client->response_left == 0;
}

static const char *not_wanted(struct client *client)
{
	static char text[CLIENT_HEAD_MAX + 64];

	(void)snprintf(text, sizeof(text), "response '%.*s' with %" PRIu64 " bytes of the request still to be sent",
		       (int)strcspn(client->in, "\r\n"), client->in, client->head_left + client->body_left);
	return text;
}

/* Takes the response bytes that have arrived. dropped: those are of its body. PART_NEXT: there may be more. */
static enum part take_text(struct client *client, bool dropped, const char **why)
{
	int verdict = dropped ? client->response_left == 0 : judge(client);

	if (verdict < 0 || (verdict > 0 && client->head_left + client->body_left > 0)) {
		*why = not_wanted(client);
		return PART_FAILED;
	}
	if (verdict == 0)
		return PART_NEXT;
	client->plan->counted.done++;
	client->state = CLIENT_IDLE;
	return PART_IN;
}

/* Takes frames of responses, and begins further requests while there is time. */
static enum part take_frames(struct client *client, const char **why)
{
	*why = client_h2_take(client);
	if (*why == NULL && client->under_way < client->plan->streams && client_now() < client->plan->end_at)
		*why = client_h2_begin(client);
	if (*why != NULL)
		return PART_FAILED;
	if (client->head_left > 0)
		client->state = CLIENT_SENDING;
	else if (client->under_way == 0)
		client->state = CLIENT_IDLE;
	return client->state == CLIENT_IDLE ? PART_IN : PART_NEXT;
}

/* Reads what has arrived: response bytes, a request for the certificate, or tickets. */
static enum part receiving(struct client *client, const char **why)
{
	static char scratch[CLIENT_RECORD];

	for (;;) {
		bool drop = client->response_left > 0;
		size_t got = 0, room = sizeof(client->in) - 1 - client->in_len;
		if (drop)
			room = client->response_left < sizeof(scratch) ? (size_t)client->response_left
								       : sizeof(scratch);
		switch (client_tls_read(client, drop ? scratch : client->in + client->in_len, room, &got)) {
		case CLIENT_IO_WANT_IN:
			client->read_blocked = false;
			return PART_IN;
		case CLIENT_IO_WANT_OUT:
			client->read_blocked = true;
			return PART_OUT;
		case CLIENT_IO_FAILED:
			*why = client_tls_failure("reading the response");
			return PART_FAILED;
		case CLIENT_IO_OK:
			client->in_len += drop ? 0 : got;
			client->response_left -= drop ? got : 0;
		}
		enum part taken = client->plan->streams > 0 ? take_frames(client, why) : take_text(client, drop, why);
		if (taken != PART_NEXT)
			return taken;
	}
}

static enum client_io write_piece(struct client *client)
{
	size_t written = 0;
	enum client_io io;

	if (client->head_left > 0) {
		const char *rest = client->head + client->head_len - client->head_left;
		io = client_tls_write(client, rest, client->head_left, &written);
		client->head_left -= written;
	} else {
		size_t len = client->body_left < sizeof(payload) ? (size_t)client->body_left : sizeof(payload);
		io = client_tls_write(client, payload, len, &written);
		client->body_left -= written;
	}
	client->write_blocked = io == CLIENT_IO_WANT_OUT;
	return io;
}

/* Sends a limited number of records, so that other clients are not delayed and an ask is read in time. */
static enum part sending(struct client *client, const char **why)
{
	for (int i = 0; i < CLIENT_WRITES_MAX; i++) {
		if (client->head_left + client->body_left == 0) {
			bool done = client->plan->streams > 0 && client->under_way == 0;
			client->state = done ? CLIENT_IDLE : CLIENT_RECEIVING;
			return PART_IN; /* no response can have arrived yet, or the next event reports it */
		}
		switch (write_piece(client)) {
		case CLIENT_IO_OK:
			break;
		case CLIENT_IO_WANT_IN:
		case CLIENT_IO_WANT_OUT:
			return PART_BOTH;
		case CLIENT_IO_FAILED:
			*why = client_tls_failure("sending the request");
			return PART_FAILED;
		}
	}
	return PART_BOTH;
}

/* While a write is blocked OpenSSL accepts no other call, and no write while a read is blocked. */
static enum part exchange(struct client *client, uint32_t events, const char **why)
{
	if (client->write_blocked && (events & EPOLLOUT) == 0)
		return PART_OUT;
	if (!client->write_blocked && ((events & EPOLLIN) != 0 || client->read_blocked)) {
		enum part read = receiving(client, why);
		if (read != PART_IN || client->state != CLIENT_SENDING)
			return read;
	}
	return client->state == CLIENT_SENDING ? sending(client, why) : PART_IN;
}

/* A ticket may arrive on an idle connection; its end, or data that nobody requested, is a failure. */
static enum part idle(struct client *client, const char **why)
{
	size_t got = 0;

	switch (client_tls_read(client, client->in, sizeof(client->in) - 1, &got)) {
	case CLIENT_IO_WANT_IN:
		return PART_IN;
	case CLIENT_IO_WANT_OUT:
		return PART_OUT;
	case CLIENT_IO_OK:
	case CLIENT_IO_FAILED:
		break;
	}
	*why = client_tls_failure("an idle connection did not stay idle");
	return PART_FAILED;
}

static enum part move(struct client *client, uint32_t events, const char **why)
{
	switch (client->state) {
	case CLIENT_CONNECTING:
		return connecting(client, why);
	case CLIENT_HANDSHAKE:
		return handshake(client, why);
	case CLIENT_SENDING:
	case CLIENT_RECEIVING:
		return exchange(client, events, why);
	case CLIENT_IDLE:
		break;
	}
	return idle(client, why);
}

const char *client_step(struct client *client, uint32_t events)
{
	const char *why = NULL;
	enum part part;

	do {
		part = move(client, events, &why);
		events &= ~(uint32_t)EPOLLIN; /* one read is enough */
	} while (part == PART_NEXT);
	if (part == PART_FAILED)
		return why;
	if (client->state == CLIENT_IDLE && client->plan->fresh) {
		client_close(client);
		return NULL;
	}
	uint32_t wanted = part == PART_IN ? EPOLLIN : part == PART_OUT ? EPOLLOUT : EPOLLIN | EPOLLOUT;
	return watch(client, wanted) ? NULL : client_tls_failure("epoll_ctl");
}
