#include "tls/verify_file.h"

#include <stdio.h>

#include "base/error.h"
#include "tls/key_files.h"
#include "tls/server_inside.h"
#include "tls/verify.h"

static enum thaw_status fill(struct tls_file_verdict *verdict, const struct tls_verdict *found, X509 *x509)
{
	if (found == NULL)
		return THAW_FAILED;
	verdict->certificate = tls_certificate_new(x509, found->path);
	if (verdict->certificate == NULL)
		return THAW_FAILED;
	verdict->details = tls_details_new(verdict->certificate);
	verdict->accepted = found->error == X509_V_OK;
	(void)snprintf(verdict->detail, sizeof(verdict->detail), "%s", found->detail);
	return verdict->details != NULL ? THAW_OK : THAW_FAILED;
}

enum thaw_status tls_verify_file(struct tls_file_verdict *verdict, const struct tls_server *server, int host,
				 const thaw_trust *trust, const char *file, struct thaw_error *err)
{
	const struct tls_secret no_secret = {.ask = NULL};
	struct tls_key_pair pair = {.certificate = NULL};

	*verdict = (struct tls_file_verdict){.certificate = NULL};
	enum thaw_status status = key_files_certificate(&pair, file, &no_secret, NULL, err);
	if (status == THAW_OK) {
		SSL *ssl = SSL_new(server->hosts[host].ctx);
		struct tls_verdict *found = ssl != NULL ? tls_verify(trust, ssl, pair.certificate, pair.chain) : NULL;
		status = fill(verdict, found, pair.certificate);
		if (status != THAW_OK)
			(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		tls_verdict_free(&found);
		SSL_free(ssl);
	}
	X509_free(pair.certificate);
	sk_X509_pop_free(pair.chain, X509_free);
	return status;
}

void tls_file_verdict_free(struct tls_file_verdict *verdict)
{
	tls_certificate_free(&verdict->certificate);
	tls_details_free(&verdict->details);
}
