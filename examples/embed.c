/*
 * A whole HTTPS server around libthaw: PUT /late gets its client certificate in the middle of the upload. It uses
 *poll(), OpenSSL and <thaw/thaw.h> only, serves one request a connection, and reads a Content-Length body.
 *
 *	embed PORT server.pem server.key clients-ca.pem        prints "ready PORT" when it listens; PORT 0: any
 *
 * What is Thaw's is marked (1) to (6); the rest is what any server has.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <thaw/thaw.h>

#define CLIENTS  64
#define HEAD_MAX 8192

enum state { HANDSHAKE, HEAD, BODY, ANSWER, GOODBYE, DEAD };

struct client {
	int fd;
	SSL *ssl;
	thaw_conn *conn;
	enum state state;
	struct sockaddr_in address;
	char head[HEAD_MAX + 1];
	size_t head_len;
	uint64_t body_left, body_bytes;
	thaw_spool *spool;
	char answer[2048];
	size_t answer_len, answered;
	bool wants_write;
};

static SSL_CTX *ctx;
static thaw_trust *trust;
static thaw_store *store;
static struct client *clients[CLIENTS];

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void answer(struct client *client, const char *status, const char *text)
{
	client->answer_len = (size_t)snprintf(client->answer, sizeof(client->answer),
					      "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
					      status, strlen(text), text);
	thaw_spool_free(&client->spool);
	client->state = ANSWER;
}

/* What comes of the body: counted here; a real server would store it, or pass it on. */
static enum thaw_reason use_spooled(struct client *client)
{
	const void *data;
	size_t len;
	enum thaw_reason reason;

	while ((reason = thaw_spool_peek(client->spool, &data, &len)) == THAW_REASON_NONE && len > 0) {
		client->body_bytes += len;
		thaw_spool_consume(client->spool, len);
	}
	return reason;
}

/* (5) The verdict is there: only now is anything done with the request. True: the response is on its way. */
static bool act(struct client *client)
{
	struct thaw_report report;
	enum thaw_reason reason;
	char text[1024];

	thaw_conn_report(client->conn, &report);
	if (report.verdict != THAW_VERDICT_ACCEPTED) {
		snprintf(text, sizeof(text), "%s: %s %s\n", thaw_verdict_name(report.verdict),
			 thaw_reason_name(report.reason), report.detail);
		answer(client, report.verdict == THAW_VERDICT_OVER_LIMIT ? "413 Content Too Large" : "403 Forbidden",
		       text);
	} else if ((reason = use_spooled(client)) != THAW_REASON_NONE) {
		answer(client, "500 Internal Server Error", thaw_reason_name(reason));
	} else if (client->body_left == 0) {
		snprintf(text, sizeof(text), "%s\n%s %s\n%llu bytes\n", thaw_conn_identity(client->conn)->subject,
			 thaw_means_name(report.means), thaw_moment_name(report.moment),
			 (unsigned long long)client->body_bytes);
		answer(client, "200 OK", text);
	}
	return client->state != BODY;
}

/*
 * (4) One read, straight into the spool's memory, for as long as the verdict is pending: this is what keeps the
 * connection from freezing. Afterwards the same spool is just a buffer, emptied after each read. True: there may be
 * more to do.
 */
