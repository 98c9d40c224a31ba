/*
 * The signer: the process of a generation that alone opens the tokens with the hosts' keys, and signs for its workers
 * (tls/signer.h). It serves no client, and reads nothing but their requests, and what the token's module does.
 *
 * Each worker has a pair of sockets with it, which the master makes before all of them, and keeps, so that a worker or
 * a signer that is replaced goes on with the same. The signer takes one request of each in turn.
 */
#ifndef LOOP_SIGNER_H
#define LOOP_SIGNER_H

#include <sys/types.h>

#include "config/config.h"
#include "loop/channel.h"

struct log;
struct privileges;
struct tls_signer;

/* Of [i]: [0] is the worker's end, [1] the signer's; -1: closed. */
struct signer_links {
	unsigned count;
	int (*ends)[2];
};

/* Whether a host's key, or one of Thaw's own for an upstream, is on a token: else there is no signer. */
bool signer_is_needed(const struct config *config);

/* False: errno tells. */
bool signer_links_open(struct signer_links *links, unsigned count) THAW_MUST_CHECK;
void signer_links_close(struct signer_links *links);
/* In a worker: closes all but its own end, which is returned; -1: there is none. */
int signer_links_of_worker(struct signer_links *links, unsigned worker);

/* Reads the files with PINs, with the rights of this process. NULL with *err set. */
struct tls_signer *signer_keys(const struct config *config, struct thaw_error *err);

/* Opens the tokens in a process of its own, with the workers' rights, to tell whether a signer could. */
enum thaw_status signer_check(const struct config *config, const struct privileges *privileges,
			      struct thaw_error *err) THAW_MUST_CHECK;

/* The exit status of a signer that could not open its keys: another try may lock the token. */
#define SIGNER_NO_KEYS 78

/* All borrowed, and this process's own copies of what the master made. */
struct signer_setup {
	struct tls_signer *keys; /* opened here */
	struct signer_links *links;
	struct log *log;
	struct channel_end master;
};

/* After privileges are dropped. Serves until SIGTERM, which is blocked until this is called. Its exit status. */
int signer_run(const struct signer_setup *setup);

#endif
