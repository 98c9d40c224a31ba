/*
 * Signatures with keys that workers must not have: keys on tokens. The signer process has the keys (struct tls_signer).
 * Each worker has the public keys, for which the signer makes the signatures, and its own socket to the signer.
 *
 * Request and answer are one message each, of fixed size, on a pair of SOCK_SEQPACKET sockets. A request has a SHA-2
 * digest, one of three schemes, and the number of a host. So a compromised worker can have anything signed, as with a
 * key of its own, but it cannot copy the key, decrypt with it, or use the signer exclusively. The signer validates each
 * request; a worker checks the size of an answer, and its clients verify the signature.
 */
#ifndef TLS_SIGNER_H
#define TLS_SIGNER_H

#include "tls/credentials.h"

struct evp_pkey_st;
struct x509_st;

/* Requests of a worker at the signer at a time: one that it works on, and the next. More handshakes stand in line. */
#define TLS_SIGN_FLIGHT 2

/* How long a request is valid, and a worker waits for its answer. After a timeout the worker makes none for the second
 * time: handshakes that need one fail immediately. */
#define TLS_SIGN_MS      5000
#define TLS_SIGN_REST_MS 1000

/* ---- in the signer ---- */

struct tls_signer;

/*
 * One source for each host and then for each upstream, in their order; key NULL: it is not on a token. Borrowed.
 * Certificates and files with PINs are read now, and the tokens opened by tls_signer_open(), once: in the process that
 * serves, for a token's module does not survive fork(). NULL, or THAW_FAILED, with *err set; its text names the
 * setting. The PINs stay in memory: some cards ask at each signature.
 */
struct tls_signer *tls_signer_new(const struct tls_credentials_source *sources, size_t count, struct thaw_error *err);
enum thaw_status tls_signer_open(struct tls_signer *signer, struct thaw_error *err) THAW_MUST_CHECK;
void tls_signer_free(struct tls_signer **signer);

/* Reads at most one request, and answers it unless it has expired. now_ms: from clock_now_ms(). False: the message is
 * not a valid request. Waits only for the token. */
bool tls_signer_serve(const struct tls_signer *signer, int fd, uint64_t now_ms);

/* ---- in a worker ---- */

/* tls/signing.h says how a handshake waits for a signature. All of this is of the process, which has one signer. */

/* Call it after fork: sets this process's socket; borrowed. -1: there is no signer. */
void tls_remote_use(int fd);

/* What the loop watches the socket for, besides answers. */
struct tls_remote_wants {
	bool write;           /* requests wait for room in the socket */
	uint64_t deadline_ms; /* call tls_remote_serve() then; THAW_NEVER: there is no deadline */
};

/* Call it before the loop sleeps. False: the socket is not of use any more. */
bool tls_remote_watch(uint64_t now_ms, struct tls_remote_wants *wants);

/* Takes answers, sends requests, ends those that have expired, and wakes the handshakes that can continue. */
void tls_remote_serve(uint64_t now_ms);

/* Why the last handshake that was continued got no signature, and resets that; NULL: it did not fail. */
const char *tls_remote_failure(void);

/* A key for the source of that number, with the certificate's public half. The caller frees it. NULL with *err set. */
struct evp_pkey_st *tls_remote_key(const struct x509_st *certificate, size_t host, struct thaw_error *err);

#endif
