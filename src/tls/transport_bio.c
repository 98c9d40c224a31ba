/*
 * OpenSSL reads a record in two steps: five bytes of header, then the rest. So small reads are served from a buffer,
 * which one large read of the transport fills. The buffer is released when it is empty, so that a waiting connection
 * has none. Two spare buffers are kept for the process.
 *
 * The allowance of a step (tls_transport_step()) is counted in bytes and records. Without read-ahead OpenSSL reads the
 * five bytes of each record's header separately: such a read begins a record.
 */
#include "tls/transport_bio.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "tls/method.h"

struct buffer {
	unsigned char bytes[TLS_READ_BUFFER_SIZE];
};

/* The state of the transport. */
enum end {
	OPEN,
	ENDED, /* the peer has half-closed; writing is still possible */
	BROKEN,
};

struct endpoint {
	struct transport transport;
	struct buffer *buffer; /* the read buffer; NULL while empty */
	size_t at, len;        /* the buffered bytes: at to len */
	bool empty;            /* the last read emptied the transport */
	enum end end;
	struct {
		bool limited, spent;
		size_t bytes, records; /* the rest of the step's allowance */
	} step;
};

#define SPARES 2
static _Atomic(struct buffer *) spares[SPARES];

static struct buffer *buffer_take(void)
{
	for (size_t i = 0; i < SPARES; i++) {
		struct buffer *buffer = atomic_exchange(&spares[i], NULL);
		if (buffer != NULL)
			return buffer;
	}
	return malloc(sizeof(struct buffer));
}

static void buffer_give(struct buffer *buffer)
{
	for (size_t i = 0; i < SPARES; i++) {
		struct buffer *none = NULL;
		if (atomic_compare_exchange_strong(&spares[i], &none, buffer))
			return;
	}
	free(buffer);
}

static void drop_buffer(struct endpoint *endpoint)
{
	if (endpoint->buffer != NULL)
		buffer_give(endpoint->buffer);
	endpoint->buffer = NULL;
	endpoint->at = endpoint->len = 0;
}

/* Converts the transport's result for OpenSSL: the number of bytes, 0 for the end (BIO_eof() is true then), -1 with or
 * without a retry flag. */
static int answer(BIO *bio, struct endpoint *endpoint, ssize_t got, int retry)
{
	if (got > 0)
		return (int)got;
	if (got == TRANSPORT_BLOCKED) {
		BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
		return -1;
	}
	if (got == TRANSPORT_END) {
		endpoint->end = ENDED;
		return 0;
	}
	endpoint->end = BROKEN;
	if (errno == 0)
		errno = ECONNRESET; /* tls_failure() checks errno, which a transport in memory does not set */
	return -1;
}

/* Whether the step's allowance permits a read. */
static bool may_read(struct endpoint *endpoint, int room)
{
	bool begins = room == SSL3_RT_HEADER_LENGTH;

	if (!endpoint->step.limited || endpoint->end != OPEN)
		return true;
	endpoint->step.spent =
		endpoint->step.spent || endpoint->step.bytes == 0 || (begins && endpoint->step.records == 0);
	if (!endpoint->step.spent && begins)
		endpoint->step.records--;
	return !endpoint->step.spent;
}

static int count(struct endpoint *endpoint, int got)
{
	if (got > 0 && endpoint->step.limited)
		endpoint->step.bytes -= (size_t)got < endpoint->step.bytes ? (size_t)got : endpoint->step.bytes;
	return got;
}

static int take_buffered(struct endpoint *endpoint, void *data, size_t room)
{
	size_t len = endpoint->len - endpoint->at < room ? endpoint->len - endpoint->at : room;

	memcpy(data, endpoint->buffer->bytes + endpoint->at, len);
	endpoint->at += len;
	if (endpoint->at == endpoint->len)
		drop_buffer(endpoint);
	return (int)len;
}

static ssize_t read_transport(struct endpoint *endpoint, void *data, size_t room)
{
	ssize_t got = endpoint->transport.ops->read(endpoint->transport.io, data, room);

	endpoint->empty = got == TRANSPORT_BLOCKED || (got > 0 && (size_t)got < room);
	return got;
}

