/* What the workers share, and is made from the configuration alone. */
#ifndef LOOP_LOAD_H
#define LOOP_LOAD_H

#include "gateway/gateway.h"
#include "loop/loads.h"

struct loaded {
	thaw_ledger *ledger;
	struct gateway *gateway;
	struct loads *loads;
	unsigned workers;
};

/* All, or none with *err set: of class THAW_ERR_CONFIG unless the system had no memory. */
enum thaw_status loaded_make(struct loaded *loaded, const struct config *config,
			     struct thaw_error *err) THAW_MUST_CHECK;
void loaded_free(struct loaded *loaded);

#endif
