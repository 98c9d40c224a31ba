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
	atomic_uint refs; /* the caller's and the context's references */
	struct tls_filter_options options;
	struct tls_observer watch; /* the context's observer, which calls options.observer */
	const SSL *ssl;            /* NULL: not yet created, or freed */
	uint64_t in, out;          /* bytes read from and written to the transport */
	struct buffer queue;       /* the queue, up to TLS_FILTER_QUEUE_MAX */
	uint64_t until_ms;         /* deadline of the wait */
	uint64_t waited_ms;        /* total time waited */
	uint64_t waited_when_given;
	uint64_t in_when_broken; /* value of `in` at the last failed write */
	bool broken;             /* a write has failed */
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
	if (atomic_fetch_sub(&filter->refs, 1) != 1)
		return;
	tls_queue_wipe(&filter->queue);
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

/* Writes as much of the queue as the transport takes. False: it is broken. */
static bool flush(struct tls_filter *filter, BIO *next)
{
	return tls_queue_write(&filter->queue, next, &filter->out);
}

static size_t queued(const struct tls_filter *filter)
{
	return buffer_left(&filter->queue);
}

/* Waits until the queue is empty or something can be read. False: broken or given up, for example because the socket
 * was closed. */
static bool wait_for_room(struct tls_filter *filter, BIO *next)
{
	while (queued(filter) > 0) {
		filter->gave_up = clock_now_ms() >= filter->until_ms || filter->options.tick == NULL ||
				  !filter->options.tick(filter->options.arg);
		if (filter->gave_up || !flush(filter, next))
			return false;
		/* The caller may not read now, so readable data must not let the queue grow without limit. */
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

/* Appends to the queue. False: out of memory, or above the ceiling. */
static bool enqueue(struct tls_filter *filter, const char *bytes, size_t len)
{
	if (!buffer_append(&filter->queue, TLS_FILTER_QUEUE_MAX, bytes, len))
		return false;
	filter->until_ms = filter->options.wait_ms != 0 ? clock_now_ms() + filter->options.wait_ms : THAW_NEVER;
	return true;
}

/* ---- the filter ---- */

/* Returns an error without a retry flag. The transport's owner reports its error. */
static int fail(const struct tls_filter *filter)
{
	if (filter->gave_up)
		ERR_raise(ERR_LIB_BIO, BIO_R_TRANSFER_TIMEOUT);
	return -1;
}

/* Whether the transport is broken but can still be read. False if the caller has read nothing since the last failed
 * write. */
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
	if (!enqueue(filter, bytes + put, (size_t)(len - put))) {
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
		(void)flush(filter, next); /* a read reports a broken transport */
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

/* The context owns the filter. */
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

/* Creates what all filters share, which is never freed. If memory runs out, the next filter tries again. */
static bool make_shared(void)
{
	(void)pthread_mutex_lock(&making);
	if (ctx_index < 0)
		ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ctx_gone);
	bool made = ctx_index >= 0;
	(void)pthread_mutex_unlock(&making);
	return made;
}

/* Called before the first byte of a connection, when the SSL has its transport. */
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
		return; /* the connection works without the filter, as plain OpenSSL */
	}
	filter->ssl = ssl;
	(void)BIO_push(bio, next);
	SSL_set_bio((SSL *)ssl, bio, bio);
}

/* ---- filters ---- */

static void on_event(void *arg, const struct tls_event *event)
{
	struct tls_filter *filter = arg;
	struct tls_event passed_on = *event;

	if (event->kind == TLS_EVENT_GIVEN)
		filter->waited_when_given = filter->waited_ms;
	if (event->kind == TLS_EVENT_SIGNED) { /* do not count the time that we waited for the transport */
		uint64_t waited_ms = filter->waited_ms - filter->waited_when_given;
		passed_on.signed_ms -= waited_ms < passed_on.signed_ms ? waited_ms : passed_on.signed_ms;
	}
	if (filter->options.observer.on_event != NULL)
		filter->options.observer.on_event(filter->options.observer.arg, &passed_on);
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
	atomic_init(&filter->refs, 1);
	if (options->credentials != NULL && tls_credentials_use(options->credentials, ctx, err) != THAW_OK) {
		drop(filter);
		return NULL;
	}
	if (!tls_observe(ctx, &filter->watch) || SSL_CTX_set_ex_data(ctx, ctx_index, filter) != 1) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, "adding a filter to a TLS context", err);
		drop(filter);
		return NULL;
	}
	atomic_fetch_add(&filter->refs, 1);
	/* libcurl 7.88 takes an error before the first read of the transport for "no data yet", and retries for ever.
	 * So OpenSSL's buffers are kept, and not allocated at each read. */
	(void)SSL_CTX_clear_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_info_callback(ctx, on_info);
	return filter;
}

void tls_filter_leave(struct tls_filter **filter)
{
	struct tls_filter *old = *filter;

	*filter = NULL;
	if (old == NULL)
		return;
	old->options.observer.on_event = NULL;
	old->options.tick = NULL;
	drop(old);
}

uint64_t tls_filter_unsent(const struct tls_filter *filter)
{
	return (filter->ssl != NULL ? socket_unsent(filter->options.fd) : 0) + queued(filter);
}

uint64_t tls_filter_received(const struct tls_filter *filter)
{
	return filter->in;
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

	ERR_clear_error(); /* a read reports the error */
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
