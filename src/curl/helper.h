/*
 * libthaw-curl (thaw/curl.h), and the additional functions that src/send needs. Only this folder and src/send use
 * libcurl.
 *
 * A thaw_curl helps one easy handle. It is called for each socket that the handle opens, for each TLS context that
 * libcurl makes (which gets a tls_filter), and before the first byte of each request, which it can refuse.
 */
#ifndef CURL_HELPER_H
#define CURL_HELPER_H

#include <curl/curl.h>

#include "thaw/curl.h"
#include "tls/observe.h"

struct tls_credentials;

/* Options that the public interface does not have. */
struct helper_options {
	struct thaw_curl_options options;
	const struct tls_credentials *credentials; /* NULL: those of the handle; must outlive the handle */
	struct tls_observer observer;              /* replaces options.asked, and reports more */
	void (*begins)(void *arg); /* a request is about to be sent; arg as the observer's. NULL: none */
	void (*closes)(void *arg); /* a socket is about to be closed: last chance to call helper_unsent(). NULL: none */
	void (*waits)(void *arg);  /* called repeatedly while waiting for the response to a HEAD. NULL: none */
	uint32_t connect_ms;       /* limit for a connection including the TLS handshake; 0: as set on the handle */
	uint32_t response_ms;      /* how long the peer may take to respond; 0: HELPER_PATIENCE times stall_ms */
};

/* Takes over the handle, as the first thaw_curl_prime() does. NULL with *err set. */
thaw_curl *helper_new(CURL *easy, const struct helper_options *options, struct thaw_error *err);

/* Time limit for the next HEADs and their responses, instead of timeout_ms; all end by until_ms. */
void helper_limit(thaw_curl *helper, uint32_t timeout_ms, uint64_t until_ms);

/* Call before a perform that is not pinned: like a pinned one, it may send only one request. */
void helper_begin(thaw_curl *helper);

/*
 * For another request on the same handle. helper_keep(): call before the last handle leaves its multi handle;
 * remembers its connection if the server keeps it open. helper_pin_kept(): instead of thaw_curl_prime(), pins the
 * next perform to that connection; false if there is none. If it has been closed by then, thaw_curl_lost() is true.
 * helper_aim(): URL (NULL: the handle's) and fields of the next HEAD, as in thaw_curl_options. False: out of memory.
 */
void helper_keep(thaw_curl *helper);
bool helper_pin_kept(thaw_curl *helper);
bool helper_aim(thaw_curl *helper, const char *url, struct curl_slist *fields);

/* The server sent a body with its response to a HEAD (not allowed, RFC 9110 9.3.2): connections to it cannot be
 * primed. */
bool helper_head_has_body(const thaw_curl *helper);

/* Why the credentials cannot be used on the newest connection; class THAW_ERR_NONE: they can. */
const struct thaw_error *helper_credentials_error(const thaw_curl *helper);

/* libcurl's text for a failure; OpenSSL's texts are replaced by ours for the same code. May return to. */
#define HELPER_WORDS_ROOM 160
const char *helper_words(const char *text, char to[static HELPER_WORDS_ROOM]);

/* If the transfer ended because no byte moved, or too few bytes of a response: the time that took, and the bytes
 * that moved in it; else 0. */
uint64_t helper_stalled_ms(const thaw_curl *helper);
uint64_t helper_stalled_with(const thaw_curl *helper);

/*
 * Whether libcurl has failed with this code and text because a line of the response is longer than it allows.
 * Before 8.6 it reports that an allocation has failed: then what was received decides.
 */
#define HELPER_LINE_MAX    102400 /* of a head: CURL_MAX_HTTP_HEADER */
#define HELPER_TRAILER_MAX 4096   /* DYN_H1_TRAILER */
bool helper_line_too_long(const thaw_curl *helper, CURLcode code, const char *text);

/* What the transfer waits for. */
enum helper_turn {
	HELPER_OURS,   /* bytes are being sent to the peer: it stalls after stall_ms */
	HELPER_THEIRS, /* the peer has everything and may take response_ms; each byte of a response adds 1 ms */
	HELPER_NOBODY, /* the data to send is not available yet */
};
#define HELPER_PATIENCE 10

/* Call repeatedly from the loop. False: stalled, so end the transfer. */
bool helper_watch(thaw_curl *helper, enum helper_turn turn);

/* Time since the last byte moved, as of the last helper_watch(). */
uint64_t helper_quiet_ms(const thaw_curl *helper);

/* Bytes of the newest connection that the peer's system has not acknowledged. */
uint64_t helper_unsent(const thaw_curl *helper);

/* The TLS version of the newest connection with a completed handshake, such as "TLSv1.3"; NULL: none. */
const char *helper_tls(const thaw_curl *helper);

#endif
