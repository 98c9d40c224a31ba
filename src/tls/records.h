/*
 * How many TLS records that carry no application data a peer has sent: handshake messages, alerts, ChangeCipherSpec.
 * Each costs more than its bytes, and OpenSSL sets no limit of its own to KeyUpdates (RFC 8446 4.6.3) and the like. So
 * there is one for a whole connection. Honest peers stay far below it: a handshake has fewer than 30, a key is updated
 * after some GiB of data.
 */
#ifndef TLS_RECORDS_H
#define TLS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_st;

#define TLS_RECORDS_MAX   1024  /* of a connection */
#define TLS_RECORDS_ASK   128   /* more for each ask: the client's certificates may come in many records */
#define TLS_RECORDS_BYTES 65536 /* each so many bytes of application data allow one more */

struct tls_records {
	uint64_t control; /* records without application data that have come */
	uint64_t bytes;   /* of records with application data, as they are on the wire */
	uint32_t asks;
	bool over; /* there were too many: OpenSSL reads no more */
};

/*
 * In OpenSSL's message callback, with its arguments: each incoming record passes it. Above the limit it stops
 * SSL_read() and the like, which then return 0 as after a close_notify; our own close_notify can still be sent.
 */
void tls_records_count(struct tls_records *records, struct ssl_st *ssl, int content_type, const void *data, size_t len);

/* The same at once, for another reason than the count. */
void tls_records_stop(struct tls_records *records, struct ssl_st *ssl);

#endif
