/* The public constructor of a store, with a cipher from tls. */
#include "spool/store.h"
#include "base/error.h"
#include "tls/seal.h"

enum thaw_status thaw_store_new(thaw_quota *quota, unsigned worker, const char *directory, thaw_store **store,
				struct thaw_error *err)
{
	struct cipher cipher = {0};

	error_clear(err);
	*store = NULL;
	if (tls_seal_new(&cipher, err) != THAW_OK)
		return THAW_FAILED;
	*store = spool_store_new(quota, worker, directory, cipher, &spool_file_system, err);
	if (*store != NULL)
		return THAW_OK;
	cipher.ops->free(cipher.key);
	return THAW_FAILED;
}
