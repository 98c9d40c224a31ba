/*
 * What all parts of the interface share: the version, results and errors, and the vocabulary of an ask.
 *
 * Results. A call that can fail returns enum thaw_status. What it makes is given back through a pointer, which is NULL
 * after a failure. Calls that make an object, and calls without one, take a struct thaw_error, which they fill; it may
 * be NULL, and need not be initialized. Calls on a thaw_conn keep their error in it: see thaw_conn_error(). Calls on a
 * thaw_spool give an enum thaw_reason instead. A function that returns nothing cannot fail.
 *
 * Structs. A struct that the caller fills, or that a function fills for it, begins with its size:
 *
 *	struct thaw_trust_options options = {.size = sizeof(options), .ca = "clients-ca.pem"};
 *
 * A later version of the library may add fields at the end. A program that was compiled before then passes a smaller
 * size, and gets the defaults for the new fields. A program that was compiled for a newer library than the one that
 * runs may use it as long as the fields that the library does not know are zero: otherwise the call fails with
 * THAW_ERR_USAGE. Other structs belong to the library, which gives pointers to them, and may grow at the end, too.
 * struct thaw_error and the elements of arrays keep their size.
 *
 * Time. Milliseconds of a monotonic clock that the caller reads and passes on; a thaw_conn never looks at a clock. A
 * deadline of THAW_NEVER means that nothing is waited for.
 *
 * Threads. Every type says which threads may use it. The library starts no threads, and has no state of its own beside
 * its objects.
 */
#ifndef THAW_TYPES_H
#define THAW_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define THAW_MUST_CHECK   __attribute__((warn_unused_result))
#define THAW_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define THAW_MUST_CHECK
#define THAW_PRINTF(f, a)
#endif

/* For #if: THAW_VERSION >= THAW_MAKE_VERSION(0, 2, 0). */
#define THAW_MAKE_VERSION(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))
#define THAW_VERSION_MAJOR                     0
#define THAW_VERSION_MINOR                     2
#define THAW_VERSION_PATCH                     0
#define THAW_VERSION                           THAW_MAKE_VERSION(THAW_VERSION_MAJOR, THAW_VERSION_MINOR, THAW_VERSION_PATCH)
#define THAW_VERSION_TEXT                      "0.2.0"

/* A time that does not come: a deadline that is not set. */
#define THAW_NEVER UINT64_MAX

/* How a call ended. 'Blocked' is a class of its own: it is never an error. */
enum thaw_status {
	THAW_OK,         /* done */
	THAW_WANT_READ,  /* call again when the transport can be read */
	THAW_WANT_WRITE, /* call again when the transport can be written */
	THAW_CLOSED,     /* the peer ended the connection in an orderly way */
	THAW_FAILED,     /* the error, or the reason, says why */
};

/* Whose fault a failure is. */
enum thaw_error_class {
	THAW_ERR_NONE,     /* nothing failed */
	THAW_ERR_PEER,     /* the peer broke a protocol, or the connection */
	THAW_ERR_USAGE,    /* the caller broke this interface's rules */
	THAW_ERR_RESOURCE, /* memory, disk or a budget was spent */
	THAW_ERR_TIMEOUT,  /* a deadline passed */
	THAW_ERR_SYSTEM,   /* the operating system refused */
	THAW_ERR_CONFIG,   /* a setting is wrong */
};

/* The room for the text of an error, with its NUL. */
#define THAW_ERROR_TEXT 512

/* Written whole by each call that takes one: THAW_ERR_NONE and an empty text, if it did not fail. */
struct thaw_error {
	enum thaw_error_class cls;  /* whose fault it is */
	char text[THAW_ERROR_TEXT]; /* what failed, on what, and why: one line */
};

/* How this connection can be asked. */
enum thaw_means {
	THAW_MEANS_NONE,           /* it cannot; a reason says why */
	THAW_MEANS_HANDSHAKE,      /* it need not: it has a certificate */
	THAW_MEANS_POST_HANDSHAKE, /* TLS 1.3, RFC 8446 4.6.2 */
	THAW_MEANS_RENEGOTIATION,  /* TLS 1.2, RFC 5746 */
};

