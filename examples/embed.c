/*
 * An HTTPS server around libthaw: PUT /late gets its client certificate in the middle of the upload.
 *
 *	embed PORT server.pem server.key clients-ca.pem [BYTES]
 *
 * It prints "ready PORT" when it listens; PORT 0: any free port. BYTES: the size of each socket's buffers, to try small
 * ones.
 *
 * It uses only poll(), OpenSSL and <thaw/thaw.h>, and needs libthaw 0.2 or later. The parts that libthaw needs are
 * marked (1) to (7). The rest is a short server: one request for each connection, Content-Length only, and a head that
 * is searched, not parsed.
 */
#define _GNU_SOURCE 1 /* strcasestr(), accept4() */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <thaw/thaw.h>
#include <time.h>
#include <unistd.h>

#if THAW_VERSION < THAW_MAKE_VERSION(0, 2, 0)
#error "libthaw 0.2 or later is needed"
#endif

enum { CLIENTS = 64, HEAD_MAX = 8192, BODY_MAX = 1 << 30, TURNS = 64 };
enum { LINGER_MS = 5000, LINGER_MAX_MS = 600000 }; /* without a byte of the client, and in all */
enum state { HEAD, BODY, ANSWER };

struct client {
	SSL *ssl; /* NULL: a free place */
	thaw_conn *conn;
	thaw_spool *spool;
	EVP_MD_CTX *digest; /* of the body */
	int fd;
	enum state state;
	uint64_t deadline_ms, body_left, body_used;
	uint64_t linger_end_ms; /* 0: the response is not written yet */
	size_t head_len, answer_len, answered;
	struct sockaddr_in address;
	bool blocked; /* the answer could not be written whole */
	char head[HEAD_MAX + 1], answer[2048];
};

static SSL_CTX *tls;
static thaw_trust *trust;
static thaw_store *store;
static struct client clients[CLIENTS];

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void enter(struct client *c, enum state state, uint64_t limit_ms)
{
	c->state = state;
	c->deadline_ms = now_ms() + limit_ms;
}

static enum thaw_status answer(struct client *c, const char *status, const char *text)
{
	static const char format[] = "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s";
	c->answer_len = (size_t)snprintf(c->answer, sizeof(c->answer), format, status, strlen(text), text);
	enter(c, ANSWER, 10000);
	return THAW_OK;
}

/* (5) The verdict is final. Only now the request is processed: its body is counted and digested. */
static enum thaw_status act(struct client *c)
{
	const struct thaw_identity *who;
	unsigned char sha256[THAW_SHA256_LEN];
	char text[1024], hex[2 * THAW_SHA256_LEN + 1];
	const void *data;
	size_t len;

	const struct thaw_report *report = thaw_conn_report(c->conn);
	if (report->verdict != THAW_VERDICT_ACCEPTED) {
		snprintf(text, sizeof(text), "%s: %s %s\n", thaw_verdict_name(report->verdict),
			 thaw_reason_name(report->reason), report->detail);
		return answer(c, "403 Forbidden", text);
	}
	do {
		if (thaw_spool_peek(c->spool, &data, &len, NULL) != THAW_OK)
			return answer(c, "500 Internal Server Error", "The stored part of the body is lost.\n");
		EVP_DigestUpdate(c->digest, data, len);
		thaw_spool_consume(c->spool, len);
		c->body_used += len;
	} while (len > 0);
	if (c->body_left > 0)
		return THAW_OK;
	if (thaw_conn_identity(c->conn, &who) != THAW_OK)
		return answer(c, "503 Service Unavailable", "Try again later.\n");
	EVP_DigestFinal_ex(c->digest, sha256, NULL);
	OPENSSL_buf2hexstr_ex(hex, sizeof(hex), NULL, sha256, sizeof(sha256), '\0');
	snprintf(text, sizeof(text), "%s\n%s %s\n%llu bytes\n%s\n", who->subject, thaw_means_name(report->means),
		 thaw_moment_name(report->moment), (unsigned long long)c->body_used, hex);
	return answer(c, "200 OK", text);
}

/*
 * (4) While the verdict is pending, read into the spool's memory. This prevents the freeze. Read also after the body,
 * because the client's certificate may come there. After the verdict the spool is emptied after each read.
 */
static enum thaw_status read_body(struct client *c)
{
	char after_body;
	void *where = &after_body;
	size_t room = 1, got = 0;

