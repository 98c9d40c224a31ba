/*
 * Shared by all parts of the API: the version, results and errors, and the terms of an ask.
 *
 * Results. A call that can fail returns enum thaw_status. Calls that make an object return it through a pointer, which
 * is NULL after a failure, and fill a struct thaw_error, which may be NULL and need not be initialized. Calls on a
 * thaw_conn keep their error in it: see thaw_conn_error(). Calls on a thaw_spool set an enum thaw_reason. A function
 * that returns void cannot fail.
 *
 * Arguments. A pointer must not be NULL, unless the function's description says that it may be.
 *
 * Structs. A struct that the caller provides begins with its size:
 *
 *	struct thaw_trust_options options = {.size = sizeof(options), .ca = "clients-ca.pem"};
 *
 * A later version of the library may add fields at the end. A program that was compiled for an older version passes a
 * smaller size, and gets the defaults for the new fields. A program that was compiled for a newer version may run with
 * an older library if the fields that the library does not know are zero; otherwise the call fails with THAW_ERR_USAGE.
 * Other structs belong to the library, which returns pointers to them; they may grow at the end, too. struct thaw_error
 * and the elements of arrays keep their size. Enums may get more values: treat an unknown verdict as a refusal.
 *
 * Time. Milliseconds of a monotonic clock that the caller reads and passes on; a thaw_conn never looks at a clock.
 * THAW_NEVER as a deadline or a timeout means that there is none.
 *
 * Threads. The description of each type says which threads may use it. Functions without an object can be called by any
 * thread. The library starts threads only to close large spool files.
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

/* A deadline that is not set, or a timeout that never ends. */
#define THAW_NEVER UINT64_MAX

/* The result of a call. 'Blocked' (WANT) is never an error. */
enum thaw_status {
	THAW_OK,         /* done */
	THAW_WANT_READ,  /* call again when the transport can be read */
	THAW_WANT_WRITE, /* call again when the transport can be written */
	THAW_CLOSED,     /* the peer closed the connection with close_notify */
	THAW_FAILED,     /* the error or the reason says why */
};

/* The cause of a failure. */
enum thaw_error_class {
	THAW_ERR_NONE,     /* nothing failed */
	THAW_ERR_PEER,     /* the peer violated a protocol, or the connection broke */
	THAW_ERR_USAGE,    /* the caller violated the rules of this API */
	THAW_ERR_RESOURCE, /* out of memory, disk space or quota */
	THAW_ERR_TIMEOUT,  /* a deadline passed */
	THAW_ERR_SYSTEM,   /* the operating system returned an error */
	THAW_ERR_CONFIG,   /* a setting is wrong */
};

/* Size of the text of an error, including its NUL. */
#define THAW_ERROR_TEXT 512

/* Every call that takes one sets it completely: to THAW_ERR_NONE and an empty text on success. */
struct thaw_error {
	enum thaw_error_class cls;  /* the cause */
	char text[THAW_ERROR_TEXT]; /* what failed, on what, and why, in one line */
};

/* How this connection can be asked. */
enum thaw_means {
	THAW_MEANS_NONE,           /* it cannot; a reason says why */
	THAW_MEANS_HANDSHAKE,      /* not needed: the connection has a certificate */
	THAW_MEANS_POST_HANDSHAKE, /* TLS 1.3, RFC 8446 4.6.2 */
	THAW_MEANS_RENEGOTIATION,  /* TLS 1.2, RFC 5746 */
};

/* When the client is asked. */
enum thaw_moment {
	THAW_MOMENT_NONE,      /* never */
	THAW_MOMENT_HANDSHAKE, /* in the connection's first handshake */
	THAW_MOMENT_HEADERS,   /* after the request's header fields */
	THAW_MOMENT_BODY,      /* at the end of the request's body */
	THAW_MOMENT_RESPONSE,  /* after the response */
};

