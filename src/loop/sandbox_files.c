/*
 * Landlock (landlock(7)), with system calls, because libc has no functions for it. The constants of later versions are
 * defined here, because the headers may be older than the kernel. What the kernel does not support is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "loop/sandbox_parts.h"

#define DNS_PORT 53

#define FS_TRUNCATE  (UINT64_C(1) << 14) /* version 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* version 5 */
#define FS_VERSION_1 ((UINT64_C(1) << 13) - 1)

#define NET_BIND_TCP    (UINT64_C(1) << 0) /* version 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define RULE_NET_PORT   2

#define SCOPE_ABSTRACT_SOCKETS (UINT64_C(1) << 0) /* version 6 */
#define SCOPE_SIGNALS          (UINT64_C(1) << 1)

/* Forbidden unless a rule allows it. A kernel accepts a struct longer than its own if the rest is zero. */
struct handled {
	uint64_t fs, net, scoped;
};

struct port_rule {
	uint64_t allowed, port;
};

/* The files that c-ares reads, some at each look-up, and the source of random numbers if getrandom(2) is missing. */
static const char *const readable[] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/dev/urandom",
};

/* An unnamed file (O_TMPFILE) needs only the right to write. Without O_TMPFILE, the spool creates a file and removes
 * its name at once. */
#define SPOOL_RIGHTS                                                                                  \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE)

static struct handled handled_by(long version)
{
	struct handled handled = {.fs = FS_VERSION_1};

	if (version >= 2)
		handled.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		handled.fs |= FS_TRUNCATE;
	if (version >= 4)
		handled.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (version >= 5)
		handled.fs |= FS_IOCTL_DEV;
	if (version >= 6)
		handled.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
	return handled;
}

/* A file that does not exist needs no rule. */
static enum thaw_status allow_path(int rules, const char *path, uint64_t rights, bool must_be, struct thaw_error *err)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights,
						  .parent_fd = open(path, O_PATH | O_CLOEXEC)};

	if (rule.parent_fd < 0)
		return must_be ? error_system(err, errno, "cannot open %s for the sandbox", path) : THAW_OK;
	int failed = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0 ? errno : 0;
	(void)close(rule.parent_fd);
	return failed == 0 ? THAW_OK : error_system(err, failed, "cannot allow %s in the sandbox", path);
}

static enum thaw_status allow_port(int rules, uint16_t port, struct thaw_error *err)
{
	struct port_rule rule = {.allowed = NET_CONNECT_TCP, .port = port};

	if (syscall(SYS_landlock_add_rule, rules, RULE_NET_PORT, &rule, 0) != 0)
		return error_system(err, errno, "cannot allow port %u in the sandbox", port);
	return THAW_OK;
}

static enum thaw_status allow_upstreams(int rules, const struct config *config, struct thaw_error *err)
{
	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct config_upstream *upstream = &config->upstreams[i];
		for (size_t j = 0; j < upstream->server_count; j++) {
			const struct config_server *server = &upstream->servers[j];
			if (server->host != NULL && allow_port(rules, server->port, err) != THAW_OK)
				return THAW_FAILED;
			/* If an answer is too long for UDP, the query is repeated over TCP (RFC 7766). */
			if (server->named && allow_port(rules, DNS_PORT, err) != THAW_OK)
				return THAW_FAILED;
		}
	}
	return THAW_OK;
}

static enum thaw_status allow_all(int rules, const struct config *config, bool ports, struct thaw_error *err)
{
	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		if (allow_path(rules, readable[i], LANDLOCK_ACCESS_FS_READ_FILE, false, err) != THAW_OK)
			return THAW_FAILED;
	if (config->spool.disk > 0 && config->spool.directory != NULL &&
	    allow_path(rules, config->spool.directory, SPOOL_RIGHTS, true, err) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listens[i].acme_webroot != NULL &&
		    allow_path(rules, config->listens[i].acme_webroot, LANDLOCK_ACCESS_FS_READ_FILE, true, err) !=
			    THAW_OK)
			return THAW_FAILED;
	return ports ? allow_upstreams(rules, config, err) : THAW_OK;
}

enum thaw_status sandbox_files(const struct config *config, bool *can, struct thaw_error *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	*can = version >= 1;
	if (version < 1) /* ENOSYS, EOPNOTSUPP, or a container's EPERM */
		return THAW_OK;
	struct handled handled = handled_by(version);
	int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (rules < 0)
		return error_system(err, errno, "cannot create the sandbox (Landlock)");
	enum thaw_status status = allow_all(rules, config, handled.net != 0, err);
	if (status == THAW_OK && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		status = error_system(err, errno, "cannot enter the sandbox (Landlock)");
	(void)close(rules);
	return status;
}