static bool read_body(struct client *client)
{
	char behind[1];
	void *where = behind;
	size_t room = sizeof(behind), got = 0;

	if (thaw_verdict(client->conn) != THAW_VERDICT_PENDING && act(client))
		return true;
	if (client->body_left > 0) {
		enum thaw_reason reason = thaw_spool_reserve(client->spool, &where, &room);
		if (reason != THAW_REASON_NONE) {
			thaw_ask_end(client->conn, THAW_VERDICT_OVER_LIMIT, reason, now_ms());
			answer(client, "413 Content Too Large", thaw_reason_name(reason));
			return true;
		}
		room = room < client->body_left ? room : (size_t)client->body_left;
	}
	bool pending = thaw_verdict(client->conn) == THAW_VERDICT_PENDING;
	enum thaw_status status = thaw_read(client->conn, where, room, &got, now_ms());
	if (client->body_left > 0 && got > 0) {
		thaw_spool_commit(client->spool, got);
		client->body_left -= got;
		if (client->body_left == 0)
			thaw_body_ended(client->conn, now_ms());
	}
	if (pending && thaw_verdict(client->conn) != THAW_VERDICT_PENDING)
		return true;
	if (status == THAW_CLOSED || status == THAW_FAILED)
		client->state = DEAD;
	return status == THAW_OK;
}

/* (3) The request is known: ask, if it needs a certificate, and let the body come meanwhile. */
static void begin(struct client *client)
{
	const char *length = strcasestr(client->head, "\r\nContent-Length:");
	size_t head_len = (size_t)(strstr(client->head, "\r\n\r\n") - client->head) + 4,
	       here = client->head_len - head_len;
	struct thaw_ask_options options = {
		.trust = trust,
		.moment = THAW_MOMENT_HEADERS,
		.timeout_ms = 60000,
		.body_idle_ms = 30000,
		.decline_grace_ms = 1000,
	};

	client->body_left = length != NULL ? strtoull(length + 17, NULL, 10) : 0;
	if (strncmp(client->head, "PUT /late ", 10) != 0) {
		answer(client, "404 Not Found", "PUT /late is what there is.\n");
		return;
	}
	client->spool = thaw_spool_new(store, (struct sockaddr *)&client->address, UINT64_C(1) << 30);
	if (client->spool == NULL || here > client->body_left ||
	    thaw_spool_write(client->spool, client->head + head_len, here) != THAW_REASON_NONE) {
		client->state = DEAD;
		return;
	}
	client->body_left -= here;
	options.body_follows = client->body_left > 0;
	client->state = BODY;
	if (thaw_ask(client->conn, &options, now_ms()) != THAW_OK)
		client->state = DEAD; /* misuse, or no memory */
}

static bool read_head(struct client *client)
{
	size_t got = 0;
	enum thaw_status status =
		thaw_read(client->conn, client->head + client->head_len, HEAD_MAX - client->head_len, &got, now_ms());

	if (status == THAW_WANT_READ || status == THAW_WANT_WRITE)
		return false;
	client->head_len += got;
	client->head[client->head_len] = '\0';
	if (status != THAW_OK || (client->head_len == HEAD_MAX && strstr(client->head, "\r\n\r\n") == NULL))
		client->state = DEAD;
	else if (strstr(client->head, "\r\n\r\n") != NULL)
		begin(client);
	return true;
}

static bool handshake(struct client *client)
{
	int n = SSL_accept(client->ssl);

	if (n == 1)
		client->state = HEAD;
	else if (SSL_get_error(client->ssl, n) == SSL_ERROR_WANT_WRITE)
		client->wants_write = true;
	else if (SSL_get_error(client->ssl, n) != SSL_ERROR_WANT_READ)
		client->state = DEAD;
	return n == 1;
}

static bool write_answer(struct client *client)
{
	size_t put = 0;
	int n = SSL_write_ex(client->ssl, client->answer + client->answered, client->answer_len - client->answered,
			     &put);

	if (n != 1) {
		client->wants_write = SSL_get_error(client->ssl, n) == SSL_ERROR_WANT_WRITE;
		if (!client->wants_write)
			client->state = DEAD;
		return false;
	}
	client->answered += put;
	if (client->answered == client->answer_len) {
		SSL_shutdown(client->ssl);
		shutdown(client->fd, SHUT_WR);
		client->state = GOODBYE;
	}
	return true;
}

/* (6) RFC 9112 9.6: what still comes is read and thrown away, or the reset would erase the answer. A real server bounds
 * this. */
