#include "tls/records.h"

#include <openssl/ssl.h>

/* A callback cannot fail. After SSL_RECEIVED_SHUTDOWN, OpenSSL discards the record that it has just read, and returns.
 * */
void tls_records_stop(struct tls_records *records, struct ssl_st *ssl)
{
	records->over = true;
	SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

void tls_records_count(struct tls_records *records, struct ssl_st *ssl, int content_type, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	bool header = content_type == SSL3_RT_HEADER && len >= SSL3_RT_HEADER_LENGTH;

	/* In TLS 1.3 the header of every encrypted record says application data; the inner type is the real one. */
	if (!header && (content_type != SSL3_RT_INNER_CONTENT_TYPE || len < 1))
		return;
	if (bytes[0] != SSL3_RT_APPLICATION_DATA)
		records->control++;
	else if (header)
		records->bytes += (uint64_t)bytes[3] << 8 | bytes[4];
	if (records->control >
	    TLS_RECORDS_MAX + records->bytes / TLS_RECORDS_BYTES + (uint64_t)records->asks * TLS_RECORDS_ASK)
		tls_records_stop(records, ssl);
}
