/*
 * libthaw-curl, a separate library for programs that upload with libcurl and a client certificate. It primes a
 * connection and pins the upload to it.
 *
 * A server that asks for the certificate after it has seen the request asks in the middle of a large upload. If it then
 * stops reading, both sides wait for each other. Priming means to send a HEAD request first: no body delays the ask,
 * and the connection then has the certificate. This works only if the upload uses that same connection, which a
 * connection pool does not guarantee. Here the upload uses the primed connection, or nothing is sent:
 *
 *	thaw_curl *helper = NULL;
 *	CURLcode code;
 *
 *	do {
 *		if (thaw_curl_prime(curl, NULL, &helper, &err) != THAW_OK)
 *			break;                        (err says why)
 *		code = curl_easy_perform(curl);
 *	} while (thaw_curl_lost(helper));             (nothing was sent: prime again)
 *	...
 *	curl_easy_cleanup(curl);
 *	thaw_curl_free(&helper);
 *
 * CURLE_OK and a 2xx status do not prove success: libcurl returns them also when a server answers and closes the
 * connection before it has the whole body. Compare CURLINFO_SIZE_UPLOAD_T with the length of the body.
 *
 * Uploads of such a handle also survive an ask in the middle: see thaw_curl_prime(). examples/upload.c is a complete
 * program. Requires libcurl 7.87 or later, with OpenSSL as its TLS library.
 *
 * Threads: a handle and its helper are used by one thread at a time. Handles share no state.
 */
#ifndef THAW_CURL_H
#define THAW_CURL_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct thaw_curl thaw_curl;

/* An ask, when the certificate is sent. The strings are valid during the call. */
struct thaw_curl_ask {
	enum thaw_means means;      /* how the server asks */
	bool priming;               /* true: during the priming request; false: during the upload */
	const char *subject;        /* of the certificate that is sent; NULL: none is configured */
	const char *const *issuers; /* the CAs that the server names, at most 32; none: any CA is acceptable */
	size_t issuer_count;        /* number of issuers */
};

/* Options of a helper. Zero selects a field's default. Strings are copied. */
struct thaw_curl_options {
	size_t size;     /* sizeof(struct thaw_curl_options) */
	const char *url; /* URL of the HEAD request; default: the handle's URL. Same scheme, host and port */
	/* A struct curl_slist of header fields for the HEAD request, which must outlive the helper. The handle's own
	 * fields are not sent. */
	void *headers;
	uint32_t tries;      /* how often a lost connection is primed again; default 3 */
	uint32_t timeout_ms; /* limit for a HEAD and its response, including an ask, without the time of the key's
				signature; default 60,000 */
	/* The upload fails if a partly sent TLS record makes no progress for stall_ms (default 30,000), or needs more
	 * than block_ms (default 60,000): see "Blocking" at thaw_curl_prime(). For all else use CURLOPT_LOW_SPEED_TIME.
	 * */
	uint32_t stall_ms, block_ms;
	/* Called at each ask, when the certificate is sent, with arg. May be NULL. */
	void (*asked)(void *arg, const struct thaw_curl_ask *ask);
	void *arg;
};

/* The result of priming. */
struct thaw_curl_report {
	uint32_t primed;       /* number of HEAD requests that were answered */
	long status;           /* HTTP status of the last response; the connection is primed whatever it is */
	enum thaw_means asked; /* THAW_MEANS_NONE: the server did not ask for a certificate on this connection */
	bool given;            /* our certificate was sent; false although asked: none is configured */
	bool kept;       /* the connection is open for the upload; false: the server closes it after each response */
	const char *tls; /* "TLSv1.3"; NULL: plain HTTP */
};