/* When it is asked. */
enum thaw_moment {
	THAW_MOMENT_NONE,      /* never */
	THAW_MOMENT_HANDSHAKE, /* in the connection's first handshake */
	THAW_MOMENT_HEADERS,   /* once the request's headers are there */
	THAW_MOMENT_BODY,      /* at the end of the request's body */
	THAW_MOMENT_RESPONSE,  /* after the response */
};

/* How an ask ended. */
enum thaw_verdict {
	THAW_VERDICT_NONE,       /* never asked */
	THAW_VERDICT_PENDING,    /* not ended yet */
	THAW_VERDICT_ACCEPTED,   /* the trust verifies the client's certificate */
	THAW_VERDICT_DECLINED,   /* the client has given no certificate */
	THAW_VERDICT_REJECTED,   /* the client's certificate is not accepted; the reason says why */
	THAW_VERDICT_TIMED_OUT,  /* the client has not answered, or has not sent its body, in time */
	THAW_VERDICT_OVER_LIMIT, /* a limit or the memory was spent before the answer */
	THAW_VERDICT_IMPOSSIBLE, /* this connection cannot be asked; the reason says why */
	THAW_VERDICT_CANCELLED,  /* by the caller, or because the connection broke */
};

/* Why a means is none, or a verdict is not 'accepted'. */
enum thaw_reason {
	THAW_REASON_NONE,               /* there is no reason to give */
	THAW_REASON_NO_POST_HANDSHAKE,  /* TLS 1.3 client that did not offer it */
	THAW_REASON_NO_SECURE_RENEG,    /* TLS 1.2 client without RFC 5746 */
	THAW_REASON_NO_EXTENDED_MASTER, /* TLS 1.2 session resumed without RFC 7627 */
	THAW_REASON_VERSION,            /* neither TLS 1.2 nor 1.3 */
	THAW_REASON_HTTP2,              /* RFC 9113 9.2.3 forbids both means */
	THAW_REASON_OUTSTANDING,        /* an earlier ask on this connection was never answered */
	THAW_REASON_REFUSED_RENEG,      /* the client answered with a no_renegotiation alert */
	THAW_REASON_NO_CERTIFICATE,     /* an empty Certificate message */
	THAW_REASON_UNTRUSTED,          /* verification failed; the report has the text */
	THAW_REASON_IDENTITY_CHANGED,   /* a second, different identity on one connection */
	THAW_REASON_NOT_ALLOWED,        /* verified, but not on the caller's list */
	THAW_REASON_NO_ANSWER,          /* the ask's deadline passed */
	THAW_REASON_BODY_IDLE,          /* the body stopped before its end */
	THAW_REASON_BODY_SIZE,          /* more than max_body */
	THAW_REASON_PIPELINED,          /* too much pipelined behind an asked request */
	THAW_REASON_BUDGET_CLIENT,      /* this client address holds its share already */
	THAW_REASON_BUDGET_WORKER,      /* this worker process holds its share already */
	THAW_REASON_BUDGET_TOTAL,       /* the whole spool is in use */
	THAW_REASON_NO_MEMORY,          /* the system had none left */
	THAW_REASON_DISK_FULL,          /* ENOSPC, EDQUOT */
	THAW_REASON_DISK_ERROR,         /* any other failure of the spool's file */
	THAW_REASON_CONNECTION,         /* the connection broke during the ask */
	THAW_REASON_CALLER,             /* the caller cancelled */
	THAW_REASON_BUDGET_PRESSURE,    /* the spool was nearly full, and this ask had waited longest */
};

/* The version of the library that runs, which may be newer than the headers: in the form of THAW_VERSION_TEXT, and in
 * that of THAW_VERSION. */
const char *thaw_version(void);
uint32_t thaw_version_number(void);

/* The words of the access log and the documentation, such as "post-handshake" or "budget-client". Static; "unknown" for
 * a value that the library does not know. */
const char *thaw_means_name(enum thaw_means means);
const char *thaw_moment_name(enum thaw_moment moment);
const char *thaw_verdict_name(enum thaw_verdict verdict);
const char *thaw_reason_name(enum thaw_reason reason);
const char *thaw_status_name(enum thaw_status status);

#ifdef __cplusplus
}
#endif
#endif
