#include "loop/load.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "loop/certificates.h"
#include "loop/challenge.h"
#include "loop/log.h"
#include "tls/file.h"

#define WORKERS_MAX     1024 /* the most that a quota supports */
#define LOADED_TOGETHER 8    /* configurations that can have workers at the same time and share one quota */

/* One worker for each processor that this process may run on. */
static unsigned workers_of(const struct config *config)
{
	cpu_set_t cpus;

	if (config->workers != 0)
		return config->workers;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return 1; /* for example more processors than cpu_set_t has room for; the operator can set 'workers' */
	int count = CPU_COUNT(&cpus);
	return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (unsigned)count;
}

/* A worker may use the whole quota, and a request the whole share of its client. Whatever exceeds the memory goes to
 * the disk. */
static struct thaw_quota_limits limits_of(const struct config *config, unsigned workers)
{
	return (struct thaw_quota_limits){
		.size = sizeof(struct thaw_quota_limits),
		.memory = config->spool.memory,
		.disk = config->spool.disk,
		.client_memory = config->spool.memory / 100 * config->spool.per_client_percent,
		.client_disk = config->spool.disk / 100 * config->spool.per_client_percent,
		.workers = workers,
	};
}

/* ---- places ---- */

static unsigned places_for(unsigned workers)
{
	return workers > WORKERS_MAX / LOADED_TOGETHER ? WORKERS_MAX : workers * LOADED_TOGETHER;
}

static void places_free(struct places *places)
{
	thaw_quota_free(&places->quota);
	loads_free(&places->loads);
	counts_free(&places->counts);
	free(places);
}

static struct places *places_new(const struct thaw_quota_limits *limits, struct thaw_error *err)
{
	struct places *places = calloc(1, sizeof(*places) + limits->workers * sizeof(places->taken[0]));

	if (places != NULL) {
		places->limits = *limits;
		if (thaw_quota_new(limits, &places->quota, NULL) == THAW_OK &&
		    loads_make(&places->loads, limits->workers) && counts_make(&places->counts, limits->workers))
			return places;
		places_free(places);
	}
	(void)error_set(err, THAW_ERR_RESOURCE, "out of memory for the workers' shared memory");
	return NULL;
}

static bool same_budgets(const struct thaw_quota_limits *a, const struct thaw_quota_limits *b)
{
	return a->memory == b->memory && a->disk == b->disk && a->client_memory == b->client_memory &&
	       a->client_disk == b->client_disk;
}

static bool have_room(const struct places *places, unsigned workers)
{
	unsigned left = 0;

	for (unsigned i = 0; i < places->limits.workers; i++)
		left += !places->taken[i];
	return left >= workers;
}

void loaded_reclaim(const struct loaded *loaded, unsigned number)
{
	const struct places *places = loaded->places;

	for (unsigned i = 0; i < places->limits.workers; i++) {
		if (i != number && places->taken[i])
			continue;
		thaw_quota_reclaim(places->quota, i);
		atomic_store(&places->loads.of[i], LOADS_NONE);
		counts_reclaim(&places->counts, i);
	}
}

/* Uses the places of before if the budgets are the same and enough are free; otherwise creates new ones. */
static enum thaw_status take_places(struct loaded *loaded, const struct config *config, const struct loaded *before,
				    struct thaw_error *err)
{
	struct thaw_quota_limits limits = limits_of(config, places_for(loaded->workers));
	struct places *places = before != NULL && same_budgets(&before->places->limits, &limits) &&
						have_room(before->places, loaded->workers)
					? before->places
					: places_new(&limits, err);
	unsigned next = 0;

	if (places == NULL)
		return THAW_FAILED;
	loaded->places = places;
	places->users++;
	loaded->quota = places->quota;
	loaded->loads = &places->loads;
	loaded->counts = &places->counts;
	loaded->numbers = calloc(loaded->workers, sizeof(*loaded->numbers));
	if (loaded->numbers == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	for (unsigned i = 0; i < loaded->workers; i++) {
		while (places->taken[next])
			next++;
		places->taken[next] = true;
		loaded->numbers[i] = next;
		loaded_reclaim(loaded, next);
	}
	return THAW_OK;
}

static void leave_places(struct loaded *loaded)
{
	struct places *places = loaded->places;

	for (unsigned i = 0; loaded->numbers != NULL && i < loaded->workers; i++)
		places->taken[loaded->numbers[i]] = false;
	free(loaded->numbers);
	if (places != NULL && --places->users == 0)
		places_free(places);
}

/* ---- the spool's folder ---- */

struct attempt {
	const struct loaded *loaded;
	const char *directory;
};

/* The workers create their own stores. This one only shows whether they can. */
static enum thaw_status try_store(void *arg, struct thaw_error *err)
{
	const struct attempt *attempt = arg;
	thaw_store *store = NULL;
	enum thaw_status status =
		thaw_store_new(attempt->loaded->quota, attempt->loaded->numbers[0], attempt->directory, &store, err);

