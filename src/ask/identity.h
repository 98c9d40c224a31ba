/* What the accepted certificate says beyond struct thaw_identity: for this program's own gateway, not for libthaw. */
#ifndef ASK_IDENTITY_H
#define ASK_IDENTITY_H

#include "thaw/ask.h"
#include "tls/details.h"

/* Made anew from the certificate that was accepted on this connection; the caller frees it. NULL: there is none yet, or
 * no memory. */
struct tls_details *ask_details(const thaw_conn *conn);

#endif
