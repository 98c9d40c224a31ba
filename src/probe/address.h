/* Where a probe goes: the URL in its parts, and the numeric addresses that its name stands for. */
#ifndef PROBE_ADDRESS_H
#define PROBE_ADDRESS_H

#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>

#include "thaw/types.h"

#define PROBE_TARGET_MAX 4096
#define PROBE_NAME_MAX   255

struct probe_url {
	char host[PROBE_NAME_MAX + 1];       /* for SNI and the certificate: without brackets */
	char authority[PROBE_NAME_MAX + 16]; /* for Host: with brackets, and the port where it is not 443 */
	char target[PROBE_TARGET_MAX + 1];   /* path and query, as they are sent */
	char port[6];
};

/* What a connection is made to: see way.h. */
struct probe_way {
	char host[PROBE_NAME_MAX + 1];
	char port[6];
	bool tls;              /* it is a proxy that is spoken to over TLS */
	const char *addresses; /* of the host, numeric, separated by commas; borrowed. NULL: it is looked up */
};

/* "https://host[:port][/path][?query]"; a fragment is dropped. THAW_FAILED: *err, class USAGE. */
enum thaw_status probe_url_parse(struct probe_url *url, const char *text, struct thaw_error *err) THAW_MUST_CHECK;

/* How long a probe waits for its way to the server. */
struct probe_patience {
	uint64_t until_ms;                        /* of clock_now_ms(): for all of it, the name's look-up too */
	uint32_t each_ms;                         /* for each address */
	const volatile sig_atomic_t *interrupted; /* as in crew_options */
};

/*
 * The first address that a TCP connection can be made to is kept in *address. The name is looked up as the system does
 * it. *named: the name has addresses, but none of them can be reached (true), or it has none, or that was not found out
 * in time (false). THAW_FAILED: *err, also where it was interrupted.
 */
enum thaw_status probe_find_address(const struct probe_way *way, const struct probe_patience *patience,
				    struct sockaddr_storage *address, bool *named,
				    struct thaw_error *err) THAW_MUST_CHECK;

#endif
