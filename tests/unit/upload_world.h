/*
 * For tests of uploads: an HTTPS server on loopback in its own process. It has one resource, asks for the certificate
 * after a request's head, and ends with the test.
 */
#ifndef UPLOAD_WORLD_H
#define UPLOAD_WORLD_H

#include "peers_world.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../made.h"
#include "base/socket.h"
#include "thaw/ask.h"

#define SHOP_ROOM  131072
#define VISITS_MAX 16
#define NO_TIME    0 /* asks have no deadline */

/* Memory that both processes share. The test writes it only after shop_reset(), when there is no connection. */
struct shop {
	bool asks;
	bool puts_together;    /* it supports Content-Range in a PUT; otherwise it takes the part for the whole */
	char bytes[SHOP_ROOM]; /* the resource */
	size_t len;            /* 0: there is no resource */
	unsigned generation;   /* its strong ETag */
	unsigned uploads;
	bool with_certificate; /* the connection of the last upload had a certificate */
};

struct visit {
	int fd; /* -1: closed */
	struct tls_conn *link;
	thaw_conn *conn;
	bool shaken, continued;
	size_t head, need, len; /* head: bytes of the head, once complete; need: of the body; len: received */
	char in[SHOP_ROOM];
};

static struct shop *shop;
static int shop_control = -1; /* a byte is answered when no connection is left; closing it ends the server */
static pid_t shop_process = -1;
static char shop_url[64];

/* ---- the server's process ---- */

static void leave(struct visit *visit)
{
	thaw_conn_free(&visit->conn);
	tls_conn_free(&visit->link);
	if (visit->fd >= 0)
		(void)close(visit->fd);
	visit->fd = -1;
}

static void visit_send(struct visit *visit, const char *bytes, size_t size)
{
	struct pollfd fd = {.fd = visit->fd, .events = POLLOUT};
	struct thaw_error err = {0};
	size_t done = 0, len = 0;

	while (visit->fd >= 0 && done < size) {
		enum thaw_status status = tls_conn_write(visit->link, bytes + done, size - done, &len, &err);
		if (status == THAW_OK)
			done += len;
		else if (status == THAW_FAILED || status == THAW_CLOSED || poll(&fd, 1, -1) < 0)
			leave(visit);
	}
}

static void answer(struct visit *visit, const char *status, const char *body, size_t len)
{
	char head[256];
	int head_len = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nETag: \"%u\"\r\nContent-Length: %zu\r\n\r\n",
				status, shop->generation, len);

	visit_send(visit, head, (size_t)head_len);
	if (strncmp(visit->in, "HEAD ", 5) != 0)
		visit_send(visit, body, len);
}

/* The value of a field in the head; NULL: missing. */
static const char *field(const struct visit *visit, const char *name)
{
	const char *at = memmem(visit->in, visit->head, name, strlen(name));

	return at != NULL ? at + strlen(name) : NULL;
}

static bool has_certificate(const struct visit *visit)
{
	return thaw_conn_means(visit->conn, NULL) == THAW_MEANS_HANDSHAKE;
}

static void take_upload(struct visit *visit)
{
	const char *range = field(visit, "\r\nContent-Range: bytes ");
	size_t from = shop->puts_together && range != NULL ? strtoul(range, NULL, 10) : 0;

	if (from != 0 && from != shop->len) {
		answer(visit, "412 Precondition Failed", "no", 2);
		return;
	}
	memcpy(shop->bytes + from, visit->in + visit->head, visit->need);
	shop->len = from + visit->need;
	shop->generation++;
	shop->uploads++;
	shop->with_certificate = has_certificate(visit);
	answer(visit, "200 OK", "ok", 2);
}

static void serve_request(struct visit *visit)
{
	bool looks = strncmp(visit->in, "HEAD ", 5) == 0 || strncmp(visit->in, "GET ", 4) == 0;

	if (shop->asks && !has_certificate(visit))
		answer(visit, "403 Forbidden", "no", 2);
	else if (!looks)
		take_upload(visit);
	else if (shop->len == 0)
		answer(visit, "404 Not Found", "no", 2);
	else
		answer(visit, "200 OK", shop->bytes, shop->len);
}

static void on_head(struct visit *visit)
{
	const struct thaw_ask_options options = {.size = sizeof(options),
						 .trust = trust,
						 .moment = THAW_MOMENT_HEADERS,
						 .body_follows = true,
						 .early = true,
						 .timeout_ms = THAW_NEVER};
	const char *length = field(visit, "\r\nContent-Length: ");

	visit->need = length != NULL ? strtoul(length, NULL, 10) : 0;
	visit->continued = field(visit, "\r\nExpect: 100-continue") == NULL;
	if (visit->head + visit->need > sizeof(visit->in))
		leave(visit);
	if (visit->fd < 0 || !shop->asks || has_certificate(visit))
		return;
	if (thaw_conn_ask(visit->conn, &options, NO_TIME) != THAW_OK)
		leave(visit);
	else
		thaw_conn_tick(visit->conn, NO_TIME);
}

