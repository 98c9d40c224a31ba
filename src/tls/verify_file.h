/* Verifies a client's certificate in a file, for `thaw check --certificate`. Nothing proves possession of the key. */
#ifndef TLS_VERIFY_FILE_H
#define TLS_VERIFY_FILE_H

#include "tls/certificate.h"
#include "tls/details.h"
#include "tls/server.h"

struct tls_file_verdict {
	struct tls_certificate
		*certificate; /* the first in the file; the others are the chain that the client would send */
	struct tls_details *details;
	bool accepted;
	char detail[128]; /* the reason as text; empty if accepted */
};

/* Verifies as on a connection to that host (an index). THAW_FAILED with *err: the file is unusable, or out of memory.
 * Free *verdict in any case. */
enum thaw_status tls_verify_file(struct tls_file_verdict *verdict, const struct tls_server *server, int host,
				 const thaw_trust *trust, const char *file, struct thaw_error *err) THAW_MUST_CHECK;
void tls_file_verdict_free(struct tls_file_verdict *verdict);

#endif
