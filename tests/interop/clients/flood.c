/*
 * Peers that send TLS records which cost more than they bring, as fast as they are taken.
 *
 *	flood client KIND PORT PKI COUNT [TARGET]
 *	flood server KIND PKI
 *
 * client: against a gateway; with TARGET after a GET of it, and with a certificate if it is asked for one. server: an
 * upstream's server, which prints its port and answers one request on each connection.
 *
 * KIND: keyupdate (TLS 1.3), clienthello, hellorequest (TLS 1.2), onebyte (a request whose body comes a byte a record),
 * warnings, ccs, empty (TLS 1.3: records with no application data in them). A flood is of COUNT records, or until the
 * other side ends the connection; a server's has no end. Prints "sent RECORDS ended", or "sent RECORDS open", with
 * onebyte the status of the response in place of "open".
 */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "records.h"

#define BATCH 16384 /* bytes of records for one write */

static void die(const char *what)
{
	perror(what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static SSL_CTX *context(bool is_server, const char *kind, const char *pki)
{
	bool is_12 = strstr(kind, "hello") != NULL;
	int version = is_12 ? TLS1_2_VERSION : TLS1_3_VERSION;
	SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	char certificate[4096], key[4096];

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, version) != 1)
		die("TLS version");
	records_prepare(ctx);
	snprintf(certificate, sizeof(certificate), "%s/%s.pem", pki, is_server ? "server" : "client");
	snprintf(key, sizeof(key), "%s/%s.key", pki, is_server ? "server" : "client");
	if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_set_num_tickets(ctx, 0) != 1)
		die("certificate");
	SSL_CTX_set_post_handshake_auth(ctx, !is_server);
	return ctx;
}

/* The next record of the flood; its length. */
static size_t next(const char *kind, struct records *records, uint64_t number, unsigned char *out)
{
	static const unsigned char warning[] = {1, 90}, hello_request[4], ccs[] = {RECORD_CCS, 3, 3, 0, 1, 1};
	unsigned char message[64];

	if (strcmp(kind, "keyupdate") == 0)
		return records_key_update(records, out);
	if (strcmp(kind, "clienthello") == 0)
		return records_seal(records, RECORD_HANDSHAKE, message, records_client_hello(message), out);
	if (strcmp(kind, "empty") == 0)
		return records_seal(records, RECORD_DATA, "", 0, out);
	if (strcmp(kind, "hellorequest") == 0)
		return records_seal(records, RECORD_HANDSHAKE, hello_request, sizeof(hello_request), out);
	if (strcmp(kind, "warnings") == 0 && number % 4 != 3)
		return records_seal(records, RECORD_ALERT, warning, sizeof(warning), out);
	if (strcmp(kind, "ccs") == 0 && number % 16 != 15) {
		memcpy(out, ccs, sizeof(ccs));
		return sizeof(ccs);
	}
	return records_seal(records, RECORD_DATA, "x", 1, out);
}

/* False: the connection has ended. */
static bool send_all(int fd, const unsigned char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put = send(fd, bytes, len, MSG_NOSIGNAL);
		if (put <= 0)
			return false;
		bytes += put;
		len -= (size_t)put;
	}
	return true;
}

/* *sent: how many records. False: the connection has ended. */
static bool flood(const char *kind, int fd, struct records *records, uint64_t count, uint64_t *sent)
{
	unsigned char batch[BATCH + 128];
	size_t len = 0;

	for (*sent = 0; *sent < count;) {
		len += next(kind, records, *sent, batch + len);
		++*sent;
		if (len < BATCH && *sent < count)
			continue;
		if (!send_all(fd, batch, len))
			return false;
		len = 0;
	}
	return true;
}

static SSL *shake_hands(SSL_CTX *ctx, int fd, bool is_server)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, "localhost") != 1 ||
	    (is_server ? SSL_accept(ssl) : SSL_connect(ssl)) != 1)
		die("handshake");
	return ssl;
}

/* The records in what is written to the transport. Message callbacks are no measure: 3.5 calls them twice for a record.
 */
struct wire {
	uint64_t records;
	size_t at, left; /* in the record's header; of its content */
	unsigned char header[5];
};