/* Does what is possible with the bytes received so far. */
static void move_on(struct visit *visit)
{
	const char *end = visit->head == 0 ? memmem(visit->in, visit->len, "\r\n\r\n", 4) : NULL;

	if (end != NULL) {
		visit->head = (size_t)(end + 4 - visit->in);
		on_head(visit);
	}
	if (visit->fd < 0 || visit->head == 0)
		return;
	if (thaw_conn_verdict(visit->conn) == THAW_VERDICT_PENDING)
		return;
	if (!visit->continued)
		visit_send(visit, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	visit->continued = true;
	if (visit->fd >= 0 && visit->len >= visit->head + visit->need) {
		serve_request(visit);
		visit->len -= visit->head + visit->need;
		memmove(visit->in, visit->in + visit->head + visit->need, visit->len);
		visit->head = 0;
	}
}

static void step(struct visit *visit)
{
	struct thaw_error err = {0};
	enum thaw_status status = THAW_OK;

	if (!visit->shaken) {
		status = tls_conn_handshake(visit->link, &err);
		thaw_conn_tick(visit->conn, NO_TIME);
		visit->shaken = status == THAW_OK;
	}
	while (status == THAW_OK && visit->fd >= 0) {
		size_t len = 0, room = sizeof(visit->in) - visit->len;
		status = room > 0 ? thaw_conn_read(visit->conn, visit->in + visit->len, room, &len, NO_TIME)
				  : THAW_FAILED;
		visit->len += status == THAW_OK ? len : 0;
		thaw_conn_tick(visit->conn, NO_TIME);
		if (status != THAW_CLOSED && status != THAW_FAILED)
			move_on(visit); /* also if only an exchange has progressed */
	}
	if (status == THAW_CLOSED || status == THAW_FAILED)
		leave(visit);
}

static void greet(struct visit *visits, int listener)
{
	struct visit *visit = visits;
	int fd = socket_accept(listener, NULL);

	while (visit < visits + VISITS_MAX && visit->fd >= 0)
		visit++;
	if (fd < 0 || visit == visits + VISITS_MAX)
		_exit(1);
	memset(visit, 0, sizeof(*visit));
	visit->fd = fd;
	visit->link = tls_conn_new(server, socket_transport(&visit->fd));
	visit->conn = visit->link != NULL ? made_conn_new(tls_conn_ssl(visit->link)) : NULL;
	if (visit->conn == NULL)
		_exit(1);
}

static void keep_shop(int listener, int control)
{
	static struct visit visits[VISITS_MAX];
	struct pollfd fds[VISITS_MAX + 2] = {{.fd = control, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	char byte;

	for (size_t i = 0; i < VISITS_MAX; i++)
		visits[i].fd = -1;
	for (;;) {
		for (size_t i = 0; i < VISITS_MAX; i++)
			fds[i + 2] = (struct pollfd){.fd = visits[i].fd, .events = POLLIN};
		if (poll(fds, VISITS_MAX + 2, -1) < 0)
			_exit(1);
		if (fds[0].revents != 0) {
			for (size_t i = 0; i < VISITS_MAX; i++)
				leave(&visits[i]);
			if (read(control, &byte, 1) != 1 || write(control, &byte, 1) != 1)
				_exit(0);
			continue;
		}
		for (size_t i = 0; i < VISITS_MAX; i++)
			if (visits[i].fd >= 0 && fds[i + 2].revents != 0)
				step(&visits[i]);
		if (fds[1].revents != 0)
			greet(visits, listener);
	}
}

/* ---- the test's process ---- */

/* Waits until no connection is left, and removes the resource. */
static void shop_reset(bool asks, bool puts_together)
{
	char byte = 'r';

	assert_int_equal(write(shop_control, &byte, 1), 1);
	assert_int_equal(read(shop_control, &byte, 1), 1);
	shop->asks = asks;
	shop->puts_together = puts_together;
	shop->len = 0;
	shop->uploads = 0;
	shop->with_certificate = false;
}

static int open_shop(void **state)
{
	struct thaw_error err = {0};
	int pair[2], listener = socket_listen("127.0.0.1", 0, &err);

	shop = mmap(NULL, sizeof(*shop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (set_up_peers(state) != 0 || listener < 0 || shop == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	(void)snprintf(shop_url, sizeof(shop_url), "https://127.0.0.1:%u/x", socket_port(listener));
	shop_process = fork();
	if (shop_process == 0) {
		(void)signal(SIGPIPE, SIG_IGN);
		(void)alarm(600);
		(void)close(pair[0]);
		keep_shop(listener, pair[1]);
	}
	shop_control = pair[0];
	(void)close(pair[1]);
	(void)close(listener);
	return shop_process > 0 ? 0 : -1;
}

static int close_shop(void **state)
{
	int how = 0;

	(void)close(shop_control);
	bool ended = waitpid(shop_process, &how, 0) == shop_process && WIFEXITED(how) && WEXITSTATUS(how) == 0;
	(void)munmap(shop, sizeof(*shop));
	return tear_down_peers(state) == 0 && ended ? 0 : -1;
}

/* The number of open descriptors. */
static unsigned open_files(void)
{
	DIR *folder_of_them = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder_of_them);
	while (readdir(folder_of_them) != NULL)
		count++;
	(void)closedir(folder_of_them);
	return count;
}

#endif
