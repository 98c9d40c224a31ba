/* What the workers of a configuration share. It is made from the configuration alone. */
#ifndef LOOP_LOAD_H
#define LOOP_LOAD_H

#include "base/expiry.h"
#include "gateway/gateway.h"
#include "loop/counts.h"
#include "loop/loads.h"
#include "loop/pool.h"
#include "loop/privileges.h"

/*
 * The places of workers in shared memory. There are more places than one configuration needs, because the next
 * configuration uses the same places, unless it changes the spool's budgets. So the budgets limit the workers of both
 * together.
 */
struct places {
	unsigned users; /* number of struct loaded that use it */
	struct thaw_quota_limits limits;
	thaw_quota *quota;
	struct loads loads;
	struct counts counts;
	bool taken[];
};

struct loaded {
	struct places *places;
	struct privileges privileges;
	thaw_quota *quota;           /* borrowed from places */
	const struct loads *loads;   /* borrowed from places */
	const struct counts *counts; /* borrowed from places */
	struct gateway *gateway;
	struct pool_tls *upstream_tls;
	struct expiries expiries;
	unsigned workers;
	unsigned *numbers; /* owned; the place of each worker */
	bool made_folder;  /* the spool folder was missing and was created */
};

/*
 * Loads everything, or nothing with *err set: of class THAW_ERR_CONFIG, or THAW_ERR_RESOURCE if out of memory. before:
 * what was loaded for the previous configuration; NULL: none.
 */
enum thaw_status loaded_make(struct loaded *loaded, const struct config *config, const struct loaded *before,
			     struct thaw_error *err) THAW_MUST_CHECK;

/*
 * Gives back what the worker with that number used, after its process has ended. Also clears all unused places, because
 * a compromised worker can have written there.
 */
void loaded_reclaim(const struct loaded *loaded, unsigned number);

/*
 * Calls warn() for settings that are valid, but that the operator may not have intended (warnings.c). They do not
 * prevent Thaw from serving, because each of them can be right, for example in a container.
 */
void loaded_warnings(const struct loaded *loaded, const struct config *config,
		     void (*warn)(void *arg, const char *text), void *arg);

/* The same for an admin address that other machines can reach: also when a configuration is taken. */
void loaded_warn_of_admin(const struct config *config, void (*warn)(void *arg, const char *text), void *arg);

/* Removes the spool folder if it was created here. For callers that do not serve. */
void loaded_unmake_folder(struct loaded *loaded, const struct config *config);

/* Call this once none of its workers is left. */
void loaded_free(struct loaded *loaded);

#endif
