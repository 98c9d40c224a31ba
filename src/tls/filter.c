#include "tls/filter.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/socket.h"
#include "tls/failure.h"
#include "tls/queue.h"

struct tls_filter {
	atomic_uint holds; /* the caller's, and the context's */
	struct tls_filter_options options;
	struct tls_observer watch; /* what the context is given: hands on to options.observer */
	const SSL *ssl;            /* NULL: there is none yet, or none any more */
	uint64_t in, out;          /* bytes that passed the transport */
	struct buffer held;        /* up to TLS_FILTER_QUEUE_MAX */
	uint64_t until_ms;         /* for so long it is waited for */
	uint64_t waited_ms;        /* in all */
	uint64_t waited_when_given;
	uint64_t in_when_broken; /* in, at the last write that failed */
	bool broken;             /* one has */
	bool gave_up;
};

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static int ctx_index = -1;

static struct tls_filter *filter_of(const SSL_CTX *ctx)
{
	return SSL_CTX_get_ex_data(ctx, ctx_index);
}

static void drop(struct tls_filter *filter)
{
	if (atomic_fetch_sub(&filter->holds, 1) != 1)
		return;
	tls_queue_wipe(&filter->held);
	free(filter);
}

static void on_ctx_gone(void *parent, void *data, CRYPTO_EX_DATA *ex, int index, long number, void *pointer)
{
	struct tls_filter *filter = data;

	(void)parent;
	(void)ex;
	(void)index;
	(void)number;
	(void)pointer;
	if (filter != NULL) {
		filter->ssl = NULL;
		drop(filter);
	}
}

/* ---- the queue ---- */

/* What of the queue the transport takes now. False: it is broken. */
static bool flush(struct tls_filter *filter, BIO *next)
{
	return tls_queue_write(&filter->held, next, &filter->out);
}

static size_t queued(const struct tls_filter *filter)
{
	return buffer_left(&filter->held);
}

/* Until the queue is out, or something can be read. False: broken, or given up, as when the connection is closed behind
 * its filter's back. */
static bool wait_for_room(struct tls_filter *filter, BIO *next)
{
	while (queued(filter) > 0) {
		filter->gave_up = clock_now_ms() >= filter->until_ms || filter->options.tick == NULL ||
				  !filter->options.tick(filter->options.arg);
		if (filter->gave_up || !flush(filter, next))
			return false;
		/* Its owner may not want to read now, so what can be read is not a reason to queue without end. */
		short reading = queued(filter) <= TLS_FILTER_QUEUE_MAX / 2 ? POLLIN : 0;
		struct pollfd fd = {.fd = filter->options.fd, .events = (short)(POLLOUT | reading)};
		int ready = queued(filter) > 0 ? poll(&fd, 1, TLS_FILTER_TICK_MS) : 0;
		if (ready < 0 && errno != EINTR)
			return false;
		if (ready > 0 && (fd.revents & ~POLLOUT) != 0)
			return true;
	}
	return true;
}

static bool await(struct tls_filter *filter, BIO *next)
{
	uint64_t from_ms = clock_now_ms();
	bool ok = wait_for_room(filter, next);

	filter->waited_ms += clock_now_ms() - from_ms;
	return ok;
}

/* Takes all that still is to go out behind what is in the queue. False: no memory, or above the ceiling. */
static bool hold(struct tls_filter *filter, const char *bytes, size_t len)
{
	if (!buffer_append(&filter->held, TLS_FILTER_QUEUE_MAX, bytes, len))
		return false;
	filter->until_ms = filter->options.wait_ms != 0 ? clock_now_ms() + filter->options.wait_ms : THAW_NEVER;
	return true;
}

/* ---- the filter ---- */

/* Nothing that OpenSSL's user would try again. What the transport said is its owner's to tell, who made it. */
static int fail(const struct tls_filter *filter)
{
	if (filter->gave_up)
		ERR_raise(ERR_LIB_BIO, BIO_R_TRANSFER_TIMEOUT);
	return -1;
}

/* The transport is broken, but something is there to be read. Not again if the owner has read nothing since the last
 * time: then it does not want to. */
static bool may_read_on(struct tls_filter *filter)
{
	bool reads = !filter->broken || filter->in != filter->in_when_broken;

	filter->broken = true;
	filter->in_when_broken = filter->in;
	return reads && queued(filter) == 0 && socket_has_bytes(filter->options.fd);
}

static int filter_write(BIO *bio, const char *bytes, int len)
{
	struct tls_filter *filter = BIO_get_data(bio);
	BIO *next = BIO_next(bio);
	int put = 0;

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	if (!flush(filter, next))
		goto broken;
	if (queued(filter) == 0 && (put = BIO_write(next, bytes, len)) <= 0 && !BIO_should_retry(next))
		goto broken;
	put = put > 0 ? put : 0;
	filter->out += (uint64_t)put;
	if (put == len)
		return len;
	if (!hold(filter, bytes + put, (size_t)(len - put))) {
		ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
		return -1;
	}
	return await(filter, next) ? len : fail(filter);
broken:
	BIO_copy_next_retry(bio);
	if (may_read_on(filter))
		BIO_set_retry_write(bio);
	return -1;
}

