/* Translates OpenSSL's errors. */
#ifndef TLS_FAILURE_H
#define TLS_FAILURE_H

#include "thaw/types.h"

struct ssl_st;

/*
 * The status of a call on ssl that returned result (<= 0): THAW_WANT_*, THAW_CLOSED (close_notify), or THAW_FAILED with
 * the first error in *err, as text after `what` ("reading"). Empties OpenSSL's error queue.
 */
enum thaw_status tls_failure(const struct ssl_st *ssl, int result, const char *what, struct thaw_error *err);

/* What to do about the errno of a file that a setting or an option names: "; ..."; "": unknown. */
const char *tls_file_cure(int cause);

/* For calls without an SSL: sets *err from the oldest entry of the error queue, and empties the queue. Always
 * THAW_FAILED. */
enum thaw_status tls_library_failure(enum thaw_error_class cls, const char *what, struct thaw_error *err);

#define TLS_REASON_ROOM 128

/* The text of an entry of OpenSSL's error queue, without numbers; never empty. The result may be `to`. */
const char *tls_failure_reason(unsigned long code, char to[static TLS_REASON_ROOM]);

enum tls_pem_kind { TLS_PEM_CERTIFICATE, TLS_PEM_KEY, TLS_PEM_CRL };

/*
 * After OpenSSL failed to read a PEM file, or found nothing in it: sets *err to the file's name, the cause and a remedy
 * (pem_fault.c). If the file looks valid, or memory ran out, uses OpenSSL's text. Always THAW_FAILED.
 */
enum thaw_status tls_pem_fault(const char *file, enum tls_pem_kind wanted, struct thaw_error *err);

/*
 * Whether the error queue has a failed allocation; call it before the queue is emptied. OpenSSL adds that entry where
 * the allocation failed, or in a caller.
 */
bool tls_failure_is_memory(void);

/*
 * After a fatal error of a call on ssl, before the queue is emptied: whether the client's private key could not sign.
 * Only the CertificateVerify message needs the key. tls_failure() reports out of memory there as such.
 */
bool tls_failure_is_key(const struct ssl_st *ssl);

/* alert.c: whether the code is an alert from the peer; and a plain text for alerts and some other errors, or NULL. */
bool tls_failure_is_alert(unsigned long code);
const char *tls_failure_plain(unsigned long code, char to[static TLS_REASON_ROOM]);

/* Whether the code is a no_renegotiation alert, after which OpenSSL fails the connection. */
bool tls_failure_is_no_renegotiation(unsigned long code);

#endif
