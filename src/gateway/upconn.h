/*
 * An upstream connection is a connection to one server of an upstream, lent to a request for as long as it needs it.
 * Who keeps them (the loop's pool in production, memory in tests/sim) chooses the server, connects, does TLS, and keeps
 * what can be used again. The gateway only reads and writes, and says how it went.
 */
#ifndef GATEWAY_UPCONN_H
#define GATEWAY_UPCONN_H

#include "base/transport.h"
#include "config/config.h"

struct gw_upconn; /* the pool's */

/* How an upstream connection is given back. */
enum gw_upconn_end {
	GW_UPCONN_KEEP, /* the exchange is complete on both sides: it may serve another request */
	GW_UPCONN_DROP, /* to be closed; nobody's fault, or the client's */
	GW_UPCONN_FAIL, /* to be closed; the server failed, and is rested after some such failures in a row */
};

struct gw_upconn_ops {
	/*
	 * Begins to get an upstream connection to some server of that upstream. fresh: not one that was used before.
	 * wake is called, never from within these functions, when what the upstream connection waits for has come;
	 * gw_conn_step() is due then. NULL: no memory.
	 */
	struct gw_upconn *(*take)(void *pool, const struct config_upstream *upstream, bool fresh,
				  void (*wake)(void *arg), void *arg, uint64_t now_ms);

	/*
	 * THAW_OK: connected (again and again). THAW_WANT_READ: not yet, wake will be called. THAW_FAILED: no server
	 * could be reached, each in turn was tried; *err: the last one's reason, of class THAW_ERR_TIMEOUT where time
	 * was up.
	 */
	enum thaw_status (*ready)(struct gw_upconn *upconn, uint64_t now_ms, struct thaw_error *err);

	/* For an upstream connection that is ready. TRANSPORT_BROKEN also for a failure of TLS. Belongs to the upstream
	 * connection. */
	struct transport (*transport)(struct gw_upconn *upconn);

	/* Wake when it can be read or written; holds until the next call. */
	void (*watch)(struct gw_upconn *upconn, bool read, bool write);

	/* It served another request before: a server may have closed it at any time. */
	bool (*used)(const struct gw_upconn *upconn);

	/* The server as the settings name it, for logs; belongs to the settings. "-": none was chosen yet. */
	const char *(*server)(const struct gw_upconn *upconn);

	/* The exchange is complete on both sides, and the borrower keeps the upstream connection for its own next
	 * request. */
	void (*stay)(struct gw_upconn *upconn);

	/* From now on wake is called with this. */
	void (*wakes)(struct gw_upconn *upconn, void (*wake)(void *arg), void *arg);

	void (*give)(struct gw_upconn **upconn, enum gw_upconn_end end, uint64_t now_ms);
};

/* In gateway_env. ops NULL: there are no upstreams but the built-in ones. */
struct gw_upconns {
	const struct gw_upconn_ops *ops;
	void *pool;
};

#endif
