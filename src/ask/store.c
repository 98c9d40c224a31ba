/* A store for whoever uses libthaw: the spool's, with a cipher from tls. */
#include "spool/store.h"
#include "tls/seal.h"

thaw_store *thaw_store_new(thaw_ledger *ledger, unsigned worker, const char *directory, struct thaw_error *err)
{
	struct cipher cipher = {0};

	if (tls_seal_new(&cipher, err) != THAW_OK)
		return NULL;
	thaw_store *store = spool_store_new(ledger, worker, directory, cipher, &spool_file_system, err);
	if (store == NULL)
		cipher.ops->free(cipher.key);
	return store;
}
