/*
 * Filter BIO for client connections of another library, such as libcurl. One filter serves one connection.
 *
 * An OpenSSL client that is asked over TLS 1.3 while one of its writes waits for the transport fails ("bad length"):
 * the Certificate message cannot follow a partly written record. A client that reads while it writes, which it must do
 * to avoid a freeze, has this problem on a slow path. So the filter accepts each record completely, and queues what the
 * transport does not take. Each read and write tries to write the queue. The library does not know about the queue, so
 * the filter itself waits until the queue is empty or something can be read.
 *
 * A peer that refuses in the middle of an upload may reset the connection after its response (RFC 9112 9.6). So a
 * failed write returns "retry" while bytes can still be read, and an error when there are none.
 */
#ifndef TLS_FILTER_H
#define TLS_FILTER_H

#include "tls/credentials.h"
#include "tls/observe.h"

struct ssl_ctx_st;
struct tls_filter;

struct tls_filter_options {
	const struct tls_credentials *credentials; /* NULL: the context's own; must outlive the connection */
	struct tls_observer observer;              /* on_event NULL: none */
	int fd;                                    /* the connection's socket, to wait on; borrowed */
	/* Called at least every TLS_FILTER_TICK_MS while the filter waits. False: give up, which ends the connection.
	 * NULL: do not wait. */
	bool (*tick)(void *arg);
	void *arg;
	uint32_t wait_ms; /* longest wait for one record; then the filter gives up, too. 0: no limit */
};

#define TLS_FILTER_TICK_MS   50
#define TLS_FILTER_QUEUE_MAX 262144 /* bytes of the queue: some records and the messages of an exchange */

/* Adds a filter to the one connection that is made of ctx. The connection keeps its own reference. NULL with *err set.
 * */
struct tls_filter *tls_filter_new(struct ssl_ctx_st *ctx, const struct tls_filter_options *options,
				  struct thaw_error *err);

/* Releases the caller's reference: observer and tick are not called any more. */
void tls_filter_leave(struct tls_filter **filter);

/*
 * Bytes read, plus bytes written that the peer has acknowledged (SIOCOUTQ), to tell a slow connection from a stalled
 * one.
 */
uint64_t tls_filter_moved(const struct tls_filter *filter);

/* Bytes read from the transport. */
uint64_t tls_filter_received(const struct tls_filter *filter);

/* Bytes that were written, but not yet acknowledged by the peer. */
uint64_t tls_filter_unsent(const struct tls_filter *filter);

/* Whether received data is unread. Processes handshake messages before it. */
bool tls_filter_has_data(const struct tls_filter *filter);

/* Whether the connection was freed. */
bool tls_filter_over(const struct tls_filter *filter);

/* "TLSv1.3"; NULL: no handshake yet. */
const char *tls_filter_version(const struct tls_filter *filter);

#endif
