/*
 * Signatures by keys that workers must not have: those of tokens. One process, the signer, has them (struct
 * tls_signer); a worker has the public halves, as keys whose signatures the signer makes (struct tls_remote), and a
 * socket to it of its own.
 *
 * A request and its answer are one message each, of a fixed size, on a pair of SOCK_SEQPACKET sockets. A request is for
 * one digest of SHA-2, under one of three schemes, with one of the hosts' keys. So a worker that was taken over can
 * have anything signed while it is, as it can with a key of its own; it cannot take the key away, decrypt with it, or
 * have more than its turn. The signer believes nothing of a request that it has not checked; a worker checks an
 * answer's size, and its clients the signature.
 */
#ifndef TLS_SIGNER_H
#define TLS_SIGNER_H

#include "tls/credentials.h"

struct evp_pkey_st;
struct x509_st;

/* How long a worker waits for a signature, in which it does nothing else. After such a wait in vain it asks for none
 * for as long: handshakes that need one fail at once. */
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

/* Takes at most one request, and answers it unless its time is over. now_ms: of clock_now_ms(). False: what came is no
 * request of a worker. Never waits but for the token. */
bool tls_signer_serve(const struct tls_signer *signer, int fd, uint64_t now_ms);

/* ---- in a worker ---- */

struct tls_remote;

struct tls_remote *tls_remote_new(struct thaw_error *err);
void tls_remote_free(struct tls_remote **remote); /* after all that use its keys */

/* After fork: this process's socket; borrowed. */
void tls_remote_use(struct tls_remote *remote, int fd);

/*
 * A turn of the event loop begins. tls_remote_may_wait(): signatures of this turn have not taken TLS_SIGN_SHARE_MS yet.
 * Where they have, a handshake that may need one waits for the next turn: so one turn, with whatever else is in it, is
 * held up by no more than that and one signature.
 */
#define TLS_SIGN_SHARE_MS 10
void tls_remote_turn(void);
bool tls_remote_may_wait(void);

/* A key for the source of that number, with the certificate's public half. The caller frees it. NULL with *err set. */
struct evp_pkey_st *tls_remote_key(struct tls_remote *remote, const struct x509_st *certificate, size_t host,
				   struct thaw_error *err);

/* Why the last signature was not made, and forgets it; NULL: it was. remote may be NULL. */
const char *tls_remote_failure(struct tls_remote *remote);

#endif
