/*
 * Clients that write their whole request before they read anything, as fast as they can.
 *
 *	writefirst MODE PORT PKI TLS PATH BYTES RECORD COUNT SOURCE
 *
 * MODE finish: one connection; when all is written, it reads, gives its certificate when asked, and prints the SHA-256
 * of what it sent, an empty line, and the response. MODE withhold: COUNT connections that write all and never read, so
 * that they never answer; prints "ready SENT BROKEN" and waits for the end of the standard input. MODE idle: the same
 * without a request.
 * TLS: 1.2 or 1.3. RECORD: bytes of body in each TLS record (1 to 16384). SOURCE: the first client address, an IPv4
 * one of the loopback network; each further connection has the next, or the first again after as many as stand behind a
 * "/"; "-": 127.0.0.1 for all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#define BLOCK 1048576 /* of body; each begins with its number */
#define BATCH 262144  /* of TLS records for one write */
#define NAMES 4096

struct plan {
	const char *mode, *pki, *path, *source;
	int port, version;
	uint64_t bytes;
	size_t record;
	unsigned count, addresses;
};

struct client {
	SSL *ssl;
	int fd;
};

static void die(const char *what)
{
	fprintf(stderr, "writefirst: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static SSL_CTX *context(const struct plan *plan)
{
	char name[NAMES];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, plan->version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, plan->version) != 1)
		die("TLS version");
	snprintf(name, sizeof(name), "%s/ca.pem", plan->pki);
	if (SSL_CTX_load_verify_locations(ctx, name, NULL) != 1)
		die(name);
	snprintf(name, sizeof(name), "%s/client.pem", plan->pki);
	if (SSL_CTX_use_certificate_file(ctx, name, SSL_FILETYPE_PEM) != 1)
		die(name);
	snprintf(name, sizeof(name), "%s/client.key", plan->pki);
	if (SSL_CTX_use_PrivateKey_file(ctx, name, SSL_FILETYPE_PEM) != 1)
		die(name);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_post_handshake_auth(ctx, 1);
	return ctx;
}

static int connected(const struct plan *plan, unsigned index)
{
	struct sockaddr_in here = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (strcmp(plan->source, "-") != 0) {
		here.sin_addr.s_addr = htonl(ntohl(inet_addr(plan->source)) + index % plan->addresses);
		if (bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0)
			die("bind");
	}
	there.sin_port = htons((uint16_t)plan->port);
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0)
		die("connect");
	return fd;
}

static struct client begin(const struct plan *plan, SSL_CTX *ctx, unsigned index)
{
	struct client client = {SSL_new(ctx), connected(plan, index)};

	if (client.ssl == NULL || SSL_set_fd(client.ssl, client.fd) != 1 ||
	    SSL_set_tlsext_host_name(client.ssl, "localhost") != 1 || SSL_set1_host(client.ssl, "localhost") != 1 ||
	    SSL_connect(client.ssl) != 1)
		die("handshake");
	return client;
}

/* What lies in the memory BIO goes to the socket. False: the server ended the connection. */
static int flush(struct client *client, BIO *memory)
{
	char *at;
	long left = BIO_get_mem_data(memory, &at);

	while (left > 0) {
		ssize_t n = write(client->fd, at, (size_t)left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		at += n;
		left -= n;
	}
	(void)BIO_reset(memory);
	return 1;
}

static void fill(unsigned char *block, uint64_t number)
{
	static uint64_t seed = 88172645463325252U;

	if (number == 0) {
		for (size_t i = 0; i < BLOCK; i += sizeof(seed)) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			memcpy(block + i, &seed, sizeof(seed));
		}
	}
	memcpy(block, &number, sizeof(number));
}

/* Into the memory BIO in records of the plan's size, and on in batches. */
static int put(const struct plan *plan, struct client *client, BIO *memory, const void *data, size_t len)
{
	const unsigned char *at = data;

	while (len > 0) {
		int part = (int)(len < plan->record ? len : plan->record);
		if (SSL_write(client->ssl, at, part) != part)
			die("SSL_write");
		at += part;
		len -= (size_t)part;
		if (BIO_pending(memory) >= BATCH && !flush(client, memory))
			return 0;
	}
	return 1;
}