	if (c->body_left > 0) {
		enum thaw_reason reason;
		if (thaw_spool_reserve(c->spool, &where, &room, &reason) != THAW_OK) {
			thaw_conn_ask_end(c->conn, THAW_VERDICT_OVER_LIMIT, reason, now_ms());
			return answer(c, "413 Content Too Large", thaw_reason_name(reason));
		}
		room = room < c->body_left ? room : (size_t)c->body_left;
	}
	enum thaw_status status = thaw_conn_read(c->conn, where, room, &got, now_ms());
	if (c->body_left > 0)
		thaw_spool_commit(c->spool, got);
	if (c->body_left > 0 && got > 0) {
		c->body_left -= got;
		if (c->body_left == 0)
			thaw_conn_body_ended(c->conn, now_ms());
	}
	if (thaw_conn_verdict(c->conn) != THAW_VERDICT_PENDING)
		act(c);
	return c->state != BODY ? THAW_OK : status;
}

/* (3) The request is known. Ask if it needs a certificate, and read the body meanwhile. */
static enum thaw_status begin(struct client *c, const char *body)
{
	const char *length = strcasestr(c->head, "\r\nContent-Length:");
	size_t here = c->head_len - (size_t)(body - c->head);
	struct thaw_ask_options options = {.size = sizeof(options), .trust = trust, .moment = THAW_MOMENT_HEADERS};

	if (strncmp(c->head, "PUT /late ", 10) != 0 || length == NULL || length > body)
		return answer(c, "404 Not Found", "There is PUT /late, with a Content-Length.\n");
	c->body_left = strtoull(length + 17, NULL, 10);
	here = here < c->body_left ? here : (size_t)c->body_left;
	c->digest = EVP_MD_CTX_new();
	if (c->digest == NULL || EVP_DigestInit_ex(c->digest, EVP_sha256(), NULL) != 1 ||
	    thaw_spool_new(store, (struct sockaddr *)&c->address, BODY_MAX, &c->spool, NULL) != THAW_OK ||
	    thaw_spool_write(c->spool, body, here, NULL) != THAW_OK)
		return answer(c, "503 Service Unavailable", "Try again later.\n");
	c->body_left -= here;
	options.body_follows = c->body_left > 0;
	options.body_idle_ms = 30000;
	options.timeout_ms = 60000; /* the user may have to find a smart card */
	options.decline_grace_ms = 1000;
	enter(c, BODY, 600000);
	return thaw_conn_ask(c->conn, &options, now_ms());
}

static enum thaw_status read_head(struct client *c)
{
	size_t got = 0;
	enum thaw_status status =
		thaw_conn_read(c->conn, c->head + c->head_len, HEAD_MAX - c->head_len, &got, now_ms());

	c->head_len += got;
	const char *end = strstr(c->head, "\r\n\r\n");
	if (status == THAW_OK && end != NULL)
		return begin(c, end + 4);
	return c->head_len == HEAD_MAX ? THAW_FAILED : status;
}

/* After the response: as long as the client sends. */
static void linger(struct client *c)
{
	uint64_t deadline = now_ms() + LINGER_MS;

	c->deadline_ms = deadline < c->linger_end_ms ? deadline : c->linger_end_ms;
}

/*
 * (6) Write the response, but nothing between the client's handshake messages: thaw_conn_write() sees to that. Read and
 * discard what the client still sends, also after the response. Some clients read the response only after they have
 * sent the whole request; and closing a socket with unread bytes resets the connection, which destroys the response
 * (RFC 9112 9.6).
 */
static enum thaw_status write_answer(struct client *c)
{
	size_t len = 0;

	if (c->answered < c->answer_len) {
		enum thaw_status status =
			thaw_conn_write(c->conn, c->answer + c->answered, c->answer_len - c->answered, &len, now_ms());
		if (status == THAW_FAILED)
			return status;
		c->blocked = status == THAW_WANT_WRITE;
		c->answered += len;
		if (c->answered == c->answer_len) {
			SSL_shutdown(c->ssl);
			shutdown(c->fd, SHUT_WR);
			c->linger_end_ms = now_ms() + LINGER_MAX_MS;
			linger(c);
		}
	}
	enum thaw_status status = thaw_conn_read(c->conn, c->head, HEAD_MAX, &len, now_ms());
	if (len > 0 && c->linger_end_ms > 0)
		linger(c);
	return status;
}

static void drop(struct client *c)
{
	thaw_spool_free(&c->spool);
	thaw_conn_free(&c->conn);
	EVP_MD_CTX_free(c->digest);
	SSL_free(c->ssl);
	close(c->fd);
	memset(c, 0, sizeof(*c));
}