	thaw_store_free(&store);
	return status;
}

/* user: the user that it was tried as; NULL: the user of this process. */
static enum thaw_status refuse_folder(const struct config *config, const char *user, const struct thaw_error *why,
				      struct thaw_error *err)
{
	if (config->spool.directory_place == NULL || why->cls == THAW_ERR_RESOURCE)
		return error_set(err, why->cls, "%s", why->text);
	if (user != NULL)
		return error_set(err, why->cls, "%s: as user '%s': %s; create a directory that this user can write to",
				 config->spool.directory_place, user, why->text);
	return error_set(err, why->cls, "%s: %s; create a directory that thaw can write to",
			 config->spool.directory_place, why->text);
}

static enum thaw_status check_spool(const struct loaded *loaded, const struct config *config, struct thaw_error *err)
{
	struct attempt attempt = {.loaded = loaded, .directory = config->spool.directory};
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	bool change = loaded->privileges.change;
	if ((change ? privileges_try(&loaded->privileges, try_store, &attempt, &why) : try_store(&attempt, &why)) ==
	    THAW_OK)
		return THAW_OK;
	const char *user = config->user != NULL ? config->user : "root";
	return refuse_folder(config, change ? user : NULL, &why, err);
}

static enum thaw_status make_folder(struct loaded *loaded, const struct config *config, struct thaw_error *err)
{
	if (config->spool.disk == 0 || config->spool.directory == NULL)
		return THAW_OK;
	struct thaw_error why = {.cls = THAW_ERR_NONE};
	if (privileges_make_folder(&loaded->privileges, config->spool.directory, &loaded->made_folder, &why) == THAW_OK)
		return THAW_OK;
	return refuse_folder(config, NULL, &why, err);
}

void loaded_unmake_folder(struct loaded *loaded, const struct config *config)
{
	if (loaded->made_folder)
		(void)rmdir(config->spool.directory);
	loaded->made_folder = false;
}

/* ---- the folders of ACME challenges ---- */

static enum thaw_status try_webroot(void *arg, struct thaw_error *err)
{
	return challenge_check(arg, err);
}

static enum thaw_status check_webroots(const struct loaded *loaded, const struct config *config, struct thaw_error *err)
{
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *listen = &config->listens[i];
		struct thaw_error why = {.cls = THAW_ERR_NONE};
		if (listen->acme_webroot == NULL)
			continue;
		enum thaw_status status = loaded->privileges.change ? privileges_try(&loaded->privileges, try_webroot,
										     listen->acme_webroot, &why)
								    : challenge_check(listen->acme_webroot, &why);
		if (status != THAW_OK)
			return error_set(err, why.cls, "%s: %s; create a folder that the workers can read",
					 listen->acme_webroot_place, why.text);
	}
	return THAW_OK;
}

/* ---- everything ---- */

static enum thaw_status load(struct loaded *loaded, const struct config *config, const struct loaded *before,
			     struct thaw_error *err)
{
	if (privileges_find(&loaded->privileges, config, err) != THAW_OK ||
	    take_places(loaded, config, before, err) != THAW_OK || make_folder(loaded, config, err) != THAW_OK ||
	    check_spool(loaded, config, err) != THAW_OK || check_webroots(loaded, config, err) != THAW_OK)
		return THAW_FAILED;
	loaded->gateway = gateway_new(config, &(struct gateway_env){.store = NULL}, err);
	if (loaded->gateway == NULL)
		return THAW_FAILED;
	loaded->upstream_tls = pool_tls_load(config, err);
	if (loaded->upstream_tls == NULL)
		return THAW_FAILED;
	if (!certificates_expiries(config, &loaded->expiries))
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	return THAW_OK;
}

enum thaw_status loaded_make(struct loaded *loaded, const struct config *config, const struct loaded *before,
			     struct thaw_error *err)
{
	*loaded = (struct loaded){.workers = workers_of(config)};
	tls_files_of_daemon();
	if (load(loaded, config, before, err) == THAW_OK)
		return THAW_OK;
	loaded_unmake_folder(loaded, config);
	loaded_free(loaded);
	if (err->cls != THAW_ERR_RESOURCE)
		err->cls = THAW_ERR_CONFIG; /* the cause is a file or user that the configuration names */
	return THAW_FAILED;
}

void loaded_free(struct loaded *loaded)
{
	tls_expiries_free(&loaded->expiries);
	pool_tls_free(&loaded->upstream_tls);
	gateway_free(&loaded->gateway);
	leave_places(loaded);
	privileges_free(&loaded->privileges);
	*loaded = (struct loaded){.workers = 0};
}