static int filter_read(BIO *bio, char *bytes, int room)
{
	struct tls_filter *filter = BIO_get_data(bio);
	BIO *next = BIO_next(bio);

	BIO_clear_retry_flags(bio);
	for (;;) {
		(void)flush(filter, next); /* if it is broken, the read tells */
		int got = BIO_read(next, bytes, room);
		if (got > 0)
			filter->in += (uint64_t)got;
		if (got > 0 || queued(filter) == 0 || !BIO_should_retry(next)) {
			BIO_copy_next_retry(bio);
			return got;
		}
		if (!await(filter, next))
			return fail(filter);
	}
}

static long filter_ctrl(BIO *bio, int command, long number, void *pointer)
{
	BIO *next = BIO_next(bio);

	if (next == NULL || command == BIO_CTRL_DUP)
		return 0;
	if (command != BIO_CTRL_FLUSH)
		return BIO_ctrl(next, command, number, pointer);
	BIO_clear_retry_flags(bio);
	long result = BIO_ctrl(next, command, number, pointer);
	BIO_copy_next_retry(bio);
	return result;
}

/* The filter is the context's. */
static int filter_destroy(BIO *bio)
{
	(void)bio;
	return 1;
}

static struct tls_method method = {.kind = BIO_TYPE_FILTER,
				   .name = "thaw client filter",
				   .write = filter_write,
				   .read = filter_read,
				   .ctrl = filter_ctrl,
				   .destroy = filter_destroy};

/* What all filters share, and is never freed. What there was no memory for, the next filter makes. */
static bool make_shared(void)
{
	(void)pthread_mutex_lock(&making);
	if (ctx_index < 0)
		ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ctx_gone);
	bool made = ctx_index >= 0;
	(void)pthread_mutex_unlock(&making);
	return made;
}

/* Before the first byte of a connection: the transport is there, and nothing is in it yet. */
static void on_info(const SSL *ssl, int where, int result)
{
	struct tls_filter *filter = filter_of(SSL_get_SSL_CTX(ssl));
	BIO *next = SSL_get_wbio(ssl);

	(void)result;
	if ((where & SSL_CB_HANDSHAKE_START) == 0 || filter == NULL || filter->ssl != NULL || next == NULL)
		return;
	BIO *bio = tls_method_bio(&method, filter);
	if (bio == NULL || BIO_up_ref(next) != 1) {
		BIO_free(bio);
		ERR_clear_error();
		return; /* it works without, as OpenSSL does */
	}
	filter->ssl = ssl;
	(void)BIO_push(bio, next);
	SSL_set_bio((SSL *)ssl, bio, bio);
}

/* ---- filters ---- */

static void on_event(void *arg, const struct tls_event *event)
{
	struct tls_filter *filter = arg;
	struct tls_event told = *event;

	if (event->kind == TLS_EVENT_GIVEN)
		filter->waited_when_given = filter->waited_ms;
	if (event->kind == TLS_EVENT_SIGNED) { /* the path's time is not the key's */
		uint64_t waited_ms = filter->waited_ms - filter->waited_when_given;
		told.signed_ms -= waited_ms < told.signed_ms ? waited_ms : told.signed_ms;
	}
	if (filter->options.observer.on_event != NULL)
		filter->options.observer.on_event(filter->options.observer.arg, &told);
}

struct tls_filter *tls_filter_new(struct ssl_ctx_st *ctx, const struct tls_filter_options *options,
				  struct thaw_error *err)
{
	struct tls_filter *filter = calloc(1, sizeof(*filter));

	if (filter == NULL || !make_shared()) {
		free(filter);
		ERR_clear_error();
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	filter->options = *options;
	filter->watch = (struct tls_observer){.on_event = on_event, .arg = filter};
	atomic_init(&filter->holds, 1);
	if (options->credentials != NULL && tls_credentials_use(options->credentials, ctx, err) != THAW_OK) {
		drop(filter);
		return NULL;
	}
	if (!tls_observe(ctx, &filter->watch) || SSL_CTX_set_ex_data(ctx, ctx_index, filter) != 1) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, "joining a TLS context", err);
		drop(filter);
		return NULL;
	}
	atomic_fetch_add(&filter->holds, 1);
	/* libcurl 7.88 takes a failure that comes before the transport was read for "nothing yet", and asks for ever:
	 * so buffers are not made anew for each read. */
	(void)SSL_CTX_clear_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_info_callback(ctx, on_info);
	return filter;
}

void tls_filter_leave(struct tls_filter **filter)
{
	struct tls_filter *left = *filter;

	*filter = NULL;
	if (left == NULL)
		return;
	left->options.observer.on_event = NULL;
	left->options.tick = NULL;
	drop(left);
}

uint64_t tls_filter_unsent(const struct tls_filter *filter)
{
	return (filter->ssl != NULL ? socket_unsent(filter->options.fd) : 0) + queued(filter);
}

uint64_t tls_filter_moved(const struct tls_filter *filter)
{
	uint64_t unsent = tls_filter_unsent(filter), written = filter->out + queued(filter);

	return filter->in + (written > unsent ? written - unsent : 0);
}

bool tls_filter_has_data(const struct tls_filter *filter)
{
	char byte;
	bool has = filter->ssl != NULL && SSL_peek((SSL *)filter->ssl, &byte, 1) > 0;

	ERR_clear_error(); /* a read tells what went wrong */
	return has;
}

bool tls_filter_over(const struct tls_filter *filter)
{
	return filter->ssl == NULL;
}

const char *tls_filter_version(const struct tls_filter *filter)
{
	return filter->ssl != NULL ? SSL_get_version(filter->ssl) : NULL;
}
