#include "loop/load.h"

#include <sched.h>

#include "base/error.h"
#include "loop/log.h"
#include "loop/loop.h"

#define WORKERS_MAX 1024 /* as many as a ledger can have */

/* One for each processor that this process may run on. */
static unsigned workers_of(const struct config *config)
{
	cpu_set_t cpus;

	if (config->workers != 0)
		return config->workers;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return 1; /* more processors than a cpu_set_t holds, say: the operator can name a number */
	int count = CPU_COUNT(&cpus);
	return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (unsigned)count;
}

/* A worker may hold all; so may one request of what its client may: the disk is there for the rest. */
static struct thaw_ledger_limits limits_of(const struct config *config, unsigned workers)
{
	return (struct thaw_ledger_limits){
		.memory = config->spool.memory,
		.disk = config->spool.disk,
		.client_memory = config->spool.memory / 100 * config->spool.per_client_percent,
		.client_disk = config->spool.disk / 100 * config->spool.per_client_percent,
		.workers = workers,
	};
}

/* The workers make their own stores; this one only tells whether they will be able to. */
static enum thaw_status try_store(const struct loaded *loaded, const struct config *config, struct thaw_error *err)
{
	thaw_store *store = thaw_store_new(loaded->ledger, 0, config->spool.directory, err);

	if (store == NULL)
		return THAW_FAILED;
	thaw_store_free(&store);
	return THAW_OK;
}

enum thaw_status loaded_make(struct loaded *loaded, const struct config *config, struct thaw_error *err)
{
	*loaded = (struct loaded){.workers = workers_of(config)};
	struct thaw_ledger_limits limits = limits_of(config, loaded->workers);
	loaded->ledger = thaw_ledger_new(&limits);
	loaded->loads = loads_new(loaded->workers);
	if (loaded->ledger == NULL || loaded->loads == NULL)
		(void)error_set(err, THAW_ERR_RESOURCE, "no memory for the spool's budgets");
	else if (try_store(loaded, config, err) == THAW_OK)
		loaded->gateway = gateway_new(config, &(struct gateway_env){.store = NULL}, err);
	if (loaded->gateway != NULL)
		return THAW_OK;
	loaded_free(loaded);
	if (err->cls != THAW_ERR_RESOURCE)
		err->cls = THAW_ERR_CONFIG; /* a file that the configuration names */
	return THAW_FAILED;
}

void loaded_free(struct loaded *loaded)
{
	gateway_free(&loaded->gateway);
	loads_free(&loaded->loads);
	thaw_ledger_free(&loaded->ledger);
}

enum thaw_status loop_check(const struct config *config, struct thaw_error *err)
{
	struct loaded loaded;

	if (log_check(config, err) != THAW_OK) {
		err->cls = THAW_ERR_CONFIG;
		return THAW_FAILED;
	}
	if (loaded_make(&loaded, config, err) != THAW_OK)
		return THAW_FAILED;
	loaded_free(&loaded);
	return THAW_OK;
}
