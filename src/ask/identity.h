/*
 * What this program's own gateway needs of an ask beyond libthaw's interface. For the gateway, a connection without TLS
 * has no thaw_conn: the functions that look at one, and thaw_conn_ask_end(), take NULL for it, and say that nothing was
 * asked.
 */
#ifndef ASK_IDENTITY_H
#define ASK_IDENTITY_H

#include "thaw/ask.h"
#include "tls/details.h"

/* Of the certificate that was accepted on this connection, without what thaw_conn_identity() makes anew. NULL: none
 * yet. */
const struct tls_identity *ask_accepted(const thaw_conn *conn);

/* Made anew from the certificate that was accepted on this connection; the caller frees it. NULL: there is none yet, or
 * no memory. */
struct tls_details *ask_details(const thaw_conn *conn);

/*
 * The certificate that a check, or the last ask with options.unverified, has rejected as untrusted: its client has
 * proven that it holds the key, and nobody vouches for what it says. It belongs to the connection, until another one is
 * rejected. NULL: none.
 */
const struct tls_identity *ask_presented(const thaw_conn *conn);

/* Called as soon as an ask has its verdict, from within whichever call of thaw/ask.h has brought it. It may read the
 * verdict and the report, and begins no other ask. */
typedef void ask_settled_fn(void *arg);
void ask_on_settled(thaw_conn *conn, ask_settled_fn *fn, void *arg);

#endif
