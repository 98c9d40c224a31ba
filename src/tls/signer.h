/*
 * Signatures with keys that workers must not have: keys on tokens. The signer process has the keys (struct tls_signer).
 * Each worker has the public keys, for which the signer makes the signatures (struct tls_remote), and its own socket to
 * the signer.
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

/* How long a worker waits for a signature; it does nothing else meanwhile. After a timeout it requests none for the
 * same time: handshakes that need one fail immediately. */
#define TLS_SIGN_MS 1000

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

struct tls_remote;

struct tls_remote *tls_remote_new(struct thaw_error *err);
void tls_remote_free(struct tls_remote **remote); /* free all users of its keys first */

/* Call it after fork: sets this process's socket; borrowed. */
void tls_remote_use(struct tls_remote *remote, int fd);

/*
 * A turn of the event loop begins. tls_remote_may_wait(): whether signatures of this turn have taken less than
 * TLS_SIGN_SHARE_MS. Otherwise a handshake that may need one waits for the next turn, so that signatures delay a turn
 * by at most that time plus one signature.
 */
#define TLS_SIGN_SHARE_MS 10
void tls_remote_turn(void);
bool tls_remote_may_wait(void);

/* A key for the source of that number, with the certificate's public half. The caller frees it. NULL with *err set. */
struct evp_pkey_st *tls_remote_key(struct tls_remote *remote, const struct x509_st *certificate, size_t host,
				   struct thaw_error *err);

/* Why the last signature failed, and resets that; NULL: it did not fail. remote may be NULL. */
const char *tls_remote_failure(struct tls_remote *remote);

#endif
