/* libthaw's objects, for tests that want one or nothing; and a spool's calls, for tests that want the reason. */
#ifndef TESTS_MADE_H
#define TESTS_MADE_H

#include "thaw/thaw.h"

static inline thaw_trust *made_trust_open(const struct thaw_trust_options *options, struct thaw_error *err)
{
	thaw_trust *trust = NULL;

	return thaw_trust_open(options, &trust, err) == THAW_OK ? trust : NULL;
}

static inline thaw_trust *made_trust_load(const char *ca, const char *crl, struct thaw_error *err)
{
	thaw_trust *trust = NULL;

	return thaw_trust_load(ca, crl, &trust, err) == THAW_OK ? trust : NULL;
}

/* The caller's reference to the store becomes the trust's. */
void X509_STORE_free(struct x509_store_st *store);
static inline thaw_trust *made_trust_from_store(struct x509_store_st *store, struct thaw_error *err)
{
	thaw_trust *trust = NULL;
	enum thaw_status status = thaw_trust_from_store(store, &trust, err);

	X509_STORE_free(store);
	return status == THAW_OK ? trust : NULL;
}

static inline thaw_conn *made_conn_new(struct ssl_st *ssl)
{
	thaw_conn *conn = NULL;

	return thaw_conn_new(ssl, &conn, NULL) == THAW_OK ? conn : NULL;
}

/* Sets the size of the limits. */
static inline thaw_quota *made_quota_new(const struct thaw_quota_limits *limits)
{
	struct thaw_quota_limits sized = *limits;
	thaw_quota *quota = NULL;

	sized.size = sizeof(sized);
	return thaw_quota_new(&sized, &quota, NULL) == THAW_OK ? quota : NULL;
}

static inline thaw_store *made_store_new(thaw_quota *quota, unsigned worker, const char *directory,
					 struct thaw_error *err)
{
	thaw_store *store = NULL;

	return thaw_store_new(quota, worker, directory, &store, err) == THAW_OK ? store : NULL;
}

static inline thaw_spool *made_spool_new(thaw_store *store, const struct sockaddr *client, uint64_t limit)
{
	thaw_spool *spool = NULL;

	return thaw_spool_new(store, client, limit, &spool, NULL) == THAW_OK ? spool : NULL;
}

/* The reason and the status say the same. */
static inline enum thaw_reason why_of(enum thaw_status status, enum thaw_reason why)
{
	return (status == THAW_OK) == (why == THAW_REASON_NONE) ? why : THAW_REASON_CALLER;
}

static inline enum thaw_reason why_spool_reserve(thaw_spool *spool, void **where, size_t *room)
{
	enum thaw_reason why = THAW_REASON_CALLER;
	enum thaw_status status = thaw_spool_reserve(spool, where, room, &why);

	return why_of(status, why);
}

static inline enum thaw_reason why_spool_write(thaw_spool *spool, const void *data, size_t len)
{
	enum thaw_reason why = THAW_REASON_CALLER;
	enum thaw_status status = thaw_spool_write(spool, data, len, &why);

	return why_of(status, why);
}

static inline enum thaw_reason why_spool_peek(thaw_spool *spool, const void **data, size_t *len)
{
	enum thaw_reason why = THAW_REASON_CALLER;
	enum thaw_status status = thaw_spool_peek(spool, data, len, &why);

	return why_of(status, why);
}

#endif
