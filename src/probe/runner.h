/* Runs checks in parallel over TCP sockets with poll(2): the only part of the probe that does I/O. */
#ifndef PROBE_RUNNER_H
#define PROBE_RUNNER_H

#include <signal.h>
#include <sys/socket.h>

#include "probe/check.h"

#define RUNNER_MAX 24 /* maximum number of parallel checks; further ones wait */

struct runner;

struct runner_options {
	struct sockaddr_storage address;
	const char *name;                 /* for SNI and the certificate */
	const char *tunnel;               /* the CONNECT request to send on each connection; NULL: no proxy */
	struct tls_client_context *proxy; /* TLS to the proxy; NULL: none. Must outlive the runner */
	const char *proxy_name;
	uint32_t tunnel_ms;                       /* time limit for the proxy's response */
	unsigned at_once;                         /* 1 to RUNNER_MAX */
	const volatile sig_atomic_t *interrupted; /* checked regularly: true ends all checks at once */
	/* Called up to ten times per second; may be NULL. */
	void (*progress)(void *arg);
	void *arg;
};

/* NULL: out of memory. */
struct runner *runner_new(const struct runner_options *options);
void runner_free(struct runner **runner); /* frees all its checks */

/*
 * Tests whether the proxy opens tunnels, on a separate connection; THAW_OK without a proxy. THAW_FAILED: *err. If
 * the proxy fails later, checks see a closed connection.
 */
enum thaw_status runner_try_tunnel(struct runner *runner, struct thaw_error *err) THAW_MUST_CHECK;

/* Waits until another check can start. */
void runner_make_room(struct runner *runner);

/* Starts a check as soon as possible. The runner owns it. NULL with *err set: out of memory, or no socket. */
const struct check *runner_start(struct runner *runner, const struct check_script *script,
				 struct tls_client_context *context, struct tls_client_memory *memory,
				 struct thaw_error *err);

/* Waits until the outcome of each of these checks is known. A stalled one may still be open, to see when the server
 * closes it. NULLs are skipped. */
void runner_wait(struct runner *runner, const struct check *const *checks, size_t count);

/* check_is_frozen() for a check of the runner. */
void runner_is_frozen(struct runner *runner, const struct check *check);

/* Waits for all checks. */
void runner_wait_all(struct runner *runner);

/* How many connections failed. */
size_t runner_unreached(const struct runner *runner);

/* The longest time for one signature of our key if it is long enough to delay others, else 0; from then on checks
 * run one at a time. And the first check whose key could not sign, or NULL. */
uint32_t runner_key_ms(const struct runner *runner);
const struct check *runner_key_failed(const struct runner *runner);

/* The number of checks so far, and the body bytes sent. */
size_t runner_begun(const struct runner *runner);
uint64_t runner_uploaded(const struct runner *runner);

#endif