static int read_more(BIO *bio, struct endpoint *endpoint, char *data, int room)
{
	if (endpoint->buffer != NULL)
		return take_buffered(endpoint, data, (size_t)room);
	errno = 0;
	if (endpoint->end != OPEN)
		return answer(bio, endpoint, endpoint->end == ENDED ? TRANSPORT_END : TRANSPORT_BROKEN, 0);
	if (room < TLS_DIRECT_MIN)
		endpoint->buffer = buffer_take();
	/* If memory runs out, it works without a buffer, in small reads. */
	if (endpoint->buffer == NULL)
		return answer(bio, endpoint, read_transport(endpoint, data, (size_t)room), BIO_FLAGS_READ);
	ssize_t got = read_transport(endpoint, endpoint->buffer->bytes, TLS_READ_BUFFER_SIZE);
	if (got <= 0) {
		int cause = errno;
		drop_buffer(endpoint);
		errno = cause;
		return answer(bio, endpoint, got, BIO_FLAGS_READ);
	}
	endpoint->len = (size_t)got;
	return take_buffered(endpoint, data, (size_t)room);
}

static int bio_read(BIO *bio, char *data, int room)
{
	struct endpoint *endpoint = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (room <= 0)
		return 0;
	if (!may_read(endpoint, room))
		return answer(bio, endpoint, TRANSPORT_BLOCKED, BIO_FLAGS_READ);
	return count(endpoint, read_more(bio, endpoint, data, room));
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct endpoint *endpoint = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	errno = 0;
	if (endpoint->end == BROKEN)
		return answer(bio, endpoint, TRANSPORT_BROKEN, 0);
	ssize_t put = endpoint->transport.ops->write(endpoint->transport.io, data, (size_t)len);
	return answer(bio, endpoint, put, BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct endpoint *endpoint = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return endpoint->buffer == NULL && endpoint->end == ENDED;
	case BIO_CTRL_PENDING:
		return (long)(endpoint->len - endpoint->at);
	default:
		return 0;
	}
}

static int bio_destroy(BIO *bio)
{
	struct endpoint *endpoint = BIO_get_data(bio);

	if (endpoint != NULL) {
		drop_buffer(endpoint);
		free(endpoint);
	}
	BIO_set_data(bio, NULL);
	BIO_set_init(bio, 0);
	return 1;
}

static struct tls_method method = {.kind = BIO_TYPE_SOURCE_SINK,
				   .name = "thaw transport",
				   .write = bio_write,
				   .read = bio_read,
				   .ctrl = bio_ctrl,
				   .destroy = bio_destroy};

bool tls_use_transport(struct ssl_st *ssl, struct transport transport)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	BIO *bio = endpoint != NULL ? tls_method_bio(&method, endpoint) : NULL;

	if (bio == NULL) {
		free(endpoint);
		return false;
	}
	endpoint->transport = transport;
	SSL_set_bio(ssl, bio, bio);
	return true;
}

/* NULL: the SSL has another BIO. */
static struct endpoint *endpoint_of(const struct ssl_st *ssl)
{
	BIO *bio = tls_method_find(&method, SSL_get_rbio(ssl));

	return bio != NULL ? BIO_get_data(bio) : NULL;
}

void tls_transport_step(const struct ssl_st *ssl, bool quiet)
{
	struct endpoint *endpoint = endpoint_of(ssl);

	if (endpoint != NULL) {
		endpoint->empty = endpoint->empty && quiet;
		endpoint->step.limited = true;
		endpoint->step.spent = false;
		endpoint->step.bytes = TLS_STEP_BYTES;
		endpoint->step.records = TLS_STEP_RECORDS;
	}
}

bool tls_transport_empty(const struct ssl_st *ssl)
{
	const struct endpoint *endpoint = endpoint_of(ssl);

	return endpoint != NULL && endpoint->empty && endpoint->buffer == NULL && endpoint->end == OPEN;
}

bool tls_transport_spent(const struct ssl_st *ssl)
{
	const struct endpoint *endpoint = endpoint_of(ssl);

	return endpoint != NULL && endpoint->step.spent && endpoint->end == OPEN;
}
