/* What a trust says of a client's certificate that lies in a file: for a decision that is told, not acted on. Nothing
 * proves who has its key. */
#ifndef TLS_APPRAISE_H
#define TLS_APPRAISE_H

#include "tls/certificate.h"
#include "tls/details.h"
#include "tls/server.h"

struct tls_file_verdict {
	struct tls_certificate *certificate; /* the first of the file; what is behind it is the chain that is sent */
	struct tls_details *details;
	bool accepted;
	char detail[128]; /* the reason in words; empty if it is accepted */
};

/* As on a connection to that host (an index). THAW_FAILED: *err says what is wrong with the file. Free it in any case.
 */
enum thaw_status tls_verify_file(struct tls_file_verdict *appraisal, const struct tls_server *server, int host,
				 const thaw_trust *trust, const char *file, struct thaw_error *err) THAW_MUST_CHECK;
void tls_file_verdict_free(struct tls_file_verdict *appraisal);

#endif
