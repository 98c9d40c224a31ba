/*
 * OpenSSL reads a record in two steps, five bytes of header and then the rest. Small reads are therefore served from a
 * stage, filled by one large read of the transport. The stage is given back as soon as it is empty, so that a
 * connection that waits holds none; two spare ones are kept for the whole process, since they come and go with each
 * burst of bytes.
 *
 * A step's allowance (tls_transport_step) is counted in bytes and in records. Without read-ahead OpenSSL asks for the
 * five bytes of each record's header by themselves: such a read begins a record.
 */
#include "tls/transport_bio.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "tls/method.h"

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
	bool dry;            /* the last read has taken all that there was */
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
	if (room < TLS_DIRECT_MIN)
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

static int bio_write(BIO *bio, const char *data, int len)
{
	struct link *link = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	errno = 0;
	if (link->end == BROKEN)
		return answer(bio, link, TRANSPORT_BROKEN, 0);
	ssize_t put = link->transport.ops->write(link->transport.io, data, (size_t)len);
	return answer(bio, link, put, BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct link *link = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return link->stage == NULL && link->end == ENDED;
	case BIO_CTRL_PENDING:
		return (long)(link->len - link->at);
	default:
		return 0;
	}
}

static int bio_destroy(BIO *bio)
{
	struct link *link = BIO_get_data(bio);

	if (link != NULL) {
		drop_stage(link);
		free(link);
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
	struct link *link = calloc(1, sizeof(*link));
	BIO *bio = link != NULL ? tls_method_bio(&method, link) : NULL;

	if (bio == NULL) {
		free(link);
		return false;
	}
	link->transport = transport;
	SSL_set_bio(ssl, bio, bio);
	return true;
}

/* NULL: the SSL has some other BIO. */
static struct link *link_of(const struct ssl_st *ssl)
{
	BIO *bio = tls_method_find(&method, SSL_get_rbio(ssl));

	return bio != NULL ? BIO_get_data(bio) : NULL;
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

bool tls_transport_empty(const struct ssl_st *ssl)
{
	const struct link *link = link_of(ssl);

	return link != NULL && link->dry && link->stage == NULL && link->end == OPEN;
}

bool tls_transport_spent(const struct ssl_st *ssl)
{
	const struct link *link = link_of(ssl);

	return link != NULL && link->step.spent && link->end == OPEN;
}
