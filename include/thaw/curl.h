/*
 * For programs that upload with libcurl and a client certificate: prime the connection, pin the upload to it. This is
 * libthaw-curl, a library of its own.
 *
 * A server that asks for the certificate only when it has seen the request asks in the middle of a large upload, and
 * if it then does not go on reading, neither side ever moves again. Priming is a HEAD request first: there is no body
 * that could be in the way of the ask, and the connection has the certificate from then on. It helps only if the upload
 * really takes that connection, which a pool of connections does not promise; so here it takes that one, or nothing is
 * sent:
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
 * code CURLE_OK and a status of 2xx are no success yet: libcurl ends so, too, when a server answers and closes before
 * it has all of the body, so compare CURLINFO_SIZE_UPLOAD_T with its length.
 *
 * Such a handle's uploads also survive an ask in their middle: see thaw_curl_prime(). examples/upload.c is a whole
 * program. Needs libcurl 7.87 or later, with OpenSSL as its TLS library.
 *
 * Threads: a handle and its helper are used by one thread at a time. Handles share nothing.
 */
#ifndef THAW_CURL_H
#define THAW_CURL_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct thaw_curl thaw_curl;

/* An ask, at the moment when the certificate goes out. The texts live for the call. */
struct thaw_curl_ask {
	enum thaw_means means;      /* by which the server asks */
	bool priming;               /* it asks the priming request; false: the upload */
	const char *subject;        /* of the certificate that is given; NULL: there is none to give */
	const char *const *issuers; /* the CAs that the server names, at most 32; none: any will do */
	size_t issuer_count;        /* how many issuers there are */
};

/* Zero in a field: its default. All of it is copied. */
struct thaw_curl_options {
	size_t size;     /* sizeof(struct thaw_curl_options) */
	const char *url; /* what the HEAD is sent to; the handle's own URL. Same scheme, host and port */
	/* A struct curl_slist for the HEAD, which outlives the helper; none: the handle's own fields are not sent. */
	void *headers;
	uint32_t tries;      /* how often a lost connection is primed again; 3 */
	uint32_t timeout_ms; /* for a HEAD and its answer, an ask among it, but not the key's signature; 60,000 */
	/* See thaw_curl_prime() of blocking: a record that is half out moves no further for so long, or needs so long
	 * in all: the upload fails; 30,000, and 60,000. CURLOPT_LOW_SPEED_TIME is for the rest. */
	uint32_t stall_ms, block_ms;
	/* Called at each ask, when the certificate goes out, with arg. NULL: nobody is told. */
	void (*asked)(void *arg, const struct thaw_curl_ask *ask);
	void *arg;
};

/* What came of priming. */
struct thaw_curl_report {
	uint32_t primed;       /* how many HEADs were answered */
	long status;           /* of the last answer; whatever it is, the connection is primed */
	enum thaw_means asked; /* THAW_MEANS_NONE: no certificate was asked for on this connection */
	bool given;            /* our certificate went out on it; false, although asked: there was none to give */
	bool kept;       /* the connection is there for the upload; false: the server closes it after each answer */
	const char *tls; /* "TLSv1.3"; NULL: plain HTTP */
};

/*
 * Primes a connection with a HEAD, and pins the handle's next request to it.
 *
 * curl: a CURL easy handle, all options set, ready for curl_easy_perform() or a multi handle. The first call takes it
 * over, and makes *helper, NULL before: from then on these options are the helper's: CURLOPT_SHARE, _SSL_CTX_FUNCTION,
 * _PREREQFUNCTION, _SOCKOPTFUNCTION, _UPLOAD_BUFFERSIZE, _HTTP_VERSION (HTTP/1.1: HTTP/2 knows no late ask, RFC 9113
 * 9.2.3). Sends the HEAD, and waits for its answer, at most timeout_ms. The next perform of the handle then takes that
 * connection, or ends with CURLE_ABORTED_BY_CALLBACK before anything of its request is sent.
 *
 * On every connection of the handle, an ask is answered at any moment, also in the middle of a write: OpenSSL alone
 * would end the connection then.
 *
 * Blocking: for that a TLS record is written whole. If the socket takes a part of it only, and nothing can be read, the
 * call into libcurl (curl_easy_perform(), curl_multi_perform(), curl_multi_socket_action()) waits until the rest is
 * out: for as long as the path needs to take what is left of 16 KiB, milliseconds on most; never longer than block_ms,
 * nor than stall_ms in which not a byte moves. A call waits for one record at most. A multi handle's other transfers
 * and timers wait with it, and with each thaw_curl_prime(); if that is too long,
 * give the upload a thread of its own.
 *
 * THAW_OK: pinned. THAW_FAILED, *err: the server could not be reached, or does not keep the connection, or was lost
 * too often, or answers HEAD with a body; the handle is pinned to nothing, so that performing it is an upload without
 * priming. Where *helper is still NULL then, the handle was not taken over: of those options it has none any more, or
 * its own.
 */
enum thaw_status thaw_curl_prime(void *curl, const struct thaw_curl_options *options, thaw_curl **helper,
				 struct thaw_error *err) THAW_MUST_CHECK;

/*
 * A server that answers HEAD with a body breaks HTTP (RFC 9110 9.3.2). Where that body comes before the upload begins,
 * thaw_curl_prime() says so. Where it comes later, libcurl takes it for the answer to the upload: the perform ends with
 * CURLE_UNSUPPORTED_PROTOCOL or CURLE_WEIRD_SERVER_REPLY. Upload to such a server without priming.
 */

/*
 * Why a request of the perform was not sent: the perform ends with CURLE_ABORTED_BY_CALLBACK then.
 *
 * libcurl sends more than one request in a perform for CURLOPT_HTTPAUTH with Digest, NTLM or Negotiate, and with
 * CURLOPT_FOLLOWLOCATION. They are sent where they go over the primed connection. Set CURLOPT_SEEKFUNCTION, so that
 * libcurl can send the body once more.
 */
enum thaw_curl_refusal {
	THAW_CURL_NOT_REFUSED,
	THAW_CURL_LOST,      /* the primed connection was gone before the first request: prime again */
	THAW_CURL_REPEATED,  /* libcurl would have sent the request again by itself, after a connection that ended
			      * without a response, or after a 417: whether that is safe is the caller's decision */
	THAW_CURL_ELSEWHERE, /* after a 401 or 407, or a redirection: it needs another connection, which is not primed.
			      * CURLINFO_REDIRECT_URL has the redirection's target: prime and upload to that */
	THAW_CURL_ENDLESS,   /* after 5 steps of logins, or 30 redirections: the server asks for more */
};
enum thaw_curl_refusal thaw_curl_refused(const thaw_curl *helper);

/* Whether it was THAW_CURL_LOST: the perform after a successful thaw_curl_prime() sent nothing, because the primed
 * connection was gone. */
bool thaw_curl_lost(const thaw_curl *helper);

/* What came of the last thaw_curl_prime(). It belongs to the helper. */
const struct thaw_curl_report *thaw_curl_report(const thaw_curl *helper);

/* Frees a helper after curl_easy_cleanup() of its handle, whose connections end with that. Sets the pointer to NULL;
 * *helper may be NULL. */
void thaw_curl_free(thaw_curl **helper);

#ifdef __cplusplus
}
#endif
#endif
