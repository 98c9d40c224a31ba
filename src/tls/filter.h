/*
 * TLS contexts that another library makes and drives, such as libcurl's: what Thaw adds to them. One filter is one
 * connection.
 *
 * An OpenSSL client that is asked over TLS 1.3 while a write of its own waits for the transport dies ("bad length"):
 * the Certificate cannot be written behind a record that is half out. Whoever reads while it writes, as it must not to
 * freeze, meets that on a slow path. So a filter's records are taken whole: what the transport does not take stays in a
 * queue, and is written when it can be, by each read and write. Its owner does not know of the queue, and so does not
 * wait for it: the filter waits in its place, until the queue is out or something can be read.
 *
 * And a peer that refuses in the middle of an upload may reset the connection behind its answer, which then is there
 * all the same (RFC 9112 9.6 tells of the others): so a write that fails says "later" while there are bytes to be read,
 * and fails when there are none.
 */
#ifndef TLS_FILTER_H
#define TLS_FILTER_H

#include "tls/credentials.h"
#include "tls/observe.h"

struct ssl_ctx_st;
struct tls_filter;

struct tls_filter_options {
	const struct tls_credentials *credentials; /* NULL: what the context has already; outlive the connection */
	struct tls_observer observer;              /* on_event NULL: nobody looks */
	int fd;                                    /* the connection's socket, for waiting; borrowed */
	/* Called at least each TLS_FILTER_TICK_MS while it waits. False: give up, which ends the connection. NULL: at
	 * once. */
	bool (*tick)(void *arg);
	void *arg;
	uint32_t wait_ms; /* in all, for one record; then it is given up, too. 0: none */
};

#define TLS_FILTER_TICK_MS   50
#define TLS_FILTER_QUEUE_MAX 262144 /* bytes of the queue: some records, and the messages of an exchange */

/* For the one connection that will be made of ctx. The result is the caller's; the connection keeps its own hold on it.
 * NULL with *err set. */
struct tls_filter *tls_filter_new(struct ssl_ctx_st *ctx, const struct tls_filter_options *options,
				  struct thaw_error *err);

/* The caller is done with it: observer and tick are not called any more. */
void tls_filter_leave(struct tls_filter **filter);

/*
 * How much has moved, so that who waits can tell a slow connection from one that stands still: bytes read, and bytes
 * written that the peer's system has taken (Linux's SIOCOUTQ tells of the others).
 */
uint64_t tls_filter_moved(const struct tls_filter *filter);

/* Bytes that were written, but that the peer's system has not taken yet. */
uint64_t tls_filter_unsent(const struct tls_filter *filter);

/* The peer has sent data that its owner has not read yet. Takes in handshake messages that come before it. */
bool tls_filter_has_data(const struct tls_filter *filter);

/* The connection is gone. */
bool tls_filter_over(const struct tls_filter *filter);

/* "TLSv1.3"; NULL: no handshake yet. */
const char *tls_filter_version(const struct tls_filter *filter);

#endif
