#include "tls/guest.h"

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
#include "tls/hold.h"

struct tls_guest {
	atomic_uint holds; /* the caller's, and the context's */
	struct tls_guest_options options;
	struct tls_observer watch; /* what the context is given: hands on to options.observer */
	const SSL *ssl;            /* NULL: there is none yet, or none any more */
	uint64_t in, out;          /* bytes that passed the transport */
	struct buffer held;        /* up to TLS_GUEST_HELD_MAX */
	uint64_t until_ms;         /* for so long it is waited for */
	uint64_t waited_ms;        /* in all */
	uint64_t waited_when_given;
	uint64_t in_when_broken; /* in, at the last write that failed */
	bool broken;             /* one has */
	bool gave_up;
};

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static int ctx_index = -1;

static struct tls_guest *guest_of(const SSL_CTX *ctx)
{
	return SSL_CTX_get_ex_data(ctx, ctx_index);
}

static void drop(struct tls_guest *guest)
{
	if (atomic_fetch_sub(&guest->holds, 1) != 1)
		return;
	tls_hold_wipe(&guest->held);
	free(guest);
}

static void on_ctx_gone(void *parent, void *data, CRYPTO_EX_DATA *ex, int index, long number, void *pointer)
{
	struct tls_guest *guest = data;

	(void)parent;
	(void)ex;
	(void)index;
	(void)number;
	(void)pointer;
	if (guest != NULL) {
		guest->ssl = NULL;
		drop(guest);
	}
}

/* ---- the queue ---- */

/* What of the queue the transport takes now. False: it is broken. */
static bool flush(struct tls_guest *guest, BIO *next)
{
	return tls_hold_write(&guest->held, next, &guest->out);
}

static size_t queued(const struct tls_guest *guest)
{
	return buffer_left(&guest->held);
}

/* Until the queue is out, or something can be read. False: broken, or given up, as when the connection is closed behind
 * its guest's back. */
static bool wait_for_room(struct tls_guest *guest, BIO *next)
{
	while (queued(guest) > 0) {
		guest->gave_up = clock_now_ms() >= guest->until_ms || guest->options.tick == NULL ||
				 !guest->options.tick(guest->options.arg);
		if (guest->gave_up || !flush(guest, next))
			return false;
		/* Its owner may not want to read now, so what can be read is not a reason to queue without end. */
		short reading = queued(guest) <= TLS_GUEST_HELD_MAX / 2 ? POLLIN : 0;
		struct pollfd fd = {.fd = guest->options.fd, .events = (short)(POLLOUT | reading)};
		int ready = queued(guest) > 0 ? poll(&fd, 1, TLS_GUEST_TICK_MS) : 0;
		if (ready < 0 && errno != EINTR)
			return false;
		if (ready > 0 && (fd.revents & ~POLLOUT) != 0)
			return true;
	}
	return true;
}

static bool await(struct tls_guest *guest, BIO *next)
{
	uint64_t from_ms = clock_now_ms();
	bool ok = wait_for_room(guest, next);

	guest->waited_ms += clock_now_ms() - from_ms;
	return ok;
}

/* Takes all that still is to go out behind what is in the queue. False: no memory, or above the ceiling. */
static bool hold(struct tls_guest *guest, const char *bytes, size_t len)
{
	if (!buffer_append(&guest->held, TLS_GUEST_HELD_MAX, bytes, len))
		return false;
	guest->until_ms = guest->options.wait_ms != 0 ? clock_now_ms() + guest->options.wait_ms : THAW_NEVER;
	return true;
}

/* ---- the filter ---- */

/* Nothing that OpenSSL's user would try again. What the transport said is its owner's to tell, who made it. */
static int fail(const struct tls_guest *guest)
{
	if (guest->gave_up)
		ERR_raise(ERR_LIB_BIO, BIO_R_TRANSFER_TIMEOUT);
	return -1;
}

/* The transport is broken, but something is there to be read. Not again if the owner has read nothing since the last
 * time: then it does not want to. */
static bool may_read_on(struct tls_guest *guest)
{
	bool reads = !guest->broken || guest->in != guest->in_when_broken;

	guest->broken = true;
	guest->in_when_broken = guest->in;
	return reads && queued(guest) == 0 && socket_has_bytes(guest->options.fd);
}

static int filter_write(BIO *bio, const char *bytes, int len)
{
	struct tls_guest *guest = BIO_get_data(bio);
	BIO *next = BIO_next(bio);
	int put = 0;

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	if (!flush(guest, next))
		goto broken;
	if (queued(guest) == 0 && (put = BIO_write(next, bytes, len)) <= 0 && !BIO_should_retry(next))
		goto broken;
	put = put > 0 ? put : 0;
	guest->out += (uint64_t)put;
	if (put == len)
		return len;
	if (!hold(guest, bytes + put, (size_t)(len - put))) {
		ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
		return -1;
	}
	return await(guest, next) ? len : fail(guest);
broken:
	BIO_copy_next_retry(bio);
	if (may_read_on(guest))
		BIO_set_retry_write(bio);
	return -1;
}

