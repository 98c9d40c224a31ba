/*
 * A crew runs trials side by side, over TCP sockets, under poll(2): the only part of the probe that does I/O.
 */
#ifndef PROBE_CREW_H
#define PROBE_CREW_H

#include <signal.h>
#include <sys/socket.h>

#include "probe/trial.h"

#define CREW_MAX 24 /* trials at once: more is waited for */

struct crew;

struct crew_options {
	struct sockaddr_storage address;
	const char *name;                 /* for SNI and certificates */
	const char *tunnel;               /* the CONNECT with which each connection begins; NULL: there is no proxy */
	struct tls_client_context *proxy; /* the TLS below that; NULL: none. It outlives the crew */
	const char *proxy_name;
	uint32_t tunnel_ms; /* how long its answer is awaited */
	unsigned at_once;   /* 1 to CREW_MAX */
	const volatile sig_atomic_t
		*interrupted; /* looked at now and then: true ends all trials as far as they have come */
	/* Called now and then, at most about ten times a second; may be NULL. */
	void (*progress)(void *arg);
	void *arg;
};

/* NULL: no memory. */
struct crew *crew_new(const struct crew_options *options);
void crew_free(struct crew **crew); /* and all its trials */

/*
 * Whether the proxy makes tunnels, if there is one: tries it on a connection of its own. THAW_FAILED: *err. When it
 * refuses later, the trial finds its connection closed.
 */
enum thaw_status crew_try_tunnel(struct crew *crew, struct thaw_error *err) THAW_MUST_CHECK;

/* Until there is a place for another trial, for which others are waited for. */
void crew_make_room(struct crew *crew);

/*
 * Begins a trial as soon as there is a place. It belongs to the crew, and lives as
 * long as that does. NULL: no memory, or no socket, with the cause in *err.
 */
const struct trial *crew_start(struct crew *crew, const struct trial_script *script, struct tls_client_context *context,
			       struct tls_client_memory *memory, struct thaw_error *err);

/* Until the outcome of each of these is known; one that has stalled may still be held, to see when the server gives up.
 * NULLs among them are passed over. */
void crew_wait(struct crew *crew, const struct trial *const *trials, size_t count);

/* As trial_is_frozen(), of one of the crew's. */
void crew_is_frozen(struct crew *crew, const struct trial *trial);

/* Until all are. */
void crew_wait_all(struct crew *crew);

/* How many connections could not be made. */
size_t crew_unreached(const struct crew *crew);

/* The longest step in which this side's key signed, if it is long enough to keep others waiting, else 0: from then on
 * trials are run one at a time. And the first whose key made no signature, or NULL. */
uint32_t crew_key_ms(const struct crew *crew);
const struct trial *crew_key_failed(const struct crew *crew);

/* What has been begun so far, and the body bytes that have been sent. */
size_t crew_begun(const struct crew *crew);
uint64_t crew_uploaded(const struct crew *crew);

#endif
