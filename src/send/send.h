/*
 * One upload that cannot freeze, based on libcurl: the connection is primed, the body is held back while the server
 * asks, and an upload to a server that stops reading ends with an explanation.
 *
 * send_run() makes attempts until one has a final outcome. An attempt (attempt.h) is a priming request, possibly a
 * second one over TLS 1.2, and a transfer (transfer.h): a loop around libcurl's multi interface, with a body (body.h)
 * that is held back by a gate. All decisions are in plan.h, without I/O. explain.h has the texts that explain failures.
 */
#ifndef SEND_SEND_H
#define SEND_SEND_H

#include "send/body.h"
#include "send/plan.h"

#define SEND_HEADERS_MAX   64
#define SEND_HINT_ROOM     2560
#define SEND_LOCATION_ROOM 4096 /* signed URLs can be long */
#define SEND_SCHEMES_ROOM  64
#define SEND_PAGE_ROOM     1024
#define SEND_FAULT_ROOM    256
#define SEND_SLOW_KEY_MS   1000
#define SEND_ASKS_MAX      8 /* asks that are recorded; further ones are only counted */

struct tls_credentials;

/* Authentication scheme for the server (RFC 7617, 7616). */
enum send_login { SEND_LOGIN_BASIC, SEND_LOGIN_DIGEST };

enum send_tls { SEND_TLS_ANY, SEND_TLS_12, SEND_TLS_13 };

enum send_news_kind {
	SEND_NEWS_ASKED,    /* ask is set */
	SEND_NEWS_NOTE,     /* text: what is done and why */
	SEND_NEWS_PROGRESS, /* sent, total, waits, waited_ms */
};

/* What the upload waits for, except for bytes to be transferred. */
enum send_waits { SEND_WAITS_NOT, SEND_WAITS_PRIMING, SEND_WAITS_RESPONSE };

/* An ask, when it happens. */
struct send_ask {
	enum thaw_means means;
	bool priming;
	bool declined; /* no certificate was available, or none that the server accepts */
	const char *subject;
	const char *const *issuers;
	size_t issuer_count;
};

struct send_news {
	enum send_news_kind kind;
	const struct send_ask *ask;
	const char *text;
	uint64_t sent; /* bytes of the body that the peer's system has acknowledged */
	int64_t total; /* -1: unknown */
	enum send_waits waits;
	uint64_t waited_ms; /* how long it has waited so far */
};

struct send_options {
	const char *url;
	const char *method; /* "PUT" or "POST" */
	const char *file;   /* "-": standard input */
	struct send_part parts[BODY_PARTS_MAX];
	size_t part_count; /* > 0: a form; file is ignored */
	const char *headers[SEND_HEADERS_MAX];
	size_t header_count;
	const struct tls_credentials *credentials; /* NULL: none */
	const char *fault;                         /* what is wrong with the credentials; NULL or "": nothing */
	const char *ca, *ca_folder;                /* a file, and a folder with hashed names; both NULL: the system's */
	bool insecure;
	enum send_tls tls;
	enum send_choice prime, expect;
	const char *prime_url;                          /* NULL: url */
	uint64_t limit_rate;                            /* bytes per second; 0: no limit */
	const char *const *connect_to, *const *resolve; /* as curl's --connect-to and --resolve */
	size_t connect_to_count, resolve_count;
	const char *sni;      /* replaces url's host in SNI and in the check of the certificate; NULL: not used */
	const char *proxy_ca; /* CAs for an https:// proxy; NULL: the system's */
	const char *proxy, *proxy_user, *no_proxy; /* NULL: from the environment; none; from the environment */
	const char *user_agent;
	const char *user; /* "NAME:PASSWORD"; NULL: none */
	enum send_login login;
	bool include;         /* also pass the head of the response */
	unsigned follow_max;  /* maximum number of redirects (307, 308) in a row; 0: none */
	bool follow_trusting; /* also to other origins with certificate, user and all header fields */
	unsigned retries;
	bool resume;
	uint32_t stall_ms, timeout_ms; /* timeout_ms 0: none */
	uint32_t response_ms;          /* for the response after the whole body; 0: HELPER_PATIENCE times stall_ms */
	void (*tell)(void *arg, const struct send_news *news);
	bool (*take)(void *arg, const char *bytes,
		     size_t len); /* takes the response's body; false: it cannot be written */
	/* Takes the lines of a final response's head, each with its CRLF; the first begins with "HTTP/". */
	bool (*take_head)(void *arg, const char *line, size_t len);
	void *arg;
};

