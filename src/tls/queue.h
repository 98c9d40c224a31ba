/*
 * Prevents deadlocks of an exchange. OpenSSL reads nothing while its own handshake message waits to be written. If the
 * peer writes its whole request before it reads, both would wait forever. So there is a filter BIO below the SSL's
 * writes: it takes such messages as a whole, keeps what the transport does not take, and writes it when the transport
 * can take it.
 */
#ifndef TLS_QUEUE_H
#define TLS_QUEUE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "tls/method.h"

struct ssl_st;

enum tls_queue_what {
	/* Handshake messages of a server: tickets, and the request for a certificate. Application data only of
	 * tls_queue_write_record(). */
	TLS_QUEUE_HANDSHAKE,
	/* All records of a client. The caller writes nothing while some are queued, so the queue has at most one
	 * record, and the handshake messages that a read causes. */
	TLS_QUEUE_RECORDS,
};

/*
 * The most bytes in the queue: a request for a certificate with the longest list of CA names (RFC 8446 4.2.4), and the
 * messages of a handshake. A write beyond this must be repeated, as with a transport without room.
 */
#define TLS_QUEUE_MAX 131072

/* Inserts the filter between the SSL and the BIO that it writes to, if there is such a BIO and the filter is not there
 * yet. False: out of memory. */
bool tls_queue(struct ssl_st *ssl, enum tls_queue_what what);

/*
 * As SSL_write_ex(), for one record, except that OpenSSL never keeps a record that waits to be written: it ends a
 * connection on which it must write a handshake message meanwhile, such as its answer to a client's second KeyUpdate
 * (RFC 8446 4.6.3). So the filter takes the record as a whole. 1 with *len 0: the transport has not taken all of it;
 * repeat the call when it is writable, with the same bytes, and at least as many.
 */
int tls_queue_write_record(struct ssl_st *ssl, const void *data, size_t room, size_t *len);

/* Whether tls_queue_write_record() must be repeated for a record that OpenSSL has written already. */
bool tls_queue_has_record(const struct ssl_st *ssl);

/* Returns the bytes in the queue; 0 if the transport is broken. */
size_t tls_queued(const struct ssl_st *ssl);

/* Returns whether to flush when the transport is writable: there are bytes in the queue, or a BIO below it could not
 * write all bytes of its own when OpenSSL flushed it. */
bool tls_queue_unsent(const struct ssl_st *ssl);
void tls_queue_flush(const struct ssl_st *ssl);

/* For filters: writes as much of the buffer as the BIO takes now, and adds it to *put. False: the BIO is broken. */
bool tls_queue_write(struct buffer *held, BIO *next, uint64_t *put);
void tls_queue_wipe(struct buffer *held);

#endif
