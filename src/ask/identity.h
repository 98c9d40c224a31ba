/*
 * What our gateway needs of an ask beyond the public API. In the gateway a connection without TLS has no thaw_conn: the
 * getters and thaw_conn_ask_end() accept NULL, and then report that nothing was asked.
 */
#ifndef ASK_IDENTITY_H
#define ASK_IDENTITY_H

#include "thaw/ask.h"
#include "tls/details.h"

/* The identity of the accepted certificate, without the allocations of thaw_conn_identity(). NULL: none yet. */
const struct tls_identity *ask_accepted(const thaw_conn *conn);

/* Allocates the details of the accepted certificate; the caller frees them. NULL: there is none yet, or out of memory.
 * */
struct tls_details *ask_details(const thaw_conn *conn);

/*
 * The certificate that a check, or the last ask with options.unverified, rejected as untrusted. The client has proven
 * that it has the key; nothing in the certificate is verified. It belongs to the connection, until another one is
 * rejected. NULL: none.
 */
const struct tls_identity *ask_presented(const thaw_conn *conn);

/* Called as soon as an ask has its verdict, from within a call of thaw/ask.h. It may read the verdict and the report,
 * but must not begin another ask. */
typedef void ask_settled_fn(void *arg);
void ask_on_settled(thaw_conn *conn, ask_settled_fn *fn, void *arg);

#endif
