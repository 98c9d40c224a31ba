/*
 * What keeps an exchange from freezing. OpenSSL reads nothing while a handshake message of its own waits to be written,
 * and a peer that writes its whole request before it reads lets it wait for ever. So there is a filter BIO below the
 * SSL's writes: it takes such messages whole, keeps what the transport does not take, and writes it when it can.
 */
#ifndef TLS_QUEUE_H
#define TLS_QUEUE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "tls/method.h"

struct ssl_st;

enum tls_queue_what {
	/* A server's handshake messages: tickets, and the request for a certificate. Its application data only while
	 * tls_queue_all() says so. */
	TLS_QUEUE_HANDSHAKE,
	/* A client's records, each one. Its caller writes nothing more while some are held, so it is one record, and
	 * the handshake messages that a read brings forth. */
	TLS_QUEUE_RECORDS,
};

/*
 * The most that is held: a request for a certificate with the longest list of CA names (RFC 8446 4.2.4), and a
 * handshake's own messages. What is more is not taken, as by a transport without room.
 */
#define TLS_QUEUE_MAX 131072

/* Puts the filter between the SSL and the BIO that it writes to, if there is such a BIO and it is not done yet. False:
 * no memory. */
bool tls_queue(struct ssl_st *ssl, enum tls_queue_what what);

/* Whether every record is queued, whatever its type. */
void tls_queue_all(const struct ssl_st *ssl, bool all);

/* How much is held: flush when the transport can be written. 0 also where the transport is broken. */
size_t tls_queued(const struct ssl_st *ssl);
void tls_queue_flush(const struct ssl_st *ssl);

/* For filters: writes of the buffer what the BIO takes now; *put counts it. False: the BIO is broken. */
bool tls_queue_write(struct buffer *held, BIO *next, uint64_t *put);
void tls_queue_wipe(struct buffer *held);

#endif
