/* Runs trials in parallel over TCP sockets with poll(2): the only part of the probe that does I/O. */
#ifndef PROBE_CREW_H
#define PROBE_CREW_H

#include <signal.h>
#include <sys/socket.h>

#include "probe/trial.h"

#define CREW_MAX 24 /* maximum number of parallel trials; further ones wait */

struct crew;

struct crew_options {
	struct sockaddr_storage address;
	const char *name;                 /* for SNI and the certificate */
	const char *tunnel;               /* the CONNECT request to send on each connection; NULL: no proxy */
	struct tls_client_context *proxy; /* TLS to the proxy; NULL: none. Must outlive the crew */
	const char *proxy_name;
	uint32_t tunnel_ms;                       /* time limit for the proxy's response */
	unsigned at_once;                         /* 1 to CREW_MAX */
	const volatile sig_atomic_t *interrupted; /* checked regularly: true ends all trials at once */
	/* Called up to ten times per second; may be NULL. */
	void (*progress)(void *arg);
	void *arg;
};

/* NULL: out of memory. */
struct crew *crew_new(const struct crew_options *options);
void crew_free(struct crew **crew); /* frees all its trials */

/*
 * Tests whether the proxy opens tunnels, on a separate connection; THAW_OK without a proxy. THAW_FAILED: *err. If
 * the proxy fails later, trials see a closed connection.
 */
enum thaw_status crew_try_tunnel(struct crew *crew, struct thaw_error *err) THAW_MUST_CHECK;

/* Waits until another trial can start. */
void crew_make_room(struct crew *crew);

/* Starts a trial as soon as possible. The crew owns it. NULL with *err set: out of memory, or no socket. */
const struct trial *crew_start(struct crew *crew, const struct trial_script *script, struct tls_client_context *context,
			       struct tls_client_memory *memory, struct thaw_error *err);

/* Waits until the outcome of each of these trials is known. A stalled one may still be open, to see when the server
 * closes it. NULLs are skipped. */
void crew_wait(struct crew *crew, const struct trial *const *trials, size_t count);

/* trial_is_frozen() for a trial of the crew. */
void crew_is_frozen(struct crew *crew, const struct trial *trial);

/* Waits for all trials. */
void crew_wait_all(struct crew *crew);

/* How many connections failed. */
size_t crew_unreached(const struct crew *crew);

/* The longest time for one signature of our key if it is long enough to delay others, else 0; from then on trials
 * run one at a time. And the first trial whose key could not sign, or NULL. */
uint32_t crew_key_ms(const struct crew *crew);
const struct trial *crew_key_failed(const struct crew *crew);

/* The number of trials so far, and the body bytes sent. */
size_t crew_begun(const struct crew *crew);
uint64_t crew_uploaded(const struct crew *crew);

#endif
