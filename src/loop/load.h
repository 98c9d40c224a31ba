/* What the workers share, and is made from the configuration alone. */
#ifndef LOOP_LOAD_H
#define LOOP_LOAD_H

#include "base/expiry.h"
#include "gateway/gateway.h"
#include "loop/counts.h"
#include "loop/loads.h"
#include "loop/pool.h"
#include "loop/privileges.h"

/*
 * Where workers have their places in memory that they share. There are more than one configuration needs: the next one
 * takes places in it, too, unless it changes the spool's budgets, so that these hold for the workers of both together.
 */
struct places {
	unsigned users; /* how many struct loaded */
	struct thaw_quota_limits limits;
	thaw_quota *quota;
	struct loads loads;
	struct counts counts;
	bool taken[];
};

struct loaded {
	struct places *places;
	struct privileges privileges;
	thaw_quota *quota;           /* places' */
	const struct loads *loads;   /* places' */
	const struct counts *counts; /* places' */
	struct gateway *gateway;
	struct pool_tls *upstream_tls;
	struct expiries expiries;
	unsigned workers;
	unsigned *numbers; /* owned; their places */
	bool made_folder;  /* the spool's was missing */
};

/*
 * All, or none with *err set: of class THAW_ERR_CONFIG unless the system had no memory. before: NULL, or what was
 * loaded for the configuration before this.
 */
enum thaw_status loaded_make(struct loaded *loaded, const struct config *config, const struct loaded *before,
			     struct thaw_error *err) THAW_MUST_CHECK;

/*
 * Gives back what the worker with that number held, once its process has ended. Also clears the places that nobody has:
 * a worker that was taken over can have written there, too.
 */
void loaded_reclaim(const struct loaded *loaded, unsigned number);

/*
 * Calls warn() for what the configuration may say, and the operator perhaps did not mean (warnings.c). Nothing of it
 * keeps Thaw from serving, for in a container each of them can be as it should be.
 */
void loaded_warnings(const struct loaded *loaded, const struct config *config,
		     void (*warn)(void *arg, const char *text), void *arg);

/* Removes the spool's folder, if that was made. Where nobody is to serve. */
void loaded_unmake_folder(struct loaded *loaded, const struct config *config);

/* Once none of its workers is left. */
void loaded_free(struct loaded *loaded);

#endif
