/*
 * An upstream connection is a connection to one server of an upstream. It is lent to a request for as long as the
 * request needs it. Its owner (the loop's pool in production, memory in tests/sim) chooses the server, connects, does
 * TLS, and keeps connections that can be reused. The gateway only reads and writes, and reports the outcome.
 */
#ifndef GATEWAY_UPCONN_H
#define GATEWAY_UPCONN_H

#include "base/transport.h"
#include "config/config.h"

struct gw_upconn; /* defined by the pool */

/* How an upstream connection is given back. */
enum gw_upconn_end {
	GW_UPCONN_KEEP, /* the exchange is complete on both sides: it may serve another request */
	GW_UPCONN_DROP, /* to be closed; not a failure of the server */
	GW_UPCONN_FAIL, /* to be closed; the server failed, and is marked down after several failures in a row */
};

struct gw_upconn_ops {
	/*
	 * Starts to get an upstream connection to a server of that upstream. fresh: not one that was used before. wake
	 * is called when the event occurs that the upstream connection waits for, but never from within these
	 * functions; then call gw_conn_step(). NULL: out of memory.
	 */
	struct gw_upconn *(*take)(void *pool, const struct config_upstream *upstream, bool fresh,
				  void (*wake)(void *arg), void *arg, uint64_t now_ms);

	/*
	 * THAW_OK: connected; later calls return the same. THAW_WANT_READ: not yet; wake will be called. THAW_FAILED:
	 * no server could be reached, although each was tried; *err: the reason for the last one, of class
	 * THAW_ERR_TIMEOUT if the time was up.
	 */
	enum thaw_status (*ready)(struct gw_upconn *upconn, uint64_t now_ms, struct thaw_error *err);

	/* Only for an upstream connection that is ready. TRANSPORT_BROKEN also means a failure of TLS. The upstream
	 * connection owns the transport. */
	struct transport (*transport)(struct gw_upconn *upconn);

	/* Wake when it can be read or written; valid until the next call. */
	void (*watch)(struct gw_upconn *upconn, bool read, bool write);

	/* Whether it served another request before: then the server may have closed it at any time. */
	bool (*used)(const struct gw_upconn *upconn);

	/* The server as named in the configuration, for logs; owned by the configuration. "-": none was chosen yet. */
	const char *(*server)(const struct gw_upconn *upconn);

	/* The exchange is complete on both sides, and the borrower keeps the upstream connection for its own next
	 * request. */
	void (*stay)(struct gw_upconn *upconn);

	/* Replaces the function and the argument for wake-ups. */
	void (*wakes)(struct gw_upconn *upconn, void (*wake)(void *arg), void *arg);

	void (*give)(struct gw_upconn **upconn, enum gw_upconn_end end, uint64_t now_ms);
};

/* Member of gateway_env. ops NULL: there are only the built-in upstreams. */
struct gw_upconns {
	const struct gw_upconn_ops *ops;
	void *pool;
};

#endif
