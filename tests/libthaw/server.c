/*
 * A server as an embedder writes it, by the manual alone; in the common part of C11 and C++17, and built as both.
 *
 *	server epoll|threads server.pem server.key clients-ca.pem
 *
 * epoll: one edge-triggered loop. threads: one thread a connection, which share SSL_CTX, trust and quota. Many
 * requests a connection: /late is asked at its headers, /early by an early renegotiation, /again even if there is a
 * certificate, anything else not. The response says who the client is, how it came to be asked, and the length of the
 * body.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <thaw/thaw.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, THREADS = 16, TURNS = 1000000 };
enum phase { HEAD, BODY, ANSWER };

struct peer {
	struct peer *next;
	SSL *ssl;
	thaw_conn *conn;
	thaw_store *store;
	thaw_spool *spool;
	int fd;
	enum phase phase;
	size_t head_len, out_len, out_sent;
	unsigned long long body_left, body_len;
	char head[HEAD_MAX + 1], out[2048];
};

static SSL_CTX *tls;
static thaw_trust *trust;
static thaw_quota *quota;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void answer(struct peer *p)
{
	const struct thaw_report *report = thaw_conn_report(p->conn);
	const struct thaw_identity *who = NULL;
	char text[1024];

	if (thaw_conn_identity(p->conn, &who) != THAW_OK)
		who = NULL;
	snprintf(text, sizeof(text), "%s %s %s %s %llu\n", thaw_verdict_name(report->verdict),
		 thaw_means_name(report->means), thaw_moment_name(report->moment), who != NULL ? who->subject : "-",
		 p->body_len);
	p->out_len = (size_t)snprintf(p->out, sizeof(p->out), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
				      strlen(text), text);
	p->out_sent = 0;
	p->phase = ANSWER;
}

static bool begin(struct peer *p, const char *body)
{
	struct thaw_ask_options options;
	const char *length = strstr(p->head, "Content-Length: ");
	size_t here = p->head_len - (size_t)(body - p->head);

	memset(&options, 0, sizeof(options));
	options.size = sizeof(options);
	options.trust = trust;
	options.moment = THAW_MOMENT_HEADERS;
	p->body_len = length != NULL && length < body ? strtoull(length + 16, NULL, 10) : 0;
	if (here > p->body_len || thaw_spool_new(p->store, NULL, UINT64_MAX, &p->spool, NULL) != THAW_OK ||
	    thaw_spool_write(p->spool, body, here, NULL) != THAW_OK)
		return false;
	p->body_left = p->body_len - here;
	p->phase = BODY;
	options.body_follows = p->body_left > 0;
	options.early = strstr(p->head, " /early") != NULL;
	options.again = strstr(p->head, " /again") != NULL;
	if (options.early || options.again || strstr(p->head, " /late") != NULL)
		return thaw_conn_ask(p->conn, &options, now_ms()) == THAW_OK;
	return true;
}

static enum thaw_status read_head(struct peer *p)
{
	size_t got = 0;
	enum thaw_status status =
		thaw_conn_read(p->conn, p->head + p->head_len, HEAD_MAX - p->head_len, &got, now_ms());

	p->head_len += got;
	p->head[p->head_len] = '\0';
	const char *end = strstr(p->head, "\r\n\r\n");
	if (status == THAW_OK && end != NULL)
		return begin(p, end + 4) ? THAW_OK : THAW_FAILED;
	return p->head_len == HEAD_MAX ? THAW_FAILED : status;
}

/* What is not pending any more is counted only: the spool is emptied. */
static enum thaw_status read_body(struct peer *p)
{
	const void *data;
	char behind;
	void *where = &behind;
	size_t room = 1, got = 0, len = 0;
	enum thaw_status status = THAW_OK;

