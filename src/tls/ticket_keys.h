/*
 * Session tickets (RFC 5077, RFC 8446 4.6.1): the keys that seal them, from a file that several machines share, and
 * what they are bound to.
 *
 * The file has one key a line, as 160 hexadecimal digits or in base64: 80 bytes, which are a name (16), the key of
 * HMAC-SHA-256 (32) and that of AES-256-CBC (32), in the order of OpenSSL's and nginx's files. `openssl rand -hex 80`
 * makes one. Lines may be empty or begin with '#'. The first key seals new tickets; all of them open tickets, and one
 * that was not sealed by the first is replaced. To rotate without losing a session: the new key last on every machine,
 * then first on every machine, then the old one away.
 */
#ifndef TLS_TICKET_KEYS_H
#define TLS_TICKET_KEYS_H

#include "thaw/types.h"

#define TLS_TICKET_KEYS_MAX     8
#define TLS_TICKET_FILE_MAX     16384 /* bytes */
#define TLS_TICKET_BINDING_SIZE 32

struct tls_host;
struct tls_ticket_keys;
struct ssl_ctx_st;
struct ssl_session_st;

/*
 * NULL with *err set, whose text begins with the file's name, and its line if it is about one; it never has a byte of
 * a key. A file that others than its owner and group may read, or others than its owner may write, is refused.
 */
struct tls_ticket_keys *tls_ticket_keys_load(const char *file, struct thaw_error *err);

/* Wipes the keys. */
void tls_ticket_keys_free(struct tls_ticket_keys **keys);

/* The connections of ctx seal and open their tickets with keys, which outlive it. Takes the context's app data. False:
 * no memory. */
bool tls_ticket_keys_use(const struct tls_ticket_keys *keys, struct ssl_ctx_st *ctx) THAW_MUST_CHECK;

/* A copy of the keys that OpenSSL has made for ctx. NULL: no memory. */
struct tls_ticket_keys *tls_ticket_keys_of(struct ssl_ctx_st *ctx);

/*
 * The session in a ticket, before OpenSSL looks at it: for what has to be known in the ClientHello callback. The caller
 * frees it. NULL: it was sealed by none of the keys, or out of memory.
 */
struct ssl_session_st *tls_ticket_open(const struct tls_ticket_keys *keys, const unsigned char *ticket, size_t len);

/*
 * What the tickets of a host are bound to, as OpenSSL's session id context: its name and all its trust settings, or a
 * session made under one could be resumed under another and bring its certificate along (CVE-2025-23048,
 * CVE-2025-23419). It follows from the configuration and the CAs and CRLs alone, so that machines that have the same
 * ones resume each other's sessions. False: no memory.
 */
bool tls_ticket_binding(const struct tls_host *host,
			unsigned char binding[static TLS_TICKET_BINDING_SIZE]) THAW_MUST_CHECK;

#endif