/* A recorded ask. */
struct send_asked {
	enum thaw_means means;
	bool priming, declined;
};

/* Whether a redirect is followed, or why not. */
enum send_follow {
	SEND_FOLLOW,
	SEND_FOLLOW_STATUS,  /* the status does not repeat the request (only 307 and 308 do) */
	SEND_FOLLOW_NOWHERE, /* no location */
	SEND_FOLLOW_UNASKED, /* not requested by the user */
	SEND_FOLLOW_LIMIT,   /* too many redirects */
	SEND_FOLLOW_PLAIN,   /* from https to http */
	SEND_FOLLOW_SCHEME,  /* not a URL, or another scheme */
	SEND_FOLLOW_BODY,    /* the body cannot be sent again */
};

/* What the body of an error response says, in addition to its status. */
enum send_says { SEND_SAYS_NOTHING, SEND_SAYS_NO_CERTIFICATE, SEND_SAYS_BAD_CERTIFICATE, SEND_SAYS_PLAIN };

struct send_result {
	enum send_cause cause;
	long status;
	struct thaw_error err;     /* the error */
	char hint[SEND_HINT_ROOM]; /* the cause, and what to change; "": unknown */
	uint64_t sent; /* bytes of the body that the peer's system had acknowledged at the end of the last attempt */
	int64_t total; /* of the body; -1: unknown */
	uint64_t resumed_from; /* bytes of the file that the server already had */
	uint64_t ms;
	uint64_t stalled_ms;   /* SEND_STALLED: time without progress */
	uint64_t stalled_with; /* bytes of the response received in that time */
	long prime_status;
	unsigned attempts;
	int system_error;   /* an errno: why there is no connection; 0: not known */
	long tunnel_status; /* what the proxy answered to CONNECT; 0: nothing, or there is none */
	bool late;          /* the time for it was over */
	bool oversized;     /* the response's head is too large */
	bool garbled;       /* what came is not an HTTP/1.1 response */
	bool primed;        /* the upload was pinned to a primed connection */
	bool reused; /* its connection is that of the upload before; and that was asked for a certificate already: */
	bool asked_before, declined_before;
	bool expected, continued; /* sent with Expect; a 100 was received */
	struct send_asked asks[SEND_ASKS_MAX];
	size_t ask_count;
	bool key_failed; /* the client's key could not sign: */
	char key_reason[SEND_FAULT_ROOM];
	uint64_t key_ms;                   /* longest time for one signature */
	unsigned alert;                    /* last alert from the server; 0: none */
	char fault[SEND_FAULT_ROOM];       /* what is wrong with the client's own certificate; "": nothing */
	char tls[16];                      /* "TLSv1.3"; "": none */
	char location[SEND_LOCATION_ROOM]; /* where the server wants it, of a 3xx; "": nowhere, or it is too long */
	enum send_follow follow;           /* of a 3xx */
	unsigned followed;                 /* redirections */
	char url[SEND_LOCATION_ROOM];      /* where the last one led; "": none was followed */
	bool stale;                        /* of a Digest login only the nonce was too old */
	bool only_auth_int;                /* a Digest login has to protect the body, too, which libcurl cannot do */
	char schemes[SEND_SCHEMES_ROOM];   /* by which the server wants a login: "Basic, Digest" (RFC 9110 11.6.1) */
	char server[SEND_SCHEMES_ROOM];    /* its Server field */
	char page[SEND_PAGE_ROOM];         /* the first bytes of the response's body */
	size_t page_len;
	enum send_says says;
	uint64_t retry_after_s; /* Retry-After (RFC 9110 10.2.3); 0: none */
	long verify;           /* why the server's certificate is not trusted, an X509_V_ERR; 0 or 1: wrong name; or: */
#define SEND_VERIFY_PROXY (-1) /* it is the certificate of the proxy */
};

/* Shared by uploads to one origin: the connection, and what is known about the server. */
struct send_session;
void send_session_end(struct send_session **session);

/*
 * THAW_OK: result->cause is SEND_DONE. The result is always filled in.
 *
 * *session is NULL before the first upload, and is kept for the next one. An upload to the same origin with the same
 * certificate and user reuses the connection if possible. Everything the options point to must stay valid, except url
 * and file. session NULL: there is no next upload.
 */
enum thaw_status send_run(const struct send_options *options, struct send_session **session,
			  struct send_result *result);

#endif