	if (p->body_left == 0 && thaw_conn_verdict(p->conn) != THAW_VERDICT_PENDING) {
		answer(p);
		thaw_spool_free(&p->spool);
		return THAW_OK;
	}
	if (p->body_left > 0 && thaw_spool_reserve(p->spool, &where, &room, NULL) != THAW_OK)
		return THAW_FAILED;
	if (p->body_left > 0 && room > p->body_left)
		room = (size_t)p->body_left;
	status = thaw_conn_read(p->conn, where, room, &got, now_ms());
	if (p->body_left == 0)
		return got > 0 ? THAW_FAILED : status; /* no client pipelines here */
	thaw_spool_commit(p->spool, got);
	p->body_left -= got;
	if (got > 0 && p->body_left == 0)
		thaw_conn_body_ended(p->conn, now_ms());
	while (thaw_conn_verdict(p->conn) != THAW_VERDICT_PENDING &&
	       thaw_spool_peek(p->spool, &data, &len, NULL) == THAW_OK && len > 0)
		thaw_spool_consume(p->spool, len);
	return status;
}

static enum thaw_status write_answer(struct peer *p)
{
	size_t len = 0;
	enum thaw_status status =
		thaw_conn_write(p->conn, p->out + p->out_sent, p->out_len - p->out_sent, &len, now_ms());

	p->out_sent += len;
	if (status == THAW_OK && p->out_sent == p->out_len) {
		p->phase = HEAD;
		p->head_len = 0;
	}
	return status;
}

/* Until it blocks. False: it is over. */
static bool step(struct peer *p, enum thaw_status *status)
{
	thaw_conn_tick(p->conn, now_ms());
	*status = THAW_OK;
	for (int turn = 0; turn < TURNS && *status == THAW_OK; turn++)
		*status = p->phase == HEAD ? read_head(p) : p->phase == BODY ? read_body(p) : write_answer(p);
	/* A verdict that the time has brought needs no bytes. */
	if (*status == THAW_WANT_READ && p->phase == BODY && p->body_left == 0 &&
	    thaw_conn_verdict(p->conn) != THAW_VERDICT_PENDING)
		return step(p, status);
	return *status == THAW_WANT_READ || *status == THAW_WANT_WRITE;
}

static struct peer *open_peer(int fd, thaw_store *store)
{
	struct peer *p = (struct peer *)calloc(1, sizeof(*p));
	struct thaw_error err;

	if (p == NULL)
		abort();
	p->fd = fd;
	p->store = store;
	p->ssl = SSL_new(tls);
	if (p->ssl == NULL || SSL_set_fd(p->ssl, fd) != 1 || thaw_conn_new(p->ssl, &p->conn, &err) != THAW_OK)
		abort();
	SSL_set_accept_state(p->ssl);
	thaw_conn_hold_to_tls12(p->conn, true);
	return p;
}

static void close_peer(struct peer *p)
{
	if (thaw_conn_error(p->conn)->cls != THAW_ERR_NONE)
		fprintf(stderr, "%s\n", thaw_conn_error(p->conn)->text);
	(void)SSL_shutdown(p->ssl);
	thaw_spool_free(&p->spool);
	thaw_conn_free(&p->conn);
	SSL_free(p->ssl);
	close(p->fd);
	free(p);
}

static int take(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		abort();
	return fd;
}

static thaw_store *open_store(unsigned worker)
{
	thaw_store *store = NULL;
	struct thaw_error err;

	if (thaw_store_new(quota, worker, "/var/tmp", &store, &err) == THAW_OK)
		return store;
	fprintf(stderr, "%s\n", err.text);
	exit(1);
}

static int wait_ms(uint64_t deadline)
{
	uint64_t now = now_ms();

	if (deadline == THAW_NEVER)
		return 60000;
	return deadline > now ? (int)(deadline - now) : 0;
}

/* ---- edge-triggered: a peer is stepped for each event, and when its time has come ---- */

