/* The inside of a helper, for this folder alone. Calls go downwards: prime.c, helper.c, hooks.c, watch.c. */
#ifndef CURL_HELPER_INSIDE_H
#define CURL_HELPER_INSIDE_H

#include <arpa/inet.h>

#include "base/pace.h"
#include "curl/helper.h"
#include "tls/filter.h"

#define HELPER_SOCKETS_MAX 8 /* that are tried beside each other for one connection (RFC 8305) */

/* A request may go out on: */
enum pin {
	PIN_NONE,   /* any connection */
	PIN_PRIMED, /* the primed one only */
	PIN_LOST,   /* none any more: the primed one was gone */
};

/* What tells a connection from all others that are open at the same time. */
struct ends {
	char local[INET6_ADDRSTRLEN + 1], remote[INET6_ADDRSTRLEN + 1];
	long local_port, remote_port;
};

struct thaw_curl {
	CURL *easy;    /* the caller's */
	CURLSH *share; /* the pool of connections that the HEAD and the upload share */
	char *url;
	struct helper_options options;
	struct tls_filter *filter; /* the newest connection's */
	int sockets[HELPER_SOCKETS_MAX];
	const char *tls;       /* the newest connection's version, once its handshake is over; static */
	unsigned opened;       /* sockets, in all */
	unsigned requests;     /* since the perform began */
	unsigned logins;       /* of those, the ones after a 401 or 407 */
	unsigned redirections; /* the ones after a 3xx */
	bool priming;
	bool begins;        /* a perform, which nobody has watched yet */
	bool closes;        /* closing is about to be closed */
	bool head_has_body; /* the server sends one, so that its next answer cannot be told from it */
	int closing;
	enum pin pin;
	enum thaw_curl_refusal refused;
	struct ends primed; /* or kept */
	bool kept;          /* by helper_keep(), and not opened anew since */
	unsigned opened_when_primed;
	uint32_t lost; /* how often */
	enum helper_turn turn;
	uint64_t moved, moved_at_ms;
	struct pace pace;                  /* of the turn */
	uint64_t turn_moved, turn_at_ms;   /* when it began */
	uint64_t stalled_ms, stalled_with; /* 0: it has not; bytes that have moved meanwhile */
	struct thaw_curl_report report;
	CURL *head;                      /* the HEAD's handle, while it is sent */
	uint64_t head_from_ms, until_ms; /* when it began; when it ends at the latest */
	uint64_t own_ms;                 /* what the client's key took to sign, which is no time of the peer's */
	uint64_t head_own_ms;            /* of it, before the HEAD */
	struct thaw_error unusable; /* why the newest connection has no credentials, which libcurl has no words for */
};

/* ---- hooks.c: what libcurl calls ---- */

/* Sets the handle's callbacks, and what else is the helper's. False: none of it is set. */
bool helper_take_over(thaw_curl *helper);

/* There is something to be read, although all of the answer to the HEAD has been. */
bool helper_has_excess(const thaw_curl *helper);

/* ---- watch.c: time, and what moves ---- */

/* The time that the peer had. */
uint64_t helper_now(const thaw_curl *helper);

/* Sets the HEAD's time limit: libcurl's own limits are for the peer, and do not run while the client's key signs. */
bool helper_limit_head(const thaw_curl *helper);
void helper_add_own_time(thaw_curl *helper, uint64_t ms);

/* The newest socket that is connected: of several attempts, libcurl has closed the others by the time of the TLS
 * handshake. -1: none. */
int helper_connected_socket(const thaw_curl *helper);

#endif