/* The result of an ask. */
enum thaw_verdict {
	THAW_VERDICT_NONE,       /* never asked */
	THAW_VERDICT_PENDING,    /* not ended yet */
	THAW_VERDICT_ACCEPTED,   /* the trust verifies the client's certificate */
	THAW_VERDICT_DECLINED,   /* the client sent no certificate */
	THAW_VERDICT_REJECTED,   /* the client's certificate is not accepted; the reason says why */
	THAW_VERDICT_TIMED_OUT,  /* the client did not answer, or did not send its body, in time */
	THAW_VERDICT_OVER_LIMIT, /* a limit was exceeded, or memory ran out, before the answer */
	THAW_VERDICT_IMPOSSIBLE, /* this connection cannot be asked; the reason says why */
	THAW_VERDICT_CANCELLED,  /* the caller cancelled it, or the connection broke */
};

/* Why the means is none, or the verdict is not 'accepted'. */
enum thaw_reason {
	THAW_REASON_NONE,               /* no reason */
	THAW_REASON_NO_POST_HANDSHAKE,  /* a TLS 1.3 client did not offer post-handshake authentication */
	THAW_REASON_NO_SECURE_RENEG,    /* a TLS 1.2 client without RFC 5746 */
	THAW_REASON_NO_EXTENDED_MASTER, /* a TLS 1.2 session was resumed without RFC 7627 */
	THAW_REASON_VERSION,            /* neither TLS 1.2 nor 1.3 */
	THAW_REASON_HTTP2,              /* RFC 9113 9.2.3 forbids both means */
	THAW_REASON_OUTSTANDING,        /* an earlier ask on this connection was not answered */
	THAW_REASON_REFUSED_RENEG,      /* the client answered with a no_renegotiation alert */
	THAW_REASON_NO_CERTIFICATE,     /* the client sent an empty Certificate message */
	THAW_REASON_UNTRUSTED,          /* verification failed; the report has the details */
	THAW_REASON_IDENTITY_CHANGED,   /* the client presented a second, different identity */
	THAW_REASON_NOT_ALLOWED,        /* verified, but not on the caller's list of allowed clients */
	THAW_REASON_NO_ANSWER,          /* the ask's deadline passed */
	THAW_REASON_BODY_IDLE,          /* the body stalled before its end */
	THAW_REASON_BODY_SIZE,          /* more than max_body */
	THAW_REASON_PIPELINED,          /* too many bytes pipelined after the request */
	THAW_REASON_BUDGET_CLIENT,      /* the quota of this client address is used up */
	THAW_REASON_BUDGET_WORKER,      /* the quota of this worker process is used up */
	THAW_REASON_BUDGET_TOTAL,       /* the total quota of the spool is used up */
	THAW_REASON_NO_MEMORY,          /* out of memory */
	THAW_REASON_DISK_FULL,          /* ENOSPC, EDQUOT */
	THAW_REASON_DISK_ERROR,         /* any other error of the spool's file */
	THAW_REASON_CONNECTION,         /* the connection broke during the ask */
	THAW_REASON_CALLER,             /* the caller cancelled */
	THAW_REASON_BUDGET_PRESSURE,    /* the spool was nearly full, and this ask had the lowest priority */
};

/* The version of the library at run time, which may be newer than the headers, in the form of THAW_VERSION_TEXT and of
 * THAW_VERSION. */
const char *thaw_version(void);
uint32_t thaw_version_number(void);

/* The names used in the access log and the documentation, such as "post-handshake" or "budget-client". Static strings;
 * "unknown" for an unknown value. */
const char *thaw_means_name(enum thaw_means means);
const char *thaw_moment_name(enum thaw_moment moment);
const char *thaw_verdict_name(enum thaw_verdict verdict);
const char *thaw_reason_name(enum thaw_reason reason);
const char *thaw_status_name(enum thaw_status status);

#ifdef __cplusplus
}
#endif
#endif
