/*
 * The certificates of the simulation: made once for a process, P-256, with fixed dates, in a folder that is removed at
 * the end. Also OpenSSL's random numbers are taken from a seed here, so that a run is the same each time.
 */
#ifndef SIM_PKI_H
#define SIM_PKI_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum pki_who {
	PKI_CA,       /* the clients' */
	PKI_OTHER_CA, /* a route with another trust has it */
	PKI_SERVER,   /* localhost, handshake.test */
	PKI_CLIENT,   /* CN=Good Client, by PKI_CA */
	PKI_EXPIRED,  /* by PKI_CA, expired in 2021 */
	PKI_WRONG,    /* CN=Wrong Client, self-signed CA unknown to all */
	PKI_OTHER,    /* CN=Other Client, by PKI_OTHER_CA */
	PKI_COUNT,
};

struct pki_entry {
	X509 *certificate;
	EVP_PKEY *key;
	char certificate_file[96], key_file[96];
	char sha256_hex[65];
	const char *subject; /* as RFC 4514 writes it */
};

/* Exits the process on failure: nothing can be simulated then. */
void pki_open(void);
const struct pki_entry *pki_get(enum pki_who who);
const char *pki_folder(void);
void pki_close(void);

/* From here on, every random number that OpenSSL draws follows from this seed. */
void pki_seed(uint64_t seed);

#endif
