/*
 * Limits the TLS records without application data that a peer may send on a connection: handshake messages, alerts,
 * ChangeCipherSpec. Each costs more than its bytes, and OpenSSL does not limit KeyUpdates (RFC 8446 4.6.3) and others.
 * Honest peers stay far below the limit: a handshake has fewer than 30 records, and keys are updated after some GiB of
 * data.
 */
#ifndef TLS_RECORDS_H
#define TLS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_st;

#define TLS_RECORDS_MAX   1024  /* for a connection */
#define TLS_RECORDS_ASK   128   /* more for each ask: the client's certificates may take many records */
#define TLS_RECORDS_BYTES 65536 /* one more for this many bytes of application data */

struct tls_records {
	uint64_t control; /* received records without application data */
	uint64_t bytes;   /* received bytes of records with application data, as encrypted */
	uint32_t asks;
	bool over; /* the limit was exceeded: OpenSSL reads no more */
};

/*
 * Call it from OpenSSL's message callback, with its arguments, for each incoming record. Above the limit it stops
 * SSL_read() etc., which then return 0 as after a close_notify; our own close_notify can still be sent.
 */
void tls_records_count(struct tls_records *records, struct ssl_st *ssl, int content_type, const void *data, size_t len);

/* Stops reading immediately, for another reason. */
void tls_records_stop(struct tls_records *records, struct ssl_st *ssl);

#endif
