#include "tls/verify_file.h"

#include <stdio.h>

#include "base/error.h"
#include "tls/key_files.h"
#include "tls/server_inside.h"
#include "tls/verify.h"

static enum thaw_status fill(struct tls_file_verdict *appraisal, const struct tls_verdict *verdict, X509 *x509)
{
	if (verdict == NULL)
		return THAW_FAILED;
	appraisal->certificate = tls_certificate_new(x509, verdict->path);
	if (appraisal->certificate == NULL)
		return THAW_FAILED;
	appraisal->details = tls_details_new(appraisal->certificate);
	appraisal->accepted = verdict->error == X509_V_OK;
	(void)snprintf(appraisal->detail, sizeof(appraisal->detail), "%s", verdict->detail);
	return appraisal->details != NULL ? THAW_OK : THAW_FAILED;
}

enum thaw_status tls_verify_file(struct tls_file_verdict *appraisal, const struct tls_server *server, int host,
				 const thaw_trust *trust, const char *file, struct thaw_error *err)
{
	const struct tls_secret nobody = {.ask = NULL};
	struct tls_key_pair pair = {.certificate = NULL};

	*appraisal = (struct tls_file_verdict){.certificate = NULL};
	enum thaw_status status = key_files_certificate(&pair, file, &nobody, NULL, err);
	if (status == THAW_OK) {
		SSL *ssl = SSL_new(server->hosts[host].ctx);
		struct tls_verdict *verdict = ssl != NULL ? tls_verify(trust, ssl, pair.certificate, pair.chain) : NULL;
		status = fill(appraisal, verdict, pair.certificate);
		if (status != THAW_OK)
			(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		tls_verdict_free(&verdict);
		SSL_free(ssl);
	}
	X509_free(pair.certificate);
	sk_X509_pop_free(pair.chain, X509_free);
	return status;
}

void tls_file_verdict_free(struct tls_file_verdict *appraisal)
{
	tls_certificate_free(&appraisal->certificate);
	tls_details_free(&appraisal->details);
}
