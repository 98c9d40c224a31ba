/*
 * libthaw-curl (thaw/curl.h), and what of it src/send needs beside: this folder and src/send are the only users of
 * libcurl.
 *
 * A thaw_curl is one easy handle's helper. It sees each socket that the handle opens, and each TLS context that libcurl
 * makes on one, which becomes a tls_filter; and it is asked by libcurl before a request's first byte whether it may go
 * out.
 */
#ifndef CURL_HELPER_H
#define CURL_HELPER_H

#include <curl/curl.h>

#include "thaw/curl.h"
#include "tls/observe.h"

struct tls_credentials;

/* What the public options do not have. */
struct helper_options {
	struct thaw_curl_options options;
	const struct tls_credentials *credentials; /* NULL: what the handle's options say; outlive the handle */
	struct tls_observer observer;              /* in place of options.asked, and told of more */
	void (*begins)(void *arg); /* a request is about to go out; with the observer's arg. NULL: none */
	void (*closes)(void *arg); /* a socket is about to be closed: the last look at helper_unsent(). NULL: none */
	void (*waits)(void *arg);  /* for a HEAD's answer; again and again. NULL: none */
	uint32_t connect_ms;       /* for a connection, TLS's handshake among it; 0: as the handle says */
	uint32_t response_ms;      /* what the peer may think for; 0: HELPER_PATIENCE times stall_ms */
};

/* Takes the handle over, as the first thaw_curl_prime() does. NULL with *err set. */
thaw_curl *helper_new(CURL *easy, const struct helper_options *options, struct thaw_error *err);

/* For the next HEADs and their answers, in place of timeout_ms; none after until_ms. */
void helper_limit(thaw_curl *helper, uint32_t timeout_ms, uint64_t until_ms);

/* To be called before a perform that is not pinned: as a pinned one, it sends one request only, and not another by
 * itself. */
void helper_begin(thaw_curl *helper);

/*
 * For another request on the same handle. helper_keep(): before the last one's handle leaves its multi handle;
 * remembers its connection, if the server keeps that. helper_pin_kept(): in place of thaw_curl_prime(), pins the next
 * perform to it; false: there is none. Where it is gone by then, thaw_curl_lost() is true. helper_aim(): what the next
 * HEAD is sent to (url NULL: the handle's own), and its fields, as in thaw_curl_options. False: no memory.
 */
void helper_keep(thaw_curl *helper);
bool helper_pin_kept(thaw_curl *helper);
bool helper_aim(thaw_curl *helper, const char *url, struct curl_slist *fields);

/* The server sent bytes after its answer to a HEAD, which has no body (RFC 9110 9.3.2): it cannot be primed. */
bool helper_head_has_body(const thaw_curl *helper);

/* Why the credentials cannot be used on the newest connection; of class THAW_ERR_NONE: they can. */
const struct thaw_error *helper_credentials_error(const thaw_curl *helper);

/* What libcurl says of a failure: where it hands on OpenSSL's words, ours for the same code. The result may be to. */
#define HELPER_WORDS_ROOM 160
const char *helper_words(const char *text, char to[static HELPER_WORDS_ROOM]);

/* For how long no byte has moved, or too few of a response, where that is why the transfer ended; 0: it is not. And how
 * many have moved in that time. */
uint64_t helper_stalled_ms(const thaw_curl *helper);
uint64_t helper_stalled_with(const thaw_curl *helper);

/* Whose turn it is to move. */
enum helper_turn {
	HELPER_OURS,   /* bytes are on their way to the peer: it stalls after stall_ms */
	HELPER_THEIRS, /* the peer has all that it needs, and may think: response_ms; each byte of a response earns 1 ms
			*/
	HELPER_NOBODY, /* what is to be sent is not there yet */
};
#define HELPER_PATIENCE 10

/* For a caller's loop, again and again. False: no byte has moved for too long, so end the transfer. */
bool helper_watch(thaw_curl *helper, enum helper_turn turn);

/* For how long no byte has moved so far, as the last helper_watch() saw it. */
uint64_t helper_quiet_ms(const thaw_curl *helper);

/* Bytes of the newest connection that the peer's system has not taken yet. */
uint64_t helper_unsent(const thaw_curl *helper);

/* "TLSv1.3": of the newest connection whose handshake was over; NULL: none. */
const char *helper_tls(const thaw_curl *helper);

#endif
