/*
 * One upload that cannot freeze, on libcurl: the connection is primed, the body is held back while the server asks, and
 * a server that does not read on ends it, with what came of it and why.
 *
 * send_run() makes attempts until one has an outcome that another could not better. An attempt (attempt.h) is a priming
 * request, perhaps over TLS 1.2 once more, and a transfer (transfer.h): libcurl's multi interface in a loop, with a
 * body (body.h) behind a gate. What is decided is decided in plan.h, without I/O; explain.h finds the words for what
 * went wrong.
 */
#ifndef SEND_SEND_H
#define SEND_SEND_H

#include "send/body.h"
#include "send/plan.h"

#define SEND_HEADERS_MAX   64
#define SEND_HINT_ROOM     2560
#define SEND_LOCATION_ROOM 4096 /* signed URLs are long */
#define SEND_SCHEMES_ROOM  64
#define SEND_PAGE_ROOM     1024
#define SEND_FAULT_ROOM    256
#define SEND_SLOW_KEY_MS   1000
#define SEND_ASKS_MAX      8 /* that are remembered; others are counted */

struct tls_credentials;

/* How a user is told to the server (RFC 7617, 7616). */
enum send_login { SEND_LOGIN_BASIC, SEND_LOGIN_DIGEST };

enum send_tls { SEND_TLS_ANY, SEND_TLS_12, SEND_TLS_13 };

enum send_news_kind {
	SEND_NEWS_ASKED,    /* ask is set */
	SEND_NEWS_NOTE,     /* text: what it does, and why */
	SEND_NEWS_PROGRESS, /* sent, total, waits, waited_ms */
};

/* What it waits for, where it is not for bytes to move. */
enum send_waits { SEND_WAITS_NOT, SEND_WAITS_PRIMING, SEND_WAITS_RESPONSE };

/* An ask, when it happens. */
struct send_ask {
	enum thaw_means means;
	bool priming;
	bool declined; /* there was no certificate to give, or none that the server takes */
	const char *subject;
	const char *const *issuers;
	size_t issuer_count;
};

struct send_news {
	enum send_news_kind kind;
	const struct send_ask *ask;
	const char *text;
	uint64_t sent; /* bytes of the body that the peer's system has */
	int64_t total; /* -1: not known */
	enum send_waits waits;
	uint64_t waited_ms; /* for how long already */
};

struct send_options {
	const char *url;
	const char *method; /* "PUT" or "POST" */
	const char *file;   /* "-": standard input */
	struct send_part parts[BODY_PARTS_MAX];
	size_t part_count; /* > 0: a form, in place of file */
	const char *headers[SEND_HEADERS_MAX];
	size_t header_count;
	const struct tls_credentials *credentials; /* NULL: none */
	const char *fault;                         /* what is wrong with them; NULL or "": nothing */
	const char *ca, *ca_folder; /* a file, and a folder by hashes of names; both NULL: the system's */
	bool insecure;
	enum send_tls tls;
	enum send_choice prime, expect;
	const char *prime_url;                          /* NULL: url */
	uint64_t limit_rate;                            /* bytes a second; 0: no limit */
	const char *const *connect_to, *const *resolve; /* as curl's --connect-to and --resolve */
	size_t connect_to_count, resolve_count;
	const char *sni;      /* in place of url's host in SNI, and in the server's certificate; NULL: none */
	const char *proxy_ca; /* of an https:// proxy; NULL: the system's */
	const char *proxy, *proxy_user, *no_proxy; /* NULL: as the environment says; none; as the environment says */
	const char *user_agent;
	const char *user; /* "NAME:PASSWORD"; NULL: none */
	enum send_login login;
	bool include;         /* take the response's head, too */
	unsigned follow_max;  /* redirections (307, 308) that are followed, one after another; 0: none */
	bool follow_trusting; /* also with the certificate, the user and all header fields to another origin */
	unsigned retries;
	bool resume;
	uint32_t stall_ms, timeout_ms; /* timeout_ms 0: none */
	uint32_t response_ms;          /* for the response, behind the whole body; 0: HELPER_PATIENCE times stall_ms */
	void (*tell)(void *arg, const struct send_news *news);
	bool (*take)(void *arg, const char *bytes,
		     size_t len); /* of the response's body; false: it cannot be written */
	/* Lines of a final response's head, each with its CRLF; the first begins with "HTTP/". */
	bool (*take_head)(void *arg, const char *line, size_t len);
	void *arg;
};

