/*
 * The signer: the only process of a generation that opens the tokens with private keys. It signs for the workers
 * (tls/signer.h). It serves no client. At the start it reads the files with PINs, then only the workers' requests, and
 * what the token's module reads.
 *
 * Each worker has a pair of sockets to the signer. The master creates all pairs before both, and keeps them, so that a
 * replaced worker or signer continues to use the same pair. The signer serves one request of each worker in turn.
 */
#ifndef LOOP_SIGNER_H
#define LOOP_SIGNER_H

#include <sys/types.h>

#include "config/config.h"
#include "loop/channel.h"

struct log;
struct privileges;
struct tls_signer;

/* ends[i][0] is the end of worker i, ends[i][1] the signer's; -1: closed. */
struct signer_links {
	unsigned count;
	int (*ends)[2];
};

/* Returns whether a key of a host, or Thaw's own key for an upstream, is on a token. Otherwise there is no signer. */
bool signer_is_needed(const struct config *config);

/* On failure returns false and sets errno. */
bool signer_links_open(struct signer_links *links, unsigned count) THAW_MUST_CHECK;
void signer_links_close(struct signer_links *links);
/* In a worker: closes all ends except its own, and returns that one. -1: there is none. */
int signer_links_of_worker(struct signer_links *links, unsigned worker);

/* In the signer: closes the ends of all workers. */
void signer_links_of_signer(struct signer_links *links);

/* Reads the files with PINs, as the user of this process. NULL with *err set on failure. */
struct tls_signer *signer_keys(const struct config *config, struct thaw_error *err);

/* Opens the tokens in a separate process, as the user of the workers, to check whether a signer could. */
enum thaw_status signer_check(const struct config *config, const struct privileges *privileges,
			      struct thaw_error *err) THAW_MUST_CHECK;

/* The exit status of a signer that could not open its keys. It is not restarted, because another attempt may lock the
 * token. */
#define SIGNER_NO_KEYS 78

/* All borrowed. They are this process's copies of the master's objects. */
struct signer_setup {
	const struct config *config;
	struct tls_signer *keys; /* signer_run() opens them */
	struct signer_links *links;
	struct log *log;
	struct channel_end master;
};

/* Call this after privileges are dropped, with SIGTERM blocked. Serves until SIGTERM. Returns the exit status of the
 * process. */
int signer_run(const struct signer_setup *setup);

#endif
