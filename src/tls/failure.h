/* The one translator of OpenSSL's errors. */
#ifndef TLS_FAILURE_H
#define TLS_FAILURE_H

#include "thaw/types.h"

struct ssl_st;

/*
 * What a call on ssl that returned result (<= 0) means. THAW_WANT_*, THAW_CLOSED (close_notify), or THAW_FAILED with
 * the first cause in *err: a class, and OpenSSL's own words behind what ("reading"). Empties OpenSSL's error queue.
 */
enum thaw_status tls_failure(const struct ssl_st *ssl, int result, const char *what, struct thaw_error *err);

/* For calls that have no SSL: the oldest entry of the error queue, which it empties. Always THAW_FAILED. */
/* What to do about the errno of a file that a setting or an option names: "; ..."; "": not known. */
const char *tls_file_cure(int cause);
enum thaw_status tls_library_failure(enum thaw_error_class cls, const char *what, struct thaw_error *err);

#define TLS_REASON_ROOM 128

/* The words for an entry of OpenSSL's error queue, without its numbers; never empty. The result may be to. */
const char *tls_failure_reason(unsigned long code, char to[static TLS_REASON_ROOM]);

enum tls_pem_kind { TLS_PEM_CERTIFICATE, TLS_PEM_KEY, TLS_PEM_CRL };

/*
 * After OpenSSL could not read a PEM file, or found nothing in it: the cause and the cure, behind the file's name
 * (pem_fault.c). Where the file looks well, or there was no memory, they are OpenSSL's words. Always THAW_FAILED.
 */
enum thaw_status tls_pem_fault(const char *file, enum tls_pem_kind wanted, struct thaw_error *err);

/*
 * Before the queue is emptied: does it say that memory could not be allocated? OpenSSL adds that to the queue at the
 * place that failed, or above it.
 */
bool tls_failure_is_memory(void);

/*
 * The same after a call on ssl failed fatally: did the client's own key make no signature? Only the CertificateVerify
 * message needs it. tls_failure() reports a lack of memory there as such.
 */
bool tls_failure_is_key(const struct ssl_st *ssl);

/* alert.c: whether the code is an alert of the peer's; and plain words for it, and some others, or NULL. */
bool tls_failure_is_alert(unsigned long code);
const char *tls_failure_plain(unsigned long code, char to[static TLS_REASON_ROOM]);

/* Whether *err is the client's no_renegotiation alert, on which OpenSSL ends the connection. */
bool tls_failure_is_no_renegotiation(unsigned long code);

#endif