static long count_records(BIO *bio, int operation, const char *data, size_t len, int argi, long argl, int result,
			  size_t *written)
{
	struct wire *wire = (struct wire *)(void *)BIO_get_callback_arg(bio);

	(void)len;
	(void)argi;
	(void)argl;
	if (operation != (BIO_CB_WRITE | BIO_CB_RETURN) || result <= 0)
		return result;
	for (size_t i = 0; i < *written; i++) {
		if (wire->left > 0) {
			wire->left--;
			continue;
		}
		wire->header[wire->at++] = (unsigned char)data[i];
		if (wire->at == sizeof(wire->header)) {
			wire->left = (size_t)wire->header[3] << 8 | wire->header[4];
			wire->at = 0;
			wire->records++;
		}
	}
	return result;
}

/* A whole exchange, until the response has ended: it has a body, which is JSON. How many records were written. */
static uint64_t get(SSL *ssl, const char *target)
{
	char text[4096];
	struct wire wire = {0};
	BIO *bio = SSL_get_wbio(ssl);
	int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);

	BIO_set_callback_ex(bio, count_records);
	BIO_set_callback_arg(bio, (char *)&wire);
	if (SSL_write(ssl, text, len) != len)
		die("request");
	do {
		len = SSL_read(ssl, text, sizeof(text));
		if (len <= 0)
			die("response");
	} while (text[len - 1] != '}');
	BIO_set_callback_ex(bio, NULL);
	return wire.records;
}

static void be_client(const char *kind, int port, const char *pki, uint64_t count, const char *target)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct records records = {0};
	unsigned char record[1024];
	char head[256], answer[16] = "";
	uint64_t sent = 0;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	SSL *ssl = shake_hands(context(false, kind, pki), fd, false);
	unsigned char before[32], after[32];
	(void)SSL_get_client_random(ssl, before, sizeof(before));
	uint64_t written = target != NULL ? get(ssl, target) : 0;
	(void)SSL_get_client_random(ssl, after, sizeof(after));
	records_begin(&records, ssl);
	if (memcmp(before, after, sizeof(before)) == 0) /* a renegotiation begins with new keys */
		records.seq += written;
	int len = snprintf(head, sizeof(head), "PUT /?%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %llu\r\n\r\n",
			   kind, (unsigned long long)count);
	bool open = strcmp(kind, "onebyte") != 0 ||
		    send_all(fd, record, records_seal(&records, RECORD_DATA, head, (size_t)len, record));
	open = open && flood(kind, fd, &records, count, &sent);
	if (!open || strcmp(kind, "onebyte") != 0)
		printf("sent %llu %s\n", (unsigned long long)sent, open ? "open" : "ended");
	else if (SSL_read(ssl, answer, sizeof(answer) - 1) > 12)
		printf("sent %llu %.3s\n", (unsigned long long)sent, answer + 9);
	else
		printf("sent %llu ended\n", (unsigned long long)sent);
}

static void be_server(const char *kind, const char *pki)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t size = sizeof(here);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	SSL_CTX *ctx = context(true, kind, pki);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || bind(listener, (struct sockaddr *)&here, size) != 0 || listen(listener, 16) != 0 ||
	    getsockname(listener, (struct sockaddr *)&here, &size) != 0)
		die("listen");
	printf("%u\n", ntohs(here.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		struct records records = {0};
		char request[4096];
		uint64_t sent = 0;
		if (fd < 0)
			die("accept");
		SSL *ssl = shake_hands(ctx, fd, true);
		records_begin(&records, ssl);
		if (SSL_read(ssl, request, sizeof(request)) > 0) {
			bool open = flood(kind, fd, &records, UINT64_MAX, &sent);
			printf("sent %llu %s\n", (unsigned long long)sent, open ? "open" : "ended");
			fflush(stdout);
		}
		SSL_free(ssl);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if ((argc == 6 || argc == 7) && strcmp(argv[1], "client") == 0)
		be_client(argv[2], atoi(argv[3]), argv[4], strtoull(argv[5], NULL, 10), argc == 7 ? argv[6] : NULL);
	else if (argc == 4 && strcmp(argv[1], "server") == 0)
		be_server(argv[2], argv[3]);
	else
		die("usage: flood client KIND PORT PKI COUNT [TARGET] | flood server KIND PKI");
	return 0;
}