/*
 * Primes a connection with a HEAD request, and pins the handle's next request to it.
 *
 * curl: a CURL easy handle with all options set, ready for curl_easy_perform() or a multi handle. The first call
 * creates *helper, which is NULL before. From then on the helper uses these options of the handle: CURLOPT_SHARE,
 * _SSL_CTX_FUNCTION, _PREREQFUNCTION, _SOCKOPTFUNCTION, _UPLOAD_BUFFERSIZE, _HTTP_VERSION (HTTP/1.1: HTTP/2 has no late
 * ask, RFC 9113 9.2.3). It sends the HEAD request and waits for the response, at most timeout_ms. The next perform of
 * the handle uses that connection, or returns CURLE_ABORTED_BY_CALLBACK before any of its request is sent.
 *
 * On every connection of the handle an ask is answered at any time, also in the middle of a write, where OpenSSL alone
 * would fail the connection.
 *
 * Blocking: for this, each TLS record is written completely. If the socket takes only a part of a record, and nothing
 * can be read, the call into libcurl (curl_easy_perform(), curl_multi_perform(), curl_multi_socket_action()) waits
 * until the rest is sent. On most paths that takes milliseconds; at most block_ms, or stall_ms without progress. A call
 * waits for one record at most. Other transfers and timers of a multi handle wait meanwhile, and during each
 * thaw_curl_prime(). If that is too long, use a separate thread for the upload.
 *
 * THAW_OK: the request is pinned. THAW_FAILED, with *err: the server cannot be reached, does not keep the connection
 * open, closed it too often, or answers HEAD with a body. The handle is then not pinned: performing it uploads without
 * priming. If *helper is still NULL, the handle has no helper: the options above are unset, or as the caller set them.
 */
enum thaw_status thaw_curl_prime(void *curl, const struct thaw_curl_options *options, thaw_curl **helper,
				 struct thaw_error *err) THAW_MUST_CHECK;

/*
 * A server that answers HEAD with a body breaks HTTP (RFC 9110 9.3.2). If the body arrives before the upload begins,
 * thaw_curl_prime() fails. If it arrives later, libcurl takes it for the response to the upload, and the perform
 * returns CURLE_UNSUPPORTED_PROTOCOL or CURLE_WEIRD_SERVER_REPLY. Upload to such a server without priming.
 */

/*
 * Why a request was not sent, when a perform returned CURLE_ABORTED_BY_CALLBACK.
 *
 * libcurl sends more than one request in a perform for CURLOPT_HTTPAUTH with Digest, NTLM or Negotiate, and with
 * CURLOPT_FOLLOWLOCATION. They are sent if they use the primed connection. Set CURLOPT_SEEKFUNCTION, so that libcurl
 * can send the body once more.
 */
enum thaw_curl_refusal {
	THAW_CURL_NOT_REFUSED,
	THAW_CURL_LOST,      /* the primed connection was closed before the first request: prime again */
	THAW_CURL_REPEATED,  /* libcurl would have repeated the request, after a connection that ended without a
				response, or after a 417: the caller decides whether that is safe */
	THAW_CURL_ELSEWHERE, /* after a 401 or 407, or a redirection: it needs another connection, which is not primed.
			      * CURLINFO_REDIRECT_URL has the redirection's target: prime and upload to that */
	THAW_CURL_ENDLESS,   /* the server wants more than 5 login steps, or 30 redirections */
};
enum thaw_curl_refusal thaw_curl_refused(const thaw_curl *helper);

/* Whether the refusal was THAW_CURL_LOST: the perform after a successful thaw_curl_prime() sent nothing, because the
 * primed connection was closed. */
bool thaw_curl_lost(const thaw_curl *helper);

/* The result of the last thaw_curl_prime(). It belongs to the helper. */
const struct thaw_curl_report *thaw_curl_report(const thaw_curl *helper);

/* Frees a helper. Call it after curl_easy_cleanup() of its handle, which closes the connections. Sets the pointer to
 * NULL; helper may be NULL. */
void thaw_curl_free(thaw_curl **helper);

#ifdef __cplusplus
}
#endif
#endif
