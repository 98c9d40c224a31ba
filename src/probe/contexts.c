#include "probe/contexts.h"

#include <stdlib.h>

#include "base/error.h"
#include "probe/check.h"

#define CONTEXTS_MAX 24 /* enough for all combinations that a plan uses */

struct contexts {
	const struct tls_client_options *options;
	struct {
		struct context_wish wish;
		struct tls_client_context *context;
	} made[CONTEXTS_MAX];
	size_t count;
};

struct contexts *contexts_new(const struct tls_client_options *options)
{
	struct contexts *contexts = calloc(1, sizeof(*contexts));

	if (contexts != NULL)
		contexts->options = options;
	return contexts;
}

void contexts_free(struct contexts **contexts)
{
	struct contexts *gone = *contexts;

	*contexts = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++)
		tls_client_context_free(&gone->made[i].context);
	free(gone);
}

static bool is_equal(const struct context_wish *a, const struct context_wish *b)
{
	return a->version == b->version && a->anonymous == b->anonymous && a->no_offer == b->no_offer &&
	       a->withholds == b->withholds && a->http2 == b->http2;
}

struct tls_client_context *contexts_get(struct contexts *contexts, const struct context_wish *wish,
					struct thaw_error *err)
{
	struct tls_client_options options = *contexts->options;

	for (size_t i = 0; i < contexts->count; i++)
		if (is_equal(&contexts->made[i].wish, wish))
			return contexts->made[i].context;
	if (contexts->count == CONTEXTS_MAX) {
		(void)error_set(err, THAW_ERR_RESOURCE, "too many TLS contexts");
		return NULL;
	}
	options.version = wish->version;
	options.post_handshake = !wish->no_offer;
	options.reads_while_writing = true;
	options.alpn = wish->http2 ? "h2,http/1.1" : "http/1.1";
	options.observer = wish->withholds ? check_withholder() : check_observer();
	if (wish->anonymous)
		options.credentials = NULL;
	struct tls_client_context *context = tls_client_context_new(&options, err);
	if (context == NULL)
		return NULL;
	contexts->made[contexts->count].wish = *wish;
	contexts->made[contexts->count++].context = context;
	return context;
}
