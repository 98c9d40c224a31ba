/* An OpenSSL BIO over a struct transport, with a read buffer that is allocated only while it holds bytes. */
#ifndef TLS_TRANSPORT_BIO_H
#define TLS_TRANSPORT_BIO_H

#include <stdbool.h>

#include "base/transport.h"

struct ssl_st;

/* Size of the read buffer: one read(2) gets many records, without OpenSSL's own read-ahead. */
#define TLS_READ_BUFFER_SIZE 65536

/* With an empty buffer, a read of at least this size goes directly to OpenSSL's buffer. */
#define TLS_DIRECT_MIN 16384

/*
 * How much one step of a connection may read before other connections have their turn. SSL_read() continues while it
 * gets records without application data, so only the BIO can stop it. A KeyUpdate or a refused ClientHello costs about
 * 15 us of CPU: 64 records take about a millisecond. The byte limit stops full 16 KiB records first.
 */
#define TLS_STEP_RECORDS 64
#define TLS_STEP_BYTES   524288

/* Sets a BIO over the transport, which the SSL owns. False: out of memory. */
bool tls_use_transport(struct ssl_st *ssl, struct transport transport);

/* Begins a step with the full allowance. Without such calls there is no limit. quiet: the transport did not become
 * readable since the last step. */
void tls_transport_step(const struct ssl_st *ssl, bool quiet);

/* Whether a read now would find nothing: the last one got less than it had room for. Later bytes make the transport
 * readable, which the next step reports. */
bool tls_transport_empty(const struct ssl_st *ssl);

/* Whether the step's allowance is used up: the last read was stopped although more may be available. Step again without
 * waiting. */
bool tls_transport_spent(const struct ssl_st *ssl);

#endif