static bool say_goodbye(struct client *client)
{
	char unread[16384];
	ssize_t n = recv(client->fd, unread, sizeof(unread), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		client->state = DEAD;
	return n > 0;
}

static void step(struct client *client)
{
	static bool (*const run[])(struct client *) = {handshake, read_head, read_body, write_answer, say_goodbye};

	client->wants_write = false;
	thaw_tick(client->conn, now_ms());
	while (client->state != DEAD && run[client->state](client))
		;
}

static void drop(struct client **slot)
{
	struct client *client = *slot;

	*slot = NULL;
	thaw_spool_free(&client->spool);
	thaw_conn_free(&client->conn);
	SSL_free(client->ssl);
	close(client->fd);
	free(client);
}

/* (2) A thaw_conn for each SSL, before its handshake. */
static void take(int listener)
{
	struct client *client = calloc(1, sizeof(*client)), **slot = clients;
	socklen_t len = sizeof(client->address);

	while (slot < clients + CLIENTS && *slot != NULL)
		slot++;
	if (client == NULL || slot == clients + CLIENTS ||
	    (client->fd = accept(listener, (struct sockaddr *)&client->address, &len)) < 0) {
		free(client);
		return;
	}
	*slot = client;
	client->ssl = SSL_new(ctx);
	if (client->ssl == NULL || SSL_set_fd(client->ssl, client->fd) != 1 ||
	    (client->conn = thaw_conn_new(client->ssl)) == NULL) {
		drop(slot);
		return;
	}
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
	thaw_hold_to_tls12(client->conn, true);
	step(client);
}

static void serve(int listener)
{
	for (;;) {
		struct pollfd polls[CLIENTS + 1] = {{.fd = listener, .events = POLLIN}};
		uint64_t now = now_ms(), next = now + 60000;

		for (int i = 0; i < CLIENTS; i++) {
			struct thaw_wants wants = {.deadline_ms = THAW_NEVER};
			if (clients[i] != NULL && clients[i]->state == DEAD)
				drop(&clients[i]);
			if (clients[i] != NULL)
				thaw_conn_wants(clients[i]->conn, &wants);
			next = wants.deadline_ms < next ? wants.deadline_ms : next;
			polls[i + 1].fd = clients[i] != NULL ? clients[i]->fd : -1;
			polls[i + 1].events = POLLIN;
			if (clients[i] != NULL && (wants.write || clients[i]->wants_write))
				polls[i + 1].events |= POLLOUT;
		}
		if (poll(polls, CLIENTS + 1, next > now ? (int)(next - now) : 0) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < CLIENTS; i++)
			if (clients[i] != NULL)
				step(clients[i]);
		if (polls[0].revents != 0)
			take(listener);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	struct thaw_ledger_limits limits = {.memory = 64 << 20, .disk = UINT64_C(1) << 30, .workers = 1};
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (argc != 5) {
		fprintf(stderr, "usage: embed PORT server.pem server.key clients-ca.pem\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	/* (1) Once: whom to believe, where bodies wait, and the ClientHello callback. */
	thaw_ledger *ledger = thaw_ledger_new(&limits);
	trust = thaw_trust_load(argv[4], NULL, &err);
	store = ledger != NULL ? thaw_store_new(ledger, 0, "/var/tmp", &err) : NULL;
	ctx = SSL_CTX_new(TLS_server_method());
	if (trust == NULL || store == NULL || SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "embed: %s\n", err.text[0] != '\0' ? err.text : "the server's certificate or key");
		return 78;
	}
	SSL_CTX_set_client_hello_cb(ctx, thaw_client_hello, NULL);
	SSL_CTX_set_session_id_context(ctx, thaw_trust_id(trust), 32); /* tickets are bound to the trust */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 16) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
		perror("embed");
		return 71;
	}
	printf("ready %u\n", ntohs(address.sin_port));
	fflush(stdout);
	serve(listener);
	return 71;
}
