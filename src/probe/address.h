/* Where a probe goes: the URL in its parts, and the numeric addresses that its name stands for. */
#ifndef PROBE_ADDRESS_H
#define PROBE_ADDRESS_H

#include <netdb.h>
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

/* "https://host[:port][/path][?query]"; a fragment is dropped. THAW_FAILED: *err, class USAGE. */
enum thaw_status probe_url_parse(struct probe_url *url, const char *text, struct thaw_error *err) THAW_MUST_CHECK;

/*
 * The first address that a TCP connection can be made to is kept in *address; it waits for at most timeout_ms for each.
 * The name is looked up as the system does it, which may take the system's own time. *refused tells a refused, timed
 * out or unreachable address from a name that there is not (false). THAW_FAILED: *err.
 */
enum thaw_status probe_find_address(const struct probe_url *url, struct sockaddr_storage *address, uint32_t timeout_ms,
				    bool *refused, struct thaw_error *err) THAW_MUST_CHECK;

#endif
