/*
 * OpenSSL reads a record in two steps, five bytes of header and then the rest. Small reads are therefore served from a
 * stage, filled by one large read of the transport. The stage is given back as soon as it is empty, so that a
 * connection that waits holds none; two spare ones are kept for the whole process, since they come and go with each
 * burst of bytes.
 *
 * A step's allowance (tls_transport_step) is counted in bytes and in records. Without read-ahead OpenSSL asks for the
 * five bytes of each record's header by themselves: such a read begins a record.
 *
 * A server's handshake messages that the transport does not take are held back here, and OpenSSL is told that they are
 * written: until a handshake message is out, it reads nothing, and a client that writes its whole request before it
 * reads (tickets, and the request for a certificate, wait for it) would wait for ever. A server's application data is
 * never held; a client's is, where it was told to (tls_transport_hold_records).
 */
#include "tls/transport_bio.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "base/buffer.h"

struct stage {
	unsigned char bytes[TLS_STAGE_MAX];
};

/* What the transport has said so far. */
enum end {
	OPEN,
	ENDED, /* the peer has half-closed; writing may go on */
	BROKEN,
};

struct link {
	struct transport transport;
	struct stage *stage; /* NULL while nothing is staged */
	size_t at, len;      /* the staged bytes: at to len */
	const SSL *ssl;
	struct buffer held; /* what is held back */
	bool holds_records;
	bool dry; /* the last read has taken all that there was */
	enum end end;
	struct {
		bool limited, spent;
		size_t bytes, records; /* that are left of the step's allowance */
	} step;
};

#define SPARES 2
static _Atomic(struct stage *) spares[SPARES];

static struct stage *stage_take(void)
{
	for (size_t i = 0; i < SPARES; i++) {
		struct stage *stage = atomic_exchange(&spares[i], NULL);
		if (stage != NULL)
			return stage;
	}
	return malloc(sizeof(struct stage));
}

static void stage_give(struct stage *stage)
{
	for (size_t i = 0; i < SPARES; i++) {
		struct stage *none = NULL;
		if (atomic_compare_exchange_strong(&spares[i], &none, stage))
			return;
	}
	free(stage);
}

static void drop_stage(struct link *link)
{
	if (link->stage != NULL)
		stage_give(link->stage);
	link->stage = NULL;
	link->at = link->len = 0;
}

/* What a transport's answer means to OpenSSL: the bytes, 0 for the end (then BIO_eof() holds), -1 with or without a
 * retry. */
static int answer(BIO *bio, struct link *link, ssize_t got, int retry)
{
	if (got > 0)
		return (int)got;
	if (got == TRANSPORT_BLOCKED) {
		BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
		return -1;
	}
	if (got == TRANSPORT_END) {
		link->end = ENDED;
		return 0;
	}
	link->end = BROKEN;
	if (errno == 0)
		errno = ECONNRESET; /* a transport in memory sets none, and the translator of failures looks at it */
	return -1;
}

/* False: the step's allowance is used up. */
static bool may_read(struct link *link, int room)
{
	bool begins = room == SSL3_RT_HEADER_LENGTH;

	if (!link->step.limited || link->end != OPEN)
		return true;
	link->step.spent = link->step.spent || link->step.bytes == 0 || (begins && link->step.records == 0);
	if (!link->step.spent && begins)
		link->step.records--;
	return !link->step.spent;
}

static int count(struct link *link, int got)
{
	if (got > 0 && link->step.limited)
		link->step.bytes -= (size_t)got < link->step.bytes ? (size_t)got : link->step.bytes;
	return got;
}

static int take_staged(struct link *link, void *data, size_t room)
{
	size_t len = link->len - link->at < room ? link->len - link->at : room;

	memcpy(data, link->stage->bytes + link->at, len);
	link->at += len;
	if (link->at == link->len)
		drop_stage(link);
	return (int)len;
}

static ssize_t read_transport(struct link *link, void *data, size_t room)
{
	ssize_t got = link->transport.ops->read(link->transport.io, data, room);

	link->dry = got == TRANSPORT_BLOCKED || (got > 0 && (size_t)got < room);
	return got;
}

static int read_more(BIO *bio, struct link *link, char *data, int room)
{
	if (link->stage != NULL)
		return take_staged(link, data, (size_t)room);
	errno = 0;
	if (link->end != OPEN)
		return answer(bio, link, link->end == ENDED ? TRANSPORT_END : TRANSPORT_BROKEN, 0);
	if (room < TLS_STRAIGHT_MIN)
		link->stage = stage_take();
	/* Without memory for a stage it still works, in small reads. */
	if (link->stage == NULL)
		return answer(bio, link, read_transport(link, data, (size_t)room), BIO_FLAGS_READ);
	ssize_t got = read_transport(link, link->stage->bytes, TLS_STAGE_MAX);
	if (got <= 0) {
		int cause = errno;
		drop_stage(link);
		errno = cause;
		return answer(bio, link, got, BIO_FLAGS_READ);
	}
	link->len = (size_t)got;
	return take_staged(link, data, (size_t)room);
}

static int bio_read(BIO *bio, char *data, int room)
{
	struct link *link = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (room <= 0)
		return 0;
	if (!may_read(link, room))
		return answer(bio, link, TRANSPORT_BLOCKED, BIO_FLAGS_READ);
	return count(link, read_more(bio, link, data, room));
}

/* Writes what is held back. > 0: nothing is left; else the transport's answer. */
static ssize_t flush_held(struct link *link)
{
	while (buffer_left(&link->held) > 0) {
		ssize_t put = link->transport.ops->write(link->transport.io, buffer_first(&link->held),
							 buffer_left(&link->held));
		if (put <= 0)
			return put;
		buffer_consume(&link->held, (size_t)put);
	}
	buffer_free(&link->held);
	return 1;
}

