/* Where the probe connects to: the host of the URL, or another one given by options; directly or through a proxy. */
#ifndef PROBE_WAY_H
#define PROBE_WAY_H

#include "probe/address.h"

/* Like curl's options with these names. */
struct probe_routes {
	const char *const *connect_to, *const *resolve;
	size_t connect_to_count, resolve_count;
	const char *proxy;      /* "[SCHEME://]HOST[:PORT]", http or https; NULL: none */
	const char *proxy_ca;   /* CA certificates to verify an https:// one with; NULL: the system's */
	const char *proxy_user; /* "NAME:PASSWORD", percent-encoded; NULL: none */
	const char *no_proxy;   /* hosts that it is not for, see no_proxy.h; NULL: none */
	const char *user_agent; /* "": no such field */
	const char *sni;        /* in place of the URL's host in SNI, and in the server's certificate; NULL: that */
};

/* Whether a proxy is named, and no_proxy does not leave this host out. */
bool probe_way_has_proxy(const struct probe_url *url, const struct probe_routes *routes);

/*
 * proxy_head: the CONNECT request that opens a tunnel (RFC 9110 9.3.6), for the caller to wipe and free; NULL: no
 * proxy. THAW_FAILED: *err with class USAGE or RESOURCE.
 */
enum thaw_status probe_way_find(struct probe_way *way, const struct probe_url *url, const struct probe_routes *routes,
				char **proxy_head, struct thaw_error *err) THAW_MUST_CHECK;

#endif
