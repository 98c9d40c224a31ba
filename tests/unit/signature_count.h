/*
 * Counts the signatures that OpenSSL verifies, wherever it does so: a provider of its own, whose algorithms are those
 * of the default provider, with a counter before each verification of a digest's signature.
 */
#ifndef UNIT_SIGNATURE_COUNT_H
#define UNIT_SIGNATURE_COUNT_H

#include <assert.h>
#include <string.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/provider.h>

#define COUNTED_MAX  32 /* signature algorithms */
#define DISPATCH_MAX 64 /* functions of one */

static unsigned signatures_verified;

static OSSL_LIB_CTX *counted_library;
static OSSL_PROVIDER *counted_default, *counting_provider;
static OSSL_ALGORITHM counted_algorithms[COUNTED_MAX + 1];
static OSSL_DISPATCH counted_dispatch[COUNTED_MAX][DISPATCH_MAX];
static OSSL_FUNC_signature_digest_verify_init_fn *counted_inits[COUNTED_MAX];

/* A dispatch table holds plain functions, so each algorithm has one of its own. */
#define COUNTED(n)                                                                                     \
	static int counted_init_##n(void *ctx, const char *name, void *key, const OSSL_PARAM params[]) \
	{                                                                                              \
		signatures_verified++;                                                                 \
		return counted_inits[n](ctx, name, key, params);                                       \
	}                                                                                              \
	static_assert((n) < COUNTED_MAX, "one function for each")
COUNTED(0);
COUNTED(1);
COUNTED(2);
COUNTED(3);
COUNTED(4);
COUNTED(5);
COUNTED(6);
COUNTED(7);

static OSSL_FUNC_signature_digest_verify_init_fn *const counted_functions[] = {
	counted_init_0, counted_init_1, counted_init_2, counted_init_3,
	counted_init_4, counted_init_5, counted_init_6, counted_init_7,
};

/* Those that certificates are signed with here; the others are left as they are. */
static inline bool counted_is_used(const char *names)
{
	return strncmp(names, "RSA:", 4) == 0 || strncmp(names, "ECDSA", 5) == 0;
}

static inline void counted_copy(const OSSL_ALGORITHM *from)
{
	size_t used = 0, n = 0;

	for (; from->algorithm_names != NULL && n < COUNTED_MAX; from++, n++) {
		counted_algorithms[n] = *from;
		if (!counted_is_used(from->algorithm_names) || used == 8)
			continue;
		size_t k = 0;
		for (; from->implementation[k].function_id != 0 && k + 1 < DISPATCH_MAX; k++) {
			counted_dispatch[used][k] = from->implementation[k];
			if (from->implementation[k].function_id != OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT)
				continue;
			counted_inits[used] = OSSL_FUNC_signature_digest_verify_init(&from->implementation[k]);
			counted_dispatch[used][k].function = (void (*)(void))counted_functions[used];
		}
		counted_algorithms[n].implementation = counted_dispatch[used++];
	}
	assert_true(used > 0 && counted_inits[0] != NULL);
}

static inline const OSSL_ALGORITHM *counted_query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	if (operation == OSSL_OP_SIGNATURE) {
		*no_cache = 0;
		return counted_algorithms;
	}
	return OSSL_PROVIDER_query_operation(counted_default, operation, no_cache);
}

/* TLS's groups among them. */
static inline int counted_capabilities(void *provider, const char *name, OSSL_CALLBACK *each, void *arg)
{
	(void)provider;
	return OSSL_PROVIDER_get_capabilities(counted_default, name, each, arg);
}

static inline int counted_start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
				void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))counted_query},
		{OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))counted_capabilities},
		{0, NULL},
	};

	(void)handle;
	(void)in;
	*out = functions;
	*provider = OSSL_PROVIDER_get0_provider_ctx(counted_default);
	return 1;
}

/* Before anything else of OpenSSL is used. */
static inline void count_signatures(void)
{
	int no_cache = 0;

	counted_library = OSSL_LIB_CTX_new();
	assert_non_null(counted_library);
	counted_default = OSSL_PROVIDER_load(counted_library, "default");
	assert_non_null(counted_default);
	counted_copy(OSSL_PROVIDER_query_operation(counted_default, OSSL_OP_SIGNATURE, &no_cache));
	assert_int_equal(OSSL_PROVIDER_add_builtin(NULL, "counting", counted_start), 1);
	counting_provider = OSSL_PROVIDER_load(NULL, "counting");
	assert_non_null(counting_provider);
}

static inline void count_no_more(void)
{
	(void)OSSL_PROVIDER_unload(counting_provider);
	(void)OSSL_PROVIDER_unload(counted_default);
	OSSL_LIB_CTX_free(counted_library);
}

#endif