static bool hold(struct link *link, const char *data, size_t len)
{
	bool held = buffer_append(&link->held, TLS_HELD_MAX, data, len);

	link->held.failed = false; /* OpenSSL writes it once more */
	return held;
}

/* What a record's write comes to when the transport took only some of it: all of it, unless there is no room. */
static int hold_rest(BIO *bio, struct link *link, const char *data, int len, int put)
{
	if (put == len || hold(link, data + put, (size_t)(len - put)))
		return len;
	return answer(bio, link, put > 0 ? put : TRANSPORT_BLOCKED, BIO_FLAGS_WRITE);
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct link *link = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	errno = 0;
	if (link->end == BROKEN)
		return answer(bio, link, TRANSPORT_BROKEN, 0);
	ssize_t put = flush_held(link);
	if (put > 0)
		put = link->transport.ops->write(link->transport.io, data, (size_t)len);
	if (put == TRANSPORT_BLOCKED && SSL_is_server(link->ssl) == 1 && SSL_in_init(link->ssl) == 1 &&
	    hold(link, data, (size_t)len))
		return len;
	if (link->holds_records && (put > 0 || put == TRANSPORT_BLOCKED))
		return hold_rest(bio, link, data, len, put > 0 ? (int)put : 0);
	return answer(bio, link, put, BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct link *link = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH: /* what is held back goes out by tls_transport_flush() */
		return 1;
	case BIO_CTRL_EOF:
		return link->stage == NULL && link->end == ENDED;
	case BIO_CTRL_PENDING:
		return (long)(link->len - link->at);
	case BIO_CTRL_WPENDING:
		return (long)buffer_left(&link->held);
	default:
		return 0;
	}
}

static int bio_destroy(BIO *bio)
{
	struct link *link = BIO_get_data(bio);

	if (link != NULL) {
		drop_stage(link);
		buffer_free(&link->held);
		free(link);
	}
	BIO_set_data(bio, NULL);
	BIO_set_init(bio, 0);
	return 1;
}

static BIO_METHOD *make_method(void)
{
	int index = BIO_get_new_index();
	BIO_METHOD *method = index < 0 ? NULL : BIO_meth_new(index | BIO_TYPE_SOURCE_SINK, "thaw transport");

	if (method != NULL && BIO_meth_set_read(method, bio_read) == 1 && BIO_meth_set_write(method, bio_write) == 1 &&
	    BIO_meth_set_ctrl(method, bio_ctrl) == 1 && BIO_meth_set_destroy(method, bio_destroy) == 1)
		return method;
	BIO_meth_free(method);
	return NULL;
}

/* Made by whoever needs it first, and kept until the process ends; of two threads that made one, one throws his away.
 */
static _Atomic(BIO_METHOD *) the_method;
static atomic_int the_type;

static BIO_METHOD *method_get(void)
{
	BIO_METHOD *method = atomic_load(&the_method);

	if (method != NULL)
		return method;
	BIO_METHOD *mine = make_method();
	if (mine == NULL)
		return NULL;
	if (atomic_compare_exchange_strong(&the_method, &method, mine))
		return mine;
	BIO_meth_free(mine);
	return method;
}

bool tls_use_transport(struct ssl_st *ssl, struct transport transport)
{
	BIO_METHOD *method = method_get();
	struct link *link = calloc(1, sizeof(*link));
	BIO *bio = method != NULL && link != NULL ? BIO_new(method) : NULL;

	if (bio == NULL) {
		free(link);
		return false;
	}
	link->transport = transport;
	link->ssl = ssl;
	BIO_set_data(bio, link);
	BIO_set_init(bio, 1);
	atomic_store(&the_type, BIO_method_type(bio));
	SSL_set_bio(ssl, bio, bio);
	return true;
}

/* NULL: the SSL has some other BIO. */
static struct link *link_of(const struct ssl_st *ssl)
{
	BIO *bio = SSL_get_rbio(ssl);

	return bio != NULL && BIO_method_type(bio) == atomic_load(&the_type) ? BIO_get_data(bio) : NULL;
}

void tls_transport_step(const struct ssl_st *ssl, bool quiet)
{
	struct link *link = link_of(ssl);

	if (link != NULL) {
		link->dry = link->dry && quiet;
		link->step.limited = true;
		link->step.spent = false;
		link->step.bytes = TLS_STEP_BYTES;
		link->step.records = TLS_STEP_RECORDS;
	}
}

bool tls_transport_dry(const struct ssl_st *ssl)
{
	const struct link *link = link_of(ssl);

	return link != NULL && link->dry && link->stage == NULL && link->end == OPEN;
}

bool tls_transport_spent(const struct ssl_st *ssl)
{
	const struct link *link = link_of(ssl);

	return link != NULL && link->step.spent && link->end == OPEN;
}

bool tls_transport_held(const struct ssl_st *ssl)
{
	const struct link *link = link_of(ssl);

	return link != NULL && buffer_left(&link->held) > 0 && link->end != BROKEN;
}

size_t tls_transport_held_bytes(const struct ssl_st *ssl)
{
	const struct link *link = link_of(ssl);

	return link != NULL ? buffer_left(&link->held) : 0;
}

void tls_transport_hold_records(const struct ssl_st *ssl)
{
	struct link *link = link_of(ssl);

	if (link != NULL)
		link->holds_records = true;
}

void tls_transport_flush(const struct ssl_st *ssl)
{
	struct link *link = link_of(ssl);

	if (link != NULL && link->end != BROKEN && flush_held(link) == TRANSPORT_BROKEN)
		link->end = BROKEN;
}
