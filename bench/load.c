/*
 * The load: one process, one connection at a time, over OpenSSL. Reads while it writes, so that it answers a late
 *request for its certificate in the middle of an upload.
 *
 *	load get   PORT COUNT                small GETs, all on one connection
 *	load put   PORT COUNT SIZE           uploads, all on one connection
 *	load fresh PORT COUNT [SIZE PATH]    a connection (a full handshake) for each request
 *	load idle  PORT COUNT                so many connections, a GET on each; "ready"; until standard input ends
 *
 * SNI, CA, CERT, KEY in the environment. Prints how many requests were answered with 200; any other answer ends it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define PIECE  16384
#define ANSWER 16384

struct load {
	SSL_CTX *ctx;
	uint16_t port;
	const char *sni;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(EX_PROTOCOL);
}

static SSL *dial(const struct load *load)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(load->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	SSL *ssl = SSL_new(load->ctx);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, load->sni) != 1 ||
	    SSL_connect(ssl) != 1)
		die("handshake");
	return ssl;
}

static void hang_up(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	(void)close(fd);
}

/* True: the whole answer is here. */
static bool whole(const char *answer, size_t len)
{
	const char *end = memmem(answer, len, "\r\n\r\n", 4);
	const char *length = strcasestr(answer, "\r\ncontent-length:");

	if (end == NULL)
		return false;
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0) {
		(void)fprintf(stderr, "load: %.*s\n", (int)len, answer);
		exit(EX_PROTOCOL);
	}
	return length != NULL && len >= (size_t)(end - answer) + 4 + strtoull(length + 17, NULL, 10);
}

static bool readable(int fd, int wait_ms)
{
	struct pollfd from = {.fd = fd, .events = POLLIN};
	return poll(&from, 1, wait_ms) == 1;
}

/* What has come; false: nothing that is an answer's. Handshake messages are dealt with on the way. */
static bool hear(SSL *ssl, char *answer, size_t *len)
{
	size_t got = 0;
	int n = SSL_read_ex(ssl, answer + *len, ANSWER - 1 - *len, &got);

	if (n != 1 && SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ)
		die("read");
	*len += got;
	answer[*len] = '\0';
	return got > 0;
}

static void request(SSL *ssl, const char *method, const char *path, uint64_t size)
{
	static char body[PIECE];
	char head[512], answer[ANSWER] = "";
	size_t len = 0;
	int head_len = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path,
				SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));

	if (size > 0)
		head_len += snprintf(head + head_len, sizeof(head) - (size_t)head_len, "Content-Length: %llu\r\n",
				     (unsigned long long)size);
	head_len += snprintf(head + head_len, sizeof(head) - (size_t)head_len, "\r\n");
	if (SSL_write(ssl, head, head_len) != head_len)
		die("write");
	for (uint64_t left = size; left > 0;) {
		int piece = left < PIECE ? (int)left : PIECE;
		if (SSL_write(ssl, body, piece) != piece)
			die("write");
		left -= (uint64_t)piece;
		/* A blocking SSL_read would wait for data behind a handshake message: one look each time is enough. */
		if (readable(SSL_get_fd(ssl), 0)) {
			(void)SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
			(void)hear(ssl, answer, &len);
			(void)SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
		}
	}
	while (!whole(answer, len))
		(void)hear(ssl, answer, &len);
}

static void many_on_one(const struct load *load, long count, uint64_t size)
{
	SSL *ssl = dial(load);

	for (long i = 0; i < count; i++)
		request(ssl, size > 0 ? "PUT" : "GET", "/x", size);
	hang_up(ssl);
}

static void fresh(const struct load *load, long count, uint64_t size, const char *path)
{
	for (long i = 0; i < count; i++) {
		SSL *ssl = dial(load);
		request(ssl, size > 0 ? "PUT" : "GET", path, size);
		hang_up(ssl);
	}
}

static void idle(const struct load *load, long count)
{
	struct rlimit files = {.rlim_cur = (rlim_t)count + 64, .rlim_max = (rlim_t)count + 64};
	char unused;

	(void)setrlimit(RLIMIT_NOFILE, &files);
	for (long i = 0; i < count; i++)
		request(dial(load), "GET", "/x", 0);
	(void)puts("ready");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &unused, 1) > 0)
		;
}

static SSL_CTX *settings(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	const char *certificate = getenv("CERT"), *key = getenv("KEY"), *ca = getenv("CA");

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 || ca == NULL ||
	    SSL_CTX_load_verify_file(ctx, ca) != 1)
		die("settings");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_post_handshake_auth(ctx, 1);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (certificate != NULL && (SSL_CTX_use_certificate_file(ctx, certificate, SSL_FILETYPE_PEM) != 1 ||
				    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1))
		die("certificate");
	return ctx;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		(void)fprintf(stderr, "usage: load get|put|fresh|idle PORT COUNT [SIZE [PATH]]\n");
		return EX_USAGE;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	struct load load = {.ctx = settings(), .port = (uint16_t)atoi(argv[2]), .sni = getenv("SNI")};
	long count = atol(argv[3]);
	uint64_t size = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	load.sni = load.sni != NULL ? load.sni : "localhost";
	if (strcmp(argv[1], "idle") == 0)
		idle(&load, count);
	else if (strcmp(argv[1], "fresh") == 0)
		fresh(&load, count, size, argc > 5 ? argv[5] : "/x");
	else
		many_on_one(&load, count, strcmp(argv[1], "put") == 0 ? size : 0);
	(void)printf("%ld\n", count);
	SSL_CTX_free(load.ctx);
	return EX_OK;
}
