/* Reads the certificates and CRLs of a PEM file. */
#include <openssl/pem.h>

#include "tls/file.h"
#include "tls/secret_file.h"

enum thaw_status tls_file_infos(const char *file, enum thaw_error_class cls, enum tls_pem_kind kind,
				STACK_OF(X509_INFO) * *infos, struct thaw_error *err)
{
	BIO *bio;

	*infos = NULL;
	if (tls_file_bio(file, cls, &bio, err) != THAW_OK)
		return THAW_FAILED;
	*infos = PEM_X509_INFO_read_bio(bio, NULL, tls_no_pass_phrase, NULL);
	BIO_free(bio);
	return *infos != NULL ? THAW_OK : tls_pem_fault(file, kind, err);
}