/* The whole request; its body's digest goes to md unless that is NULL. False: the server ended the connection. */
static int send_request(const struct plan *plan, struct client *client, EVP_MD_CTX *md)
{
	static unsigned char block[BLOCK];
	char head[NAMES];
	BIO *memory = BIO_new(BIO_s_mem());
	int len = snprintf(head, sizeof(head),
			   "PUT %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\nContent-Length: %llu\r\n\r\n",
			   plan->path, plan->port, (unsigned long long)plan->bytes);

	if (memory == NULL || BIO_up_ref(SSL_get_wbio(client->ssl)) != 1)
		die("BIO");
	BIO *socket_bio = SSL_get_wbio(client->ssl);
	SSL_set0_wbio(client->ssl, memory);
	int fine = SSL_write(client->ssl, head, len) == len;
	for (uint64_t sent = 0, number = 0; fine && sent < plan->bytes; number++) {
		size_t part = plan->bytes - sent < BLOCK ? (size_t)(plan->bytes - sent) : BLOCK;
		fill(block, number);
		if (md != NULL && EVP_DigestUpdate(md, block, part) != 1)
			die("digest");
		fine = put(plan, client, memory, block, part);
		sent += part;
	}
	fine = fine && flush(client, memory);
	SSL_set0_wbio(client->ssl, socket_bio);
	return fine;
}

static int finish(const struct plan *plan, SSL_CTX *ctx)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char answer[16384];
	unsigned len = 0;
	int n;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct client client = begin(plan, ctx, 0);

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		die("digest");
	int whole = send_request(plan, &client, md);
	EVP_DigestFinal_ex(md, digest, &len);
	for (unsigned i = 0; i < len; i++)
		printf("%02x", digest[i]);
	printf(" %s\n\n", whole ? "whole" : "broken");
	fflush(stdout);
	while ((n = SSL_read(client.ssl, answer, sizeof(answer))) > 0)
		fwrite(answer, 1, (size_t)n, stdout);
	SSL_free(client.ssl);
	close(client.fd);
	EVP_MD_CTX_free(md);
	return 0;
}

static int withhold(const struct plan *plan, SSL_CTX *ctx)
{
	struct client *clients = calloc(plan->count, sizeof(*clients));
	unsigned sent = 0, broken = 0;
	char byte;

	if (clients == NULL)
		die("calloc");
	for (unsigned i = 0; i < plan->count; i++) {
		clients[i] = begin(plan, ctx, i);
		if (strcmp(plan->mode, "idle") == 0 || send_request(plan, &clients[i], NULL))
			sent++;
		else
			broken++;
	}
	printf("ready %u %u\n", sent, broken);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (unsigned i = 0; i < plan->count; i++) {
		SSL_free(clients[i].ssl);
		close(clients[i].fd);
	}
	free(clients);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc != 10) {
		fprintf(stderr, "usage: writefirst MODE PORT PKI TLS PATH BYTES RECORD COUNT SOURCE\n");
		return 64;
	}
	struct plan plan = {.mode = argv[1], .port = atoi(argv[2]), .pki = argv[3], .path = argv[5], .source = argv[9]};
	plan.version = strcmp(argv[4], "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	plan.bytes = strtoull(argv[6], NULL, 10);
	plan.record = (size_t)strtoull(argv[7], NULL, 10);
	plan.count = (unsigned)strtoull(argv[8], NULL, 10);
	char *addresses = strchr(argv[9], '/');
	plan.addresses = addresses != NULL ? (unsigned)strtoull(addresses + 1, NULL, 10) : plan.count;
	if (addresses != NULL)
		*addresses = '\0';
	if (plan.addresses == 0 || plan.record == 0 || plan.record > 16384 || plan.count == 0)
		return 64;
	SSL_CTX *ctx = context(&plan);
	int code = strcmp(plan.mode, "finish") == 0 ? finish(&plan, ctx) : withhold(&plan, ctx);
	SSL_CTX_free(ctx);
	return code;
}