/* (2) A thaw_conn for each SSL, before its handshake (which the first thaw_conn_read() begins). */
static void take(struct client *c, int listener)
{
	socklen_t len = sizeof(c->address);

	c->fd = accept4(listener, (struct sockaddr *)&c->address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->fd < 0)
		return;
	c->ssl = SSL_new(tls);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 || thaw_conn_new(c->ssl, &c->conn, NULL) != THAW_OK) {
		drop(c);
		return;
	}
	SSL_set_accept_state(c->ssl);
	thaw_conn_hold_to_tls12(c->conn, true);
	enter(c, HEAD, 20000);
}

/* (7) Serve one client, then wait for its socket and for the earlier deadline. False: the client is gone. */
static bool step(struct client *c, struct pollfd *poll, uint64_t *wake_ms)
{
	static enum thaw_status (*const run[])(struct client *) = {read_head, read_body, write_answer};
	enum thaw_status status = THAW_OK;

	thaw_conn_tick(c->conn, now_ms());
	c->blocked = false;
	for (int turn = 0; turn < TURNS && status == THAW_OK; turn++) /* then the next client's turn */
		status = run[c->state](c);
	if (status == THAW_CLOSED || status == THAW_FAILED || now_ms() >= c->deadline_ms) {
		drop(c);
		return false;
	}
	poll->fd = c->fd;
	poll->events =
		(short)((status == THAW_WANT_READ ? POLLIN : 0) |
			(status == THAW_WANT_WRITE || c->blocked || thaw_conn_wants_write(c->conn) ? POLLOUT : 0));
	uint64_t deadline = thaw_conn_deadline(c->conn);
	if (deadline > c->deadline_ms)
		deadline = c->deadline_ms;
	if (status == THAW_OK || deadline < *wake_ms)
		*wake_ms = status == THAW_OK ? 0 : deadline;
	return true;
}

static bool serve(int listener)
{
	struct pollfd polls[CLIENTS + 1] = {{.fd = -1, .events = POLLIN}}; /* the first is the listener */
	struct client *place = NULL;
	uint64_t wake_ms = now_ms() + 60000;

	for (int i = 0; i < CLIENTS; i++) {
		polls[i + 1].fd = -1;
		if (clients[i].ssl == NULL || !step(&clients[i], &polls[i + 1], &wake_ms))
			place = &clients[i];
	}
	if (place != NULL)
		polls[0].fd = listener;
	uint64_t now = now_ms();
	if (poll(polls, CLIENTS + 1, wake_ms > now ? (int)(wake_ms - now) : 0) < 0)
		return errno == EINTR;
	if (polls[0].revents != 0)
		take(place, listener);
	return true;
}

/* (1) Once: the trusted CAs, the storage for bodies, the ClientHello callback. Session tickets are bound to the trust.
 */
static bool set_up(char **argv)
{
	const struct thaw_quota_limits limits = {
		.size = sizeof(limits), .memory = 64 << 20, .disk = 1 << 30, .workers = 1};
	struct thaw_error err;
	thaw_quota *quota;

	if (thaw_trust_load(argv[4], NULL, &trust, &err) != THAW_OK ||
	    thaw_quota_new(&limits, &quota, &err) != THAW_OK ||
	    thaw_store_new(quota, 0, "/var/tmp", &store, &err) != THAW_OK) {
		fprintf(stderr, "embed: %s\n", err.text);
		return false;
	}
	tls = SSL_CTX_new(TLS_server_method());
	if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, argv[3], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_set_session_id_context(tls, thaw_trust_id(trust), THAW_TRUST_ID_LEN) != 1) {
		ERR_print_errors_fp(stderr);
		return false;
	}
	SSL_CTX_set_client_hello_cb(tls, thaw_ctx_client_hello, NULL);
	(void)SSL_CTX_set_session_ticket_cb(tls, thaw_ctx_ticket_made, thaw_ctx_ticket_opened, NULL);
	return true;
}

/* Accepted sockets inherit the sizes. */
static bool set_buffers(int listener, const char *bytes)
{
	int size = (int)strtol(bytes, NULL, 10);

	return setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0 &&
	       setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	if (argc < 5 || argc > 6 || !set_up(argv)) {
		fprintf(stderr, "usage: embed PORT server.pem server.key clients-ca.pem [BYTES]\n");
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	if ((argc == 6 && !set_buffers(listener, argv[5])) ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
		perror("embed");
		return EX_OSERR;
	}
	printf("ready %u\n", ntohs(address.sin_port));
	fflush(stdout);
	while (serve(listener))
		;
	return EX_OSERR;
}
