/*
 * The certificates of the simulation: made once for each process, P-256, with fixed dates, in a folder that is removed
 * at the end. OpenSSL's random numbers also come from a seed here, so that a run is reproducible.
 */
#ifndef SIM_PKI_H
#define SIM_PKI_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum pki_id {
	PKI_CA,       /* the clients' */
	PKI_OTHER_CA, /* trusted by a route with another trust */
	PKI_SERVER,   /* localhost, handshake.test */
	PKI_CLIENT,   /* CN=Good Client, by PKI_CA */
	PKI_EXPIRED,  /* by PKI_CA, expired in 2021 */
	PKI_WRONG,    /* CN=Wrong Client, by a CA that nobody trusts */
	PKI_OTHER,    /* CN=Other Client, by PKI_OTHER_CA */
	PKI_COUNT,
};

struct pki_entry {
	X509 *certificate;
	EVP_PKEY *key;
	char certificate_file[96], key_file[96];
	char sha256_hex[65];
	const char *subject; /* in the form of RFC 4514 */
};

/* Exits the process on failure: no simulation is possible then. */
void pki_open(void);
const struct pki_entry *pki_get(enum pki_id id);
const char *pki_folder(void);
void pki_close(void);

/* From now on all random numbers of OpenSSL depend on this seed. */
void pki_seed(uint64_t seed);

#endif