static int filter_read(BIO *bio, char *bytes, int room)
{
	struct tls_guest *guest = BIO_get_data(bio);
	BIO *next = BIO_next(bio);

	BIO_clear_retry_flags(bio);
	for (;;) {
		(void)flush(guest, next); /* if it is broken, the read tells */
		int got = BIO_read(next, bytes, room);
		if (got > 0)
			guest->in += (uint64_t)got;
		if (got > 0 || queued(guest) == 0 || !BIO_should_retry(next)) {
			BIO_copy_next_retry(bio);
			return got;
		}
		if (!await(guest, next))
			return fail(guest);
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

/* The guest is the context's. */
static int filter_destroy(BIO *bio)
{
	(void)bio;
	return 1;
}

static struct tls_method method = {.kind = BIO_TYPE_FILTER,
				   .name = "thaw guest",
				   .write = filter_write,
				   .read = filter_read,
				   .ctrl = filter_ctrl,
				   .destroy = filter_destroy};

/* What all guests share, and is never freed. What there was no memory for, the next guest makes. */
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
	struct tls_guest *guest = guest_of(SSL_get_SSL_CTX(ssl));
	BIO *next = SSL_get_wbio(ssl);

	(void)result;
	if ((where & SSL_CB_HANDSHAKE_START) == 0 || guest == NULL || guest->ssl != NULL || next == NULL)
		return;
	BIO *filter = tls_method_bio(&method, guest);
	if (filter == NULL || BIO_up_ref(next) != 1) {
		BIO_free(filter);
		ERR_clear_error();
		return; /* it works without, as OpenSSL does */
	}
	guest->ssl = ssl;
	(void)BIO_push(filter, next);
	SSL_set_bio((SSL *)ssl, filter, filter);
}

/* ---- guests ---- */

static void on_sight(void *arg, const struct tls_sight *sight)
{
	struct tls_guest *guest = arg;
	struct tls_sight told = *sight;

	if (sight->kind == TLS_SIGHT_GIVEN)
		guest->waited_when_given = guest->waited_ms;
	if (sight->kind == TLS_SIGHT_SIGNED) { /* the path's time is not the key's */
		uint64_t waited_ms = guest->waited_ms - guest->waited_when_given;
		told.signed_ms -= waited_ms < told.signed_ms ? waited_ms : told.signed_ms;
	}
	if (guest->options.observer.saw != NULL)
		guest->options.observer.saw(guest->options.observer.arg, &told);
}

struct tls_guest *tls_guest_new(struct ssl_ctx_st *ctx, const struct tls_guest_options *options, struct thaw_error *err)
{
	struct tls_guest *guest = calloc(1, sizeof(*guest));

	if (guest == NULL || !make_shared()) {
		free(guest);
		ERR_clear_error();
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	guest->options = *options;
	guest->watch = (struct tls_observer){.saw = on_sight, .arg = guest};
	atomic_init(&guest->holds, 1);
	if (options->credentials != NULL && tls_credentials_use(options->credentials, ctx, err) != THAW_OK) {
		drop(guest);
		return NULL;
	}
	if (!tls_observe(ctx, &guest->watch) || SSL_CTX_set_ex_data(ctx, ctx_index, guest) != 1) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, "joining a TLS context", err);
		drop(guest);
		return NULL;
	}
	atomic_fetch_add(&guest->holds, 1);
	/* libcurl 7.88 takes a failure that comes before the transport was read for "nothing yet", and asks for ever:
	 * so buffers are not made anew for each read. */
	(void)SSL_CTX_clear_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_info_callback(ctx, on_info);
	return guest;
}

void tls_guest_leave(struct tls_guest **guest)
{
	struct tls_guest *left = *guest;

	*guest = NULL;
	if (left == NULL)
		return;
	left->options.observer.saw = NULL;
	left->options.tick = NULL;
	drop(left);
}

uint64_t tls_guest_unsent(const struct tls_guest *guest)
{
	return (guest->ssl != NULL ? socket_unsent(guest->options.fd) : 0) + queued(guest);
}

uint64_t tls_guest_moved(const struct tls_guest *guest)
{
	uint64_t unsent = tls_guest_unsent(guest), written = guest->out + queued(guest);

	return guest->in + (written > unsent ? written - unsent : 0);
}

bool tls_guest_has_data(const struct tls_guest *guest)
{
	char byte;
	bool has = guest->ssl != NULL && SSL_peek((SSL *)guest->ssl, &byte, 1) > 0;

	ERR_clear_error(); /* a read tells what went wrong */
	return has;
}

bool tls_guest_over(const struct tls_guest *guest)
{
	return guest->ssl == NULL;
}

const char *tls_guest_version(const struct tls_guest *guest)
{
	return guest->ssl != NULL ? SSL_get_version(guest->ssl) : NULL;
}
