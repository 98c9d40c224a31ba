/* Internals of a helper, for this folder only. Calls go downwards: prime.c, helper.c, hooks.c, watch.c. */
#ifndef CURL_HELPER_INSIDE_H
#define CURL_HELPER_INSIDE_H

#include <arpa/inet.h>

#include "base/pace.h"
#include "curl/helper.h"
#include "tls/filter.h"

#define HELPER_SOCKETS_MAX 8 /* parallel connection attempts (RFC 8305) */

/* The connection that a request may use: */
enum pin {
	PIN_NONE,   /* any connection */
	PIN_PRIMED, /* only the primed one */
	PIN_LOST,   /* none: the primed one was closed */
};

/* Both addresses of a connection, which identify it. */
struct ends {
	char local[INET6_ADDRSTRLEN + 1], remote[INET6_ADDRSTRLEN + 1];
	long local_port, remote_port;
};

struct thaw_curl {
	CURL *easy;    /* the caller's */
	CURLSH *share; /* the connection pool that the HEAD and the upload share */
	char *url;
	struct helper_options options;
	struct tls_filter *filter; /* of the newest connection */
	int sockets[HELPER_SOCKETS_MAX];
	const char *tls;       /* of the newest connection, once its handshake is complete; static */
	unsigned opened;       /* number of sockets opened */
	unsigned requests;     /* since the start of the perform */
	unsigned logins;       /* those after a 401 or 407 */
	unsigned redirections; /* those after a 3xx */
	bool priming;
	bool begins;        /* a perform has begun; helper_watch() has not been called yet */
	bool closes;        /* the socket in closing is about to be closed */
	bool head_has_body; /* the server sends bodies with responses to HEAD, which would be taken for the next
			       response */
	int closing;
	enum pin pin;
	enum thaw_curl_refusal refused;
	struct ends primed; /* or kept */
	bool kept;          /* set by helper_keep(); cleared by a new connection */
	unsigned opened_when_primed;
	uint32_t lost; /* number of lost connections */
	enum helper_turn turn;
	uint64_t moved, moved_at_ms;
	struct pace pace;                  /* of the current turn */
	uint64_t turn_moved, turn_at_ms;   /* state at the start of the turn */
	uint64_t stalled_ms, stalled_with; /* 0: not stalled; and the bytes that moved meanwhile */
	struct thaw_curl_report report;
	CURL *head;                      /* the HEAD's handle, while it is sent */
	uint64_t head_from_ms, until_ms; /* its start; its latest end */
	int64_t unseen;       /* bytes received on the connection before the request that are not libcurl's response */
	uint64_t received;    /* on a connection without TLS, when it was closed */
	uint64_t own_ms;      /* time that the client's key took to sign, which does not count for the peer */
	uint64_t head_own_ms; /* that time before the HEAD */
	struct thaw_error unusable; /* why the newest connection has no credentials; libcurl has no text for it */
};

/* ---- hooks.c: what libcurl calls ---- */

/* Sets the handle's callbacks and options. False: nothing was set. */
bool helper_take_over(thaw_curl *helper);

/* There is data to read after the complete response to the HEAD. */
bool helper_has_excess(const thaw_curl *helper);

/* ---- watch.c: time, and what moves ---- */

/* The time, without what the client's key took to sign. */
uint64_t helper_now(const thaw_curl *helper);

/* Sets the HEAD's time limit. libcurl's own limits count the peer's time only, not the signing. */
bool helper_limit_head(const thaw_curl *helper);
void helper_add_own_time(thaw_curl *helper, uint64_t ms);

/* Bytes that the connection has received and that libcurl has not reported as a part of the response. */
int64_t helper_unseen(const thaw_curl *helper, uint64_t received);

/* Bytes that the connection has received; fd: its socket. */
uint64_t helper_received(const thaw_curl *helper, int fd);

/* The newest connected socket. When the TLS handshake starts, libcurl has closed the other attempts. -1: none. */
int helper_connected_socket(const thaw_curl *helper);

#endif
