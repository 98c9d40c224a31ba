/* An OpenSSL BIO over a struct transport, with a staging buffer that is there only while it holds bytes. */
#ifndef TLS_TRANSPORT_BIO_H
#define TLS_TRANSPORT_BIO_H

#include <stdbool.h>

#include "base/transport.h"

struct ssl_st;

/* One read(2) of this much feeds many records: fewer system calls, without OpenSSL's own read-ahead. */
#define TLS_STAGE_MAX 65536

/* A read of at least this much, with nothing staged, goes straight into OpenSSL's own buffer. */
#define TLS_DIRECT_MIN 16384

/*
 * What one step of a connection may read of the wire before others have their turn. Within one SSL_read() OpenSSL goes
 * on as long as records come that carry no application data, so only its BIO can stop it. A KeyUpdate costs about 15 us
 * of CPU, a refused ClientHello as much: 64 records are about a millisecond. Full records of 16 KiB never get that far.
 */
#define TLS_STEP_RECORDS 64
#define TLS_STEP_BYTES   524288

/* Gives ssl a BIO over the transport, which it frees. False: no memory. */
bool tls_use_transport(struct ssl_st *ssl, struct transport transport);

/* A step begins: it has the whole allowance. Without any such call there is no limit. quiet: the transport did not
 * become readable since the last step. */
void tls_transport_step(const struct ssl_st *ssl, bool quiet);

/* A read now would find nothing: the last one took less than there was room for, or nothing. Bytes that came since then
 * make the transport readable, which the next step is told. */
bool tls_transport_empty(const struct ssl_st *ssl);

/* The step's allowance is used up: the last read said "later" although more may be here. Step again without waiting. */
bool tls_transport_spent(const struct ssl_st *ssl);

#endif