/* What is remembered of an ask. */
struct send_asked {
	enum thaw_means means;
	bool priming, declined;
};

/* Whether a redirection is followed; or why it is not. */
enum send_follow {
	SEND_FOLLOW,
	SEND_FOLLOW_STATUS,  /* it is none that says to send the same elsewhere: 307, 308 */
	SEND_FOLLOW_NOWHERE, /* it names no place */
	SEND_FOLLOW_UNASKED, /* nobody wishes so */
	SEND_FOLLOW_LIMIT,   /* it is one too many */
	SEND_FOLLOW_PLAIN,   /* from https to http */
	SEND_FOLLOW_SCHEME,  /* to what is no URL, or of another scheme */
	SEND_FOLLOW_BODY,    /* the body cannot be sent once more */
};

/* What the page of a refusal says, beside its status. */
enum send_says { SEND_SAYS_NOTHING, SEND_SAYS_NO_CERTIFICATE, SEND_SAYS_BAD_CERTIFICATE, SEND_SAYS_PLAIN };

struct send_result {
	enum send_cause cause;
	long status;
	struct thaw_error err;     /* what went wrong */
	char hint[SEND_HINT_ROOM]; /* why, and what to change; "": nothing is known */
	uint64_t sent;             /* bytes of the body that the peer's system had at the end; the last attempt's */
	int64_t total;             /* of what was to be sent; -1: not known */
	uint64_t resumed_from;     /* bytes of the file that the server had before */
	uint64_t ms;
	uint64_t stalled_ms;   /* for how long nothing moved, of SEND_STALLED */
	uint64_t stalled_with; /* bytes of a response that trickled in that time */
	long prime_status;
	unsigned attempts;
	int system_error;   /* an errno: why there is no connection; 0: not known */
	long tunnel_status; /* what the proxy answered to CONNECT; 0: nothing, or there is none */
	bool late;          /* the time for it was over */
	bool garbled;       /* what came is not an HTTP/1.1 response */
	bool primed;        /* the upload was pinned to a primed connection */
	bool reused; /* its connection is that of the upload before; and that was asked for a certificate already: */
	bool asked_before, declined_before;
	bool expected, continued; /* with Expect; a 100 came */
	struct send_asked asks[SEND_ASKS_MAX];
	size_t ask_count;
	bool key_failed; /* the client's key made no signature: */
	char key_reason[SEND_FAULT_ROOM];
	uint64_t key_ms;                   /* the longest that it took to make one */
	unsigned alert;                    /* the last one that the server sent; 0: none */
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
	char page[SEND_PAGE_ROOM];         /* of the response's body, the first bytes */
	size_t page_len;
	enum send_says says;
	uint64_t retry_after_s; /* the server says when to come again (RFC 9110 10.2.3); 0: it does not */
	long verify; /* why the server's certificate is not accepted: an X509_V_ERR; 0 or 1: for its name; or: */
#define SEND_VERIFY_PROXY (-1) /* it is the proxy's */
};

/* What uploads to one origin share: the connection, and what is known of the server. */
struct send_session;
void send_session_end(struct send_session **session);

/*
 * THAW_OK: result->cause is SEND_DONE. The result is always filled in.
 *
 * *session, NULL before the first upload, is for the next one, which goes over the same connection where it can be: to
 * the same origin, with the same certificate and user. What else the options point to stays, but for url and file.
 * NULL: there is no next one.
 */
enum thaw_status send_run(const struct send_options *options, struct send_session **session,
			  struct send_result *result);

#endif
