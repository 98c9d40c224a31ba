/*
 * Session tickets (RFC 5077, RFC 8446 4.6.1): their keys, from a file that several machines share, and the settings
 * that they are bound to.
 *
 * The file has one key per line, as 160 hexadecimal digits or in base64: 80 bytes, which are a name (16), an
 * HMAC-SHA-256 key (32) and an AES-256-CBC key (32), in the same order as for OpenSSL and nginx. `openssl rand -hex 80`
 * makes one. Lines may be empty or begin with '#'. The first key encrypts new tickets. All keys decrypt tickets; a
 * ticket under another key than the first is replaced. To rotate without losing sessions: add the new key last on every
 * machine, then make it the first on every machine, then remove the old one.
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
 * NULL with *err set; its text begins with the file's name and line, and never has a part of a key. Refuses a file that
 * is readable by others than owner and group, or writable by others than the owner.
 */
struct tls_ticket_keys *tls_ticket_keys_load(const char *file, struct thaw_error *err);

/* Wipes the keys. */
void tls_ticket_keys_free(struct tls_ticket_keys **keys);

/* Connections of ctx use keys, which must outlive it. Uses the context's app data. False: out of memory. */
bool tls_ticket_keys_use(const struct tls_ticket_keys *keys, struct ssl_ctx_st *ctx) THAW_MUST_CHECK;

/* A copy of the keys that OpenSSL has generated for ctx. NULL: out of memory. */
struct tls_ticket_keys *tls_ticket_keys_of(struct ssl_ctx_st *ctx);

/*
 * Decrypts a ticket for the ClientHello callback, before OpenSSL processes it. The caller frees the session. NULL:
 * encrypted with none of the keys, or out of memory.
 */
struct ssl_session_st *tls_ticket_open(const struct tls_ticket_keys *keys, const unsigned char *ticket, size_t len);

/*
 * The session id context of a host: its name and all its trust settings. Otherwise a session of one host could be
 * resumed on another, with its certificate (CVE-2025-23048, CVE-2025-23419). It depends only on the configuration and
 * the CAs and CRLs, so that machines with the same settings can resume each other's sessions. False: out of memory.
 */
bool tls_ticket_binding(const struct tls_host *host,
			unsigned char binding[static TLS_TICKET_BINDING_SIZE]) THAW_MUST_CHECK;

#endif
