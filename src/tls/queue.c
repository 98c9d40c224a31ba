#include "tls/queue.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>

/* A command that OpenSSL does not publish. It asks whether the kernel can encrypt what is written. */
#define CTRL_SET_KTLS_SEND 72

struct hold {
	const SSL *ssl; /* the SSL that owns this BIO, and outlives it */
	enum tls_queue_what what;
	struct buffer held;
	bool all;     /* take the current write as a whole, whatever its type */
	size_t taken; /* bytes of the application in a record that OpenSSL has written, and the transport has not taken
		       */
	bool unflushed; /* to flush the BIO below, which may keep bytes, such as BIO_f_buffer() */
	bool broken;
};

/* The bytes may be a handshake message that contains names. */
void tls_queue_wipe(struct buffer *held)
{
	if (held->bytes != NULL)
		OPENSSL_cleanse(held->bytes, held->room);
	buffer_free(held);
}

bool tls_queue_write(struct buffer *held, BIO *next, uint64_t *put)
{
	while (buffer_left(held) > 0) {
		int len = BIO_write(next, buffer_first(held), (int)buffer_left(held));
		if (len <= 0)
			return BIO_should_retry(next) != 0;
		*put += (uint64_t)len;
		buffer_consume(held, (size_t)len);
	}
	tls_queue_wipe(held);
	return true;
}

static bool flush(struct hold *hold, BIO *next)
{
	uint64_t put = 0;

	hold->broken = hold->broken || !tls_queue_write(&hold->held, next, &put);
	if (hold->unflushed && !hold->broken && buffer_left(&hold->held) == 0)
		hold->unflushed = BIO_flush(next) <= 0 && BIO_should_retry(next) != 0;
	return !hold->broken;
}

static bool keep(struct hold *hold, const char *data, size_t len)
{
	bool kept = buffer_append(&hold->held, TLS_QUEUE_MAX, data, len);

	hold->held.failed = false; /* OpenSSL repeats the write */
	return kept;
}

/* Returns whether the filter takes the current write as a whole. */
static bool takes_all(const struct hold *hold)
{
	return hold->all || hold->what == TLS_QUEUE_RECORDS ||
	       (SSL_is_server(hold->ssl) == 1 && SSL_in_init(hold->ssl) == 1);
}

static int filter_write(BIO *bio, const char *data, int len)
{
	struct hold *hold = BIO_get_data(bio);
	BIO *next = BIO_next(bio);
	int put = 0;

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	if (!flush(hold, next))
		return -1;
	if (buffer_left(&hold->held) == 0) {
		put = BIO_write(next, data, len);
		if (put <= 0 && !BIO_should_retry(next))
			return put;
		put = put > 0 ? put : 0;
	}
	if (put < len && takes_all(hold) && keep(hold, data + put, (size_t)(len - put)))
		return len;
	if (put == 0)
		BIO_set_retry_write(bio);
	return put > 0 ? put : -1;
}

/* Some programs read from a memory BIO through the BIO of the SSL. */
static int filter_read(BIO *bio, char *data, int room)
{
	BIO_clear_retry_flags(bio);
	int got = BIO_read(BIO_next(bio), data, room);
	BIO_copy_next_retry(bio);
	return got;
}

static long filter_ctrl(BIO *bio, int command, long number, void *pointer)
{
	struct hold *hold = BIO_get_data(bio);
	BIO *next = BIO_next(bio);

	if (next == NULL)
		return 0;
	switch (command) {
	case BIO_CTRL_FLUSH: /* success at once, because OpenSSL reads nothing before; each write flushes again */
		hold->unflushed = (BIO_flush(next) <= 0 && BIO_should_retry(next) != 0) || buffer_left(&hold->held) > 0;
		return 1;
	case BIO_CTRL_WPENDING:
		return (long)buffer_left(&hold->held) + BIO_wpending(next);
	case CTRL_SET_KTLS_SEND:     /* the kernel would encrypt the queued records again */
	case BIO_CTRL_GET_KTLS_SEND: /* so it is never on; each SSL_write() asks several times */
	case BIO_CTRL_DUP:
		return 0;
	default:
		return BIO_ctrl(next, command, number, pointer);
	}
}

static int filter_destroy(BIO *bio)
{
	struct hold *hold = BIO_get_data(bio);

	if (hold != NULL)
		tls_queue_wipe(&hold->held);
	free(hold);
	BIO_set_data(bio, NULL);
	BIO_set_init(bio, 0);
	return 1;
}

static struct tls_method method = {.kind = BIO_TYPE_FILTER,
				   .name = "thaw hold",
				   .write = filter_write,
				   .read = filter_read,
				   .ctrl = filter_ctrl,
				   .destroy = filter_destroy};

bool tls_queue(struct ssl_st *ssl, enum tls_queue_what what)
{
	BIO *next = SSL_get_wbio(ssl);

	if (next == NULL || tls_method_find(&method, next) != NULL)
		return true;
	struct hold *hold = calloc(1, sizeof(*hold));
	BIO *bio = hold != NULL ? tls_method_bio(&method, hold) : NULL;
	if (bio == NULL || BIO_up_ref(next) != 1) {
		BIO_free(bio);
		free(bio != NULL ? NULL : hold);
		return false;
	}
	*hold = (struct hold){.ssl = ssl, .what = what};
	(void)BIO_push(bio, next);
	SSL_set0_wbio(ssl, bio); /* frees one reference to next, which the chain now owns */
	return true;
}

static BIO *hold_of(const struct ssl_st *ssl)
{
	return tls_method_find(&method, SSL_get_wbio(ssl));
}

int tls_queue_write_record(struct ssl_st *ssl, const void *data, size_t room, size_t *len)
{
	BIO *bio = hold_of(ssl);
	struct hold *hold = bio != NULL ? BIO_get_data(bio) : NULL;
	int result = 1;

	if (hold == NULL)
		return SSL_write_ex(ssl, data, room, len);
	*len = 0;
	if (hold->taken == 0) {
		hold->all = true;
		result = SSL_write_ex(ssl, data, room, &hold->taken);
		hold->all = false;
	}
	if (flush(hold, BIO_next(bio)) && buffer_left(&hold->held) > 0)
		return result;
	*len = hold->taken;
	hold->taken = 0;
	return result;
}

bool tls_queue_has_record(const struct ssl_st *ssl)
{
	const BIO *bio = hold_of(ssl);

	return bio != NULL && ((const struct hold *)BIO_get_data((BIO *)bio))->taken > 0;
}

size_t tls_queued(const struct ssl_st *ssl)
{
	BIO *bio = hold_of(ssl);
	const struct hold *hold = bio != NULL ? BIO_get_data(bio) : NULL;

	return hold != NULL && !hold->broken ? buffer_left(&hold->held) : 0;
}

bool tls_queue_unsent(const struct ssl_st *ssl)
{
	BIO *bio = hold_of(ssl);
	const struct hold *hold = bio != NULL ? BIO_get_data(bio) : NULL;

	return hold != NULL && !hold->broken && (hold->unflushed || buffer_left(&hold->held) > 0);
}

void tls_queue_flush(const struct ssl_st *ssl)
{
	BIO *bio = hold_of(ssl);

	if (bio != NULL)
		(void)flush(BIO_get_data(bio), BIO_next(bio));
}
