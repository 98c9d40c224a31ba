/* What https servers need: read once, in the master. */
#include "loop/pool.h"

#include <stdlib.h>

#include "base/error.h"
#include "tls/client.h"

struct pool_tls {
	size_t count;
	struct tls_client_context *contexts[]; /* one an upstream; NULL where no server needs it */
};

static bool needs_tls(const struct config_upstream *upstream)
{
	for (size_t i = 0; i < upstream->server_count; i++)
		if (upstream->servers[i].tls)
			return true;
	return false;
}

static struct tls_client_context *load(const struct config_upstream *upstream, struct thaw_error *err)
{
	struct tls_client_options options = {
		.ca = upstream->tls.ca,
		.certificate = upstream->tls.certificate,
		.key = upstream->tls.key,
		.believe_anyone = !upstream->tls.verify,
	};
	struct thaw_error why = {.cls = THAW_ERR_NONE};
	struct tls_client_context *context = tls_client_context_new(&options, &why);

	if (context == NULL)
		(void)error_set(err, why.cls, "upstream %s: %s", upstream->name, why.text);
	return context;
}

struct pool_tls *pool_tls_load(const struct config *config, struct thaw_error *err)
{
	size_t count = config->upstream_count;
	struct pool_tls *tls = calloc(1, sizeof(*tls) + count * sizeof(struct tls_client_context *));

	if (tls == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	tls->count = count;
	for (size_t i = 0; i < count && tls != NULL; i++) {
		if (!needs_tls(&config->upstreams[i]))
			continue;
		tls->contexts[i] = load(&config->upstreams[i], err);
		if (tls->contexts[i] == NULL)
			pool_tls_free(&tls);
	}
	return tls;
}

void pool_tls_free(struct pool_tls **tls)
{
	struct pool_tls *gone = *tls;

	*tls = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++)
		tls_client_context_free(&gone->contexts[i]);
	free(gone);
}

struct tls_client_context *pool_tls_of(const struct pool_tls *tls, size_t upstream)
{
	return tls != NULL && upstream < tls->count ? tls->contexts[upstream] : NULL;
}
