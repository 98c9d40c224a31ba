/* Splits the URL into its parts, and resolves its host name to numeric addresses. */
#ifndef PROBE_ADDRESS_H
#define PROBE_ADDRESS_H

#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>

#include "thaw/types.h"

#define PROBE_TARGET_MAX 4096
#define PROBE_NAME_MAX   255

struct probe_url {
	char host[PROBE_NAME_MAX + 1];       /* for SNI and the certificate; without brackets */
	char authority[PROBE_NAME_MAX + 16]; /* for Host: with brackets, and with the port unless it is 443 */
	char target[PROBE_TARGET_MAX + 1];   /* path and query */
	char port[6];
};

/* Where to connect to; see way.h. */
struct probe_way {
	char host[PROBE_NAME_MAX + 1];
	char port[6];
	bool tls;              /* an https:// proxy */
	const char *addresses; /* numeric addresses of the host, separated by commas; borrowed. NULL: look them up */
};

/* "https://host[:port][/path][?query]"; a fragment is dropped. THAW_FAILED: *err, class USAGE. */
enum thaw_status probe_url_parse(struct probe_url *url, const char *text, struct thaw_error *err) THAW_MUST_CHECK;

/* How long to wait for a connection to the server. */
struct probe_patience {
	uint64_t until_ms;                        /* by clock_now_ms(); includes the name lookup */
	uint32_t each_ms;                         /* for each address */
	const volatile sig_atomic_t *interrupted; /* as in struct runner_options */
};

/*
 * Stores the first address that accepts a TCP connection in *address. The name is resolved by the system. *named:
 * true if the name has addresses but none can be reached; false if it has none, or the lookup timed out.
 * THAW_FAILED: *err, also if interrupted.
 */
enum thaw_status probe_find_address(const struct probe_way *way, const struct probe_patience *patience,
				    struct sockaddr_storage *address, bool *named,
				    struct thaw_error *err) THAW_MUST_CHECK;

#endif
