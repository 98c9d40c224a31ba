#include "demo/frozen.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/socket.h"
#include "http/head.h"
#include "tls/server.h"
#include "tls/session.h"

struct visit {
	int fd;
	struct tls_link *link;
	struct tls_session *session;
	const thaw_trust *trust;
	char held[FROZEN_READ_AHEAD]; /* the head, and the body as far as it fits */
	size_t len;
	struct thaw_error err;
};

/* After a call that did not return THAW_OK. False: the connection is over, or FROZEN_LIMIT_S have passed. */
static bool wait_for(const struct visit *visit, enum thaw_status status)
{
	struct pollfd fd = {.fd = visit->fd, .events = status == THAW_WANT_WRITE ? POLLOUT : POLLIN};

	if (status != THAW_WANT_READ && status != THAW_WANT_WRITE)
		return false;
	return poll(&fd, 1, FROZEN_LIMIT_S * 1000) > 0;
}

static bool shake_hands(struct visit *visit)
{
	enum thaw_status status;

	while ((status = tls_link_handshake(visit->link, &visit->err)) != THAW_OK)
		if (!wait_for(visit, status))
			return false;
	return true;
}

/* One read into what is held. */
static bool read_more(struct visit *visit)
{
	size_t got = 0;

	tls_session_flush(visit->session);
	enum thaw_status status =
		tls_session_read(visit->session, visit->held + visit->len, sizeof(visit->held) - visit->len, &got);

	visit->len += got;
	return status == THAW_OK || wait_for(visit, status);
}

static bool read_head(struct visit *visit, struct http_request *request, size_t *head_len)
{
	struct http_scan scan = {0};
	struct http_refusal refusal;

	for (;;) {
		enum http_parse parse = http_head_parse(visit->held, visit->len, &scan, request, head_len, &refusal);
		if (parse != HTTP_PARSE_MORE)
			return parse == HTTP_PARSE_DONE;
		if (!read_more(visit))
			return false;
	}
}

static bool send_ask(struct visit *visit)
{
	enum thaw_reason reason;
	enum thaw_means means = tls_session_means(visit->session, &reason);
	enum thaw_status status;

	if (means == THAW_MEANS_NONE || tls_ask_begin(visit->session, means, visit->trust, &reason) != THAW_OK)
		return false;
	while ((status = tls_ask_send(visit->session)) != THAW_OK)
		if (!wait_for(visit, status))
			return false;
	return true;
}

/* Here it freezes: with the read-ahead full, nothing is read any more, and so the certificate behind the body never
 * comes. */
static bool await_answer(struct visit *visit)
{
	while (!tls_ask_answered(visit->session)) {
		if (visit->len == sizeof(visit->held)) {
			(void)sleep(FROZEN_LIMIT_S);
			return false;
		}
		if (!read_more(visit))
			return false;
	}
	return true;
}

/* The rest of the body, now that the certificate is there. */
static bool read_rest(struct visit *visit, uint64_t left)
{
	while (left > 0) {
		size_t got = 0;
		enum thaw_status status = tls_session_read(visit->session, visit->held, sizeof(visit->held), &got);
		if (status != THAW_OK && !wait_for(visit, status))
			return false;
		left -= got < left ? got : left;
	}
	return true;
}

static void answer(struct visit *visit)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
	size_t at = 0;

	while (at < sizeof(text) - 1) {
		size_t put = 0;
		enum thaw_status status =
			tls_link_write(visit->link, text + at, sizeof(text) - 1 - at, &put, &visit->err);
		if (status != THAW_OK && !wait_for(visit, status))
			return;
		at += put;
	}
	tls_link_close_notify(visit->link);
}

static void serve(struct visit *visit)
{
	static struct http_request request;
	size_t head_len = 0;

	if (!shake_hands(visit) || !read_head(visit, &request, &head_len) || !send_ask(visit) || !await_answer(visit))
		return;
	uint64_t here = visit->len - head_len;
	if (read_rest(visit, request.length > here ? request.length - here : 0))
		answer(visit);
}

static void take(struct tls_server *server, const thaw_trust *trust, int fd)
{
	static struct visit visit;

	visit = (struct visit){.fd = fd, .trust = trust};
	visit.link = tls_link_new(server, socket_transport(&visit.fd));
	if (visit.link != NULL)
		visit.session = tls_session_new(tls_link_ssl(visit.link));
	if (visit.session != NULL)
		serve(&visit);
	tls_session_free(&visit.session);
	tls_link_free(&visit.link);
	(void)close(fd);
}

int frozen_run(void *arg)
{
	const struct frozen_options *options = arg;
	char certificate[PATH_MAX], key[PATH_MAX], ca[PATH_MAX];
	struct thaw_error err = {0};
	struct pollfd fd = {.fd = options->listener, .events = POLLIN};

	(void)snprintf(certificate, sizeof(certificate), "%s/server.pem", options->pki);
	(void)snprintf(key, sizeof(key), "%s/server.key", options->pki);
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", options->pki);
	thaw_trust *trust = thaw_trust_load(ca, NULL, &err);
	const thaw_trust *trusts[] = {trust};
	struct tls_host host = {
		.name = "*", .certificate = certificate, .key = key, .trusts = trusts, .trust_count = 1};
	struct tls_server *server = trust != NULL ? tls_server_new(&host, 1, &err) : NULL;
	if (server == NULL)
		return EX_SOFTWARE;
	while (poll(&fd, 1, FROZEN_LIMIT_S * 1000) > 0) {
		int visitor = socket_accept(options->listener, NULL);
		if (visitor >= 0)
			take(server, trust, visitor);
	}
	tls_server_free(&server);
	thaw_trust_free(&trust);
	return EX_OK;
}
