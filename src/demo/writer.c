#include "demo/writer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/socket.h"
#include "tls/credentials.h"

#define PIECE        65536
#define RESPONSE_MAX 16384

struct writer {
	int fd;
	struct tls_credentials *credentials;
	struct tls_client_context *context;
	struct tls_client *client;
	struct thaw_error err;
};

/* Blocks, like a simple client. False: the call failed. */
static bool wait_for(const struct writer *writer, enum thaw_status status)
{
	struct pollfd fd = {.fd = writer->fd, .events = status == THAW_WANT_WRITE ? POLLOUT : POLLIN};

	return (status == THAW_WANT_READ || status == THAW_WANT_WRITE) && poll(&fd, 1, -1) > 0;
}

static bool write_all(struct writer *writer, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t put = 0;
		enum thaw_status status = tls_client_write(writer->client, bytes, len, &put, &writer->err);
		if (status != THAW_OK && !wait_for(writer, status))
			return false;
		bytes += put;
		len -= put;
	}
	return true;
}

static bool send_request(struct writer *writer, const struct writer_options *options)
{
	static char piece[PIECE];
	struct stat info;
	ssize_t got = 0;
	int file = open(options->file, O_RDONLY | O_CLOEXEC);

	if (file < 0 || fstat(file, &info) != 0)
		return false;
	int len = snprintf(
		piece, sizeof(piece),
		"PUT /late HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: %lld\r\nConnection: close\r\n\r\n",
		options->port, (long long)info.st_size);
	bool ok = write_all(writer, piece, (size_t)len);
	while (ok && (got = read(file, piece, sizeof(piece))) > 0)
		ok = write_all(writer, piece, (size_t)got);
	(void)close(file);
	return ok && got == 0;
}

static bool print_response(struct writer *writer)
{
	static char response[RESPONSE_MAX + 1];
	size_t len = 0, got = 0;
	enum thaw_status status;
	unsigned code = 0;

	while (len < RESPONSE_MAX) {
		status = tls_client_read(writer->client, response + len, RESPONSE_MAX - len, &got, &writer->err);
		len += got;
		if (status != THAW_OK && !wait_for(writer, status))
			break;
	}
	response[len] = '\0';
	const char *body = strstr(response, "\r\n\r\n");
	if (body == NULL ||
	    sscanf(response, "HTTP/1.1 %3u", &code) != 1) /* NOLINT(cert-err34-c): three digits at most */
		return false;
	return printf("%s\n%u\n", body + 4, code) > 0 && fflush(stdout) == 0;
}

int writer_run(void *arg)
{
	const struct writer_options *options = arg;
	char ca[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX];
	struct writer writer = {.fd = socket_connect("127.0.0.1", options->port, NULL)};
	struct tls_credentials_source source = {.certificate = certificate, .key = key};
	struct tls_client_options tls = {
		.ca = ca,
		.version = options->version,
		.post_handshake = true,
	};
	enum thaw_status status;

	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", options->pki);
	(void)snprintf(certificate, sizeof(certificate), "%s/client.pem", options->pki);
	(void)snprintf(key, sizeof(key), "%s/client.key", options->pki);
	if (writer.fd < 0)
		return EX_OSERR;
	tls.credentials = writer.credentials = tls_credentials_new(&source, &writer.err);
	if (writer.credentials != NULL)
		writer.context = tls_client_context_new(&tls, &writer.err);
	if (writer.context != NULL)
		writer.client =
			tls_client_new(writer.context, "localhost", socket_transport(&writer.fd), NULL, &writer.err);
	if (writer.client == NULL)
		return EX_SOFTWARE;
	while ((status = tls_client_handshake(writer.client, &writer.err)) != THAW_OK)
		if (!wait_for(&writer, status))
			return EX_PROTOCOL;
	bool ok = send_request(&writer, options) && print_response(&writer);
	tls_client_free(&writer.client);
	tls_client_context_free(&writer.context);
	tls_credentials_free(&writer.credentials);
	(void)close(writer.fd);
	return ok ? EX_OK : EX_PROTOCOL;
}