static void run_epoll(int listener)
{
	struct peer *all = NULL, **at;
	thaw_store *store = open_store(0);
	int set = epoll_create1(0);
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = EPOLLIN;
	epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		uint64_t deadline = THAW_NEVER;
		for (at = &all; *at != NULL;) {
			struct peer *p = *at;
			enum thaw_status status = THAW_OK;
			if (thaw_conn_deadline(p->conn) <= now_ms() && !step(p, &status)) {
				*at = p->next;
				close_peer(p);
				continue;
			}
			if (thaw_conn_deadline(p->conn) < deadline)
				deadline = thaw_conn_deadline(p->conn);
			at = &p->next;
		}
		if (epoll_wait(set, &event, 1, wait_ms(deadline)) != 1)
			continue;
		struct peer *p = (struct peer *)event.data.ptr;
		enum thaw_status status = THAW_OK;
		if (p == NULL) {
			int fd = take(listener);
			if (fd < 0)
				continue;
			p = open_peer(fd, store);
			p->next = all;
			all = p;
			event.events = EPOLLIN | EPOLLOUT | EPOLLET;
			event.data.ptr = p;
			epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
		} else if (!step(p, &status)) {
			for (at = &all; *at != p;)
				at = &(*at)->next;
			*at = p->next;
			close_peer(p);
		}
	}
}

/* ---- threads ---- */

struct job {
	int listener;
	unsigned worker;
};

static void *run_thread(void *arg)
{
	struct job *job = (struct job *)arg;
	thaw_store *store = open_store(job->worker);

	for (;;) {
		int fd = take(job->listener);
		if (fd < 0)
			continue;
		struct peer *p = open_peer(fd, store);
		enum thaw_status status = THAW_OK;
		while (step(p, &status)) {
			struct pollfd wait;
			wait.fd = fd;
			wait.revents = 0;
			wait.events =
				(short)((status == THAW_WANT_READ || thaw_conn_wants_read(p->conn) ? POLLIN : 0) |
					(status == THAW_WANT_WRITE || thaw_conn_wants_write(p->conn) ? POLLOUT : 0));
			poll(&wait, 1, wait_ms(thaw_conn_deadline(p->conn)));
		}
		close_peer(p);
	}
	return NULL;
}

static void run_threads(int listener)
{
	static struct job jobs[THREADS];
	pthread_t thread;

	for (unsigned i = 0; i < THREADS; i++) {
		jobs[i].listener = listener;
		jobs[i].worker = i;
		if (pthread_create(&thread, NULL, run_thread, &jobs[i]) != 0)
			abort();
	}
	pthread_join(thread, NULL);
}

static void set_up(char **argv)
{
	struct thaw_quota_limits limits;
	struct thaw_trust_options options;
	struct thaw_error err;

	memset(&limits, 0, sizeof(limits));
	limits.size = sizeof(limits);
	limits.workers = THREADS;
	limits.memory = 16 << 20;
	limits.disk = 1 << 30;
	memset(&options, 0, sizeof(options));
	options.size = sizeof(options);
	options.ca = argv[4];
	if (thaw_trust_open(&options, &trust, &err) != THAW_OK || thaw_quota_new(&limits, &quota, &err) != THAW_OK) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	tls = SSL_CTX_new(TLS_server_method());
	if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, argv[3], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_set_session_id_context(tls, thaw_trust_id(trust), THAW_TRUST_ID_LEN) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_client_hello_cb(tls, thaw_ctx_client_hello, NULL);
	SSL_CTX_set_session_ticket_cb(tls, thaw_ctx_ticket_made, thaw_ctx_ticket_opened, NULL);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 5)
		return 64;
	set_up(argv);
	signal(SIGPIPE, SIG_IGN);
	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) != 0)
		return 71;
	printf("ready %u\n", ntohs(address.sin_port));
	fflush(stdout);
	if (strcmp(argv[1], "epoll") == 0)
		run_epoll(listener);
	else
		run_threads(listener);
	return 0;
}
