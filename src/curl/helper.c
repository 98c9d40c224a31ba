#include "curl/helper.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/pace.h"
#include "base/socket.h"
#include "tls/guest.h"

/* Of one perform. */
#define LOGINS_MAX       5
#define REDIRECTIONS_MAX 30 /* as CURLOPT_MAXREDIRS has it since libcurl 8.3 */

#define TRIES_DEFAULT      3
#define TIMEOUT_MS_DEFAULT 60000
#define STALL_MS_DEFAULT   30000
#define BLOCK_MS_DEFAULT   60000
#define RECORD_MAX         16384 /* RFC 8446 5.1 */
#define SETTLE_MS          100   /* without a message of TLS after the response to the HEAD */
#define SETTLE_TURNS       8     /* such messages that are waited for */
#define SOCKETS_MAX        8     /* that are tried beside each other for one connection (RFC 8305) */

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
	struct tls_guest *guest; /* the newest connection's */
	int sockets[SOCKETS_MAX];
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

/* ---- time ---- */

/* The time that the peer had. */
static uint64_t now_of(const thaw_curl *helper)
{
	return clock_now_ms() - helper->own_ms;
}

/* libcurl's own limits are for the peer: they do not run while the client's key signs. */
static bool limit_head(const thaw_curl *helper)
{
	uint64_t ms = helper->options.options.timeout_ms + helper->own_ms - helper->head_own_ms;
	uint64_t left_ms = helper->until_ms > helper->head_from_ms ? helper->until_ms - helper->head_from_ms : 1;

	return curl_easy_setopt(helper->head, CURLOPT_TIMEOUT_MS, (long)(ms < left_ms ? ms : left_ms)) == CURLE_OK;
}

static void add_own_time(thaw_curl *helper, uint64_t ms)
{
	CURL *handle = helper->head != NULL ? helper->head : helper->easy;

	helper->own_ms += ms;
	if (ms == 0)
		return;
	if (helper->head != NULL)
		(void)limit_head(helper);
	if (helper->options.connect_ms != 0)
		(void)curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
				       (long)(helper->options.connect_ms + helper->own_ms));
}

/* ---- what moves ---- */

/* The newest socket that is connected: of several attempts, libcurl has closed the others by the time of the TLS
 * handshake. */
static int connected_socket(const thaw_curl *helper)
{
	struct sockaddr_storage peer;

	for (unsigned i = 0; i < helper->opened && i < SOCKETS_MAX; i++) {
		int fd = helper->sockets[(helper->opened - 1 - i) % SOCKETS_MAX];
		socklen_t len = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
			return fd;
	}
	return -1;
}

/* Without TLS libcurl's own counts do. */
static uint64_t moved_plainly(const thaw_curl *helper)
{
	curl_off_t up = 0, down = 0;
	uint64_t unsent = helper_unsent(helper);

	(void)curl_easy_getinfo(helper->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	(void)curl_easy_getinfo(helper->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	return (uint64_t)down + ((uint64_t)up > unsent ? (uint64_t)up - unsent : 0);
}

static void begin_turn(thaw_curl *helper, uint64_t moved, uint64_t limit_ms, uint64_t now_ms)
{
	helper->begins = false;
	helper->moved = helper->turn_moved = moved;
	helper->moved_at_ms = helper->turn_at_ms = now_ms;
	pace_start(&helper->pace, limit_ms, now_ms);
}

bool helper_watch(thaw_curl *helper, enum helper_turn turn)
{
	uint64_t moved = helper->guest != NULL ? tls_guest_moved(helper->guest) : moved_plainly(helper);
	uint64_t now = now_of(helper);
	uint64_t limit_ms = helper->options.options.stall_ms;

	if (turn == HELPER_THEIRS)
		limit_ms = helper->options.response_ms != 0 ? helper->options.response_ms : limit_ms * HELPER_PATIENCE;
	bool anew = turn != helper->turn || turn == HELPER_NOBODY || moved < helper->moved || helper->begins;
	if (anew || (moved != helper->moved && turn == HELPER_OURS)) {
		begin_turn(helper, moved, limit_ms, now);
	} else if (moved != helper->moved) { /* a response that trickles is no progress */
		pace_progress(&helper->pace, moved - helper->moved, now);
		helper->moved = moved;
		helper->moved_at_ms = now;
	}
	helper->turn = turn;
	if (helper->stalled_ms == 0 && pace_over(&helper->pace, now)) {
		helper->stalled_ms = now - helper->turn_at_ms;
		helper->stalled_with = moved - helper->turn_moved;
	}
	return helper->stalled_ms == 0;
}

uint64_t helper_stalled_with(const thaw_curl *helper)
{
	return helper->stalled_with;
}

uint64_t helper_quiet_ms(const thaw_curl *helper)
{
	return now_of(helper) - helper->moved_at_ms;
}

uint64_t helper_stalled_ms(const thaw_curl *helper)
{
	return helper->stalled_ms;
}

uint64_t helper_unsent(const thaw_curl *helper)
{
	if (helper->guest == NULL)
		return socket_unsent(helper->closes ? helper->closing : connected_socket(helper));
	/* A guest whose TLS is over knows no socket any more. */
	bool over = helper->closes && tls_guest_over(helper->guest);
	return tls_guest_unsent(helper->guest) + (over ? socket_unsent(helper->closing) : 0);
}

const char *helper_tls(const thaw_curl *helper)
{
	return helper->tls;
}

/* The guest waits only while bytes of ours are stuck. */
static bool on_tick(void *arg)
{
	return helper_watch(arg, HELPER_OURS);
}

/* ---- what libcurl calls ---- */

static void on_sight(void *arg, const struct tls_sight *sight)
{
	thaw_curl *helper = arg;
	const struct thaw_curl_options *options = &helper->options.options;

	if (sight->kind == TLS_SIGHT_ASKED)
		helper->report.asked = sight->means;
	if (sight->kind == TLS_SIGHT_GIVEN)
		helper->report.given = true;
	if (sight->kind == TLS_SIGHT_SIGNED)
		add_own_time(helper, sight->signed_ms);
	if (sight->kind == TLS_SIGHT_KEY_FAILED)
		(void)error_set(&helper->unusable, THAW_ERR_CONFIG, "the client's key made no signature: %s",
				sight->reason);
	if (sight->kind == TLS_SIGHT_FINISHED)
		helper->tls = tls_guest_version(helper->guest);
	if (helper->options.observer.saw != NULL)
		helper->options.observer.saw(helper->options.observer.arg, sight);
	if (sight->kind == TLS_SIGHT_ASKED && options->asked != NULL)
		options->asked(options->arg, &(struct thaw_curl_ask){.means = sight->means,
								     .priming = helper->priming,
								     .subject = sight->subject,
								     .issuers = sight->issuers,
								     .issuer_count = sight->issuer_count});
}

static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	thaw_curl *helper = arg;

	if (purpose == CURLSOCKTYPE_IPCXN)
		helper->sockets[helper->opened++ % SOCKETS_MAX] = fd;
	return CURL_SOCKOPT_OK;
}

/* Bytes that were on their way are forgotten with it, also if the connection was reset. */
static int on_close(void *arg, curl_socket_t fd)
{
	thaw_curl *helper = arg;

	helper->closes = true;
	helper->closing = fd;
	helper->options.closes(helper->options.observer.arg);
	helper->closes = false;
	return close(fd);
}

static CURLcode on_context(CURL *easy, void *ctx, void *arg)
{
	thaw_curl *helper = arg;
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct tls_guest_options options = {
		.credentials = helper->options.credentials,
		.observer = {.saw = on_sight, .arg = helper},
		.fd = connected_socket(helper),
		.tick = on_tick,
		.arg = helper,
		.wait_ms = helper->options.options.block_ms,
	};

	(void)easy;
	helper->unusable.cls = THAW_ERR_NONE;
	tls_guest_leave(&helper->guest);
	helper->report.asked = THAW_MEANS_NONE;
	helper->report.given = false;
	helper->tls = NULL;
	helper->guest = tls_guest_new(ctx, &options, &err);
	if (helper->guest != NULL)
		return CURLE_OK;
	helper->unusable = err;
	return err.cls == THAW_ERR_RESOURCE ? CURLE_OUT_OF_MEMORY : CURLE_SSL_CERTPROBLEM;
}

static bool is_primed(const thaw_curl *helper, const char *remote, const char *local, int remote_port, int local_port)
{
	return helper->opened == helper->opened_when_primed && helper->primed.local_port == local_port &&
	       helper->primed.remote_port == remote_port && strcmp(helper->primed.local, local) == 0 &&
	       strcmp(helper->primed.remote, remote) == 0;
}

/* There is something to be read, although all of the answer to the HEAD has been. */
static bool has_excess(const thaw_curl *helper)
{
	return helper->guest != NULL ? tls_guest_has_data(helper->guest) : socket_has_bytes(connected_socket(helper));
}

/*
 * An ask that follows the response to the HEAD comes a moment later. libcurl 8.14 takes a connection on which something
 * is to be read for a broken one and opens another, so it is answered here, and the tickets after it are read. False:
 * there is more than TLS's own messages.
 */
static bool settle_primed(const thaw_curl *helper)
{
	struct pollfd socket = {.fd = connected_socket(helper), .events = POLLIN};
	bool excess = has_excess(helper);

	if (helper->guest == NULL || helper->report.asked != THAW_MEANS_NONE)
		return !excess;
	for (int turn = 0; turn < SETTLE_TURNS && !excess && poll(&socket, 1, SETTLE_MS) > 0; turn++)
		excess = has_excess(helper);
	return !excess;
}

const struct thaw_error *helper_credentials_error(const thaw_curl *helper)
{
	return &helper->unusable;
}

bool helper_head_has_body(const thaw_curl *helper)
{
	return helper->head_has_body;
}

/* Whether another request of a perform is the next step of a login, or of a redirection that the caller lets libcurl
 * follow. A server may go on for ever with either. */
static enum thaw_curl_refusal judge_next(thaw_curl *helper, bool elsewhere)
{
	long status = 0;

	(void)curl_easy_getinfo(helper->easy, CURLINFO_RESPONSE_CODE, &status);
	bool login = status == 401 || status == 407, redirection = status / 100 == 3;
	helper->logins += login;
	helper->redirections += redirection;
	if (!login && !redirection)
		return THAW_CURL_REPEATED;
	if (elsewhere)
		return THAW_CURL_ELSEWHERE;
	return helper->logins > LOGINS_MAX || helper->redirections > REDIRECTIONS_MAX ? THAW_CURL_ENDLESS
										      : THAW_CURL_NOT_REFUSED;
}

/*
 * Before a request's first byte. libcurl repeats one by itself when a connection that it took from its pool turns out
 * to be dead, or for a 417: whether that is safe is the caller's to decide, so the second is refused.
 */
static int on_request(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	thaw_curl *helper = arg;
	bool again = helper->requests++ > 0 && !helper->priming;
	bool elsewhere = helper->pin == PIN_PRIMED && !is_primed(helper, remote, local, remote_port, local_port);

	if (again) {
		helper->refused = judge_next(helper, elsewhere);
	} else if (helper->pin == PIN_PRIMED) {
		bool excess = !elsewhere && has_excess(helper);
		helper->head_has_body = excess && !helper->kept; /* else it is a 408, say */
		helper->refused = elsewhere || excess ? THAW_CURL_LOST : THAW_CURL_NOT_REFUSED;
	}
	if (helper->refused == THAW_CURL_LOST)
		helper->pin = PIN_LOST;
	if (helper->refused != THAW_CURL_NOT_REFUSED)
		return CURL_PREREQFUNC_ABORT;
	if (helper->options.begins != NULL)
		helper->options.begins(helper->options.observer.arg);
	return CURL_PREREQFUNC_OK;
}

/* ---- helpers ---- */

/* Nothing of a helper that is not to be may be left in a handle that its owner goes on to use. */
static void give_back(CURL *easy)
{
	(void)curl_easy_setopt(easy, CURLOPT_SHARE, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, NULL);
}

static bool take_over(thaw_curl *helper)
{
	CURL *easy = helper->easy;
	bool ok = curl_easy_setopt(easy, CURLOPT_SHARE, helper->share) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, helper) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, helper) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_PREREQDATA, helper) == CURLE_OK &&
		  /* one record a call into libcurl, which so waits for one at most */
		  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)RECORD_MAX) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK;

	if (ok && helper->options.closes != NULL)
		ok = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
		     curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, helper) == CURLE_OK;
	if (!ok)
		give_back(easy);
	return ok;
}

thaw_curl *helper_new(CURL *easy, const struct helper_options *options, struct thaw_error *err)
{
	thaw_curl *helper = calloc(1, sizeof(*helper));
	bool ok = helper != NULL;

	if (ok) {
		struct thaw_curl_options *public = &helper->options.options;
		helper->easy = easy;
		helper->until_ms = THAW_NEVER;
		helper->options = *options;
		public->tries = public->tries != 0 ? public->tries : TRIES_DEFAULT;
		public->timeout_ms = public->timeout_ms != 0 ? public->timeout_ms : TIMEOUT_MS_DEFAULT;
		public->stall_ms = public->stall_ms != 0 ? public->stall_ms : STALL_MS_DEFAULT;
		public->block_ms = public->block_ms != 0 ? public->block_ms : BLOCK_MS_DEFAULT;
		helper->url = public->url != NULL ? strdup(public->url) : NULL;
		helper->share = curl_share_init();
		ok = helper->share != NULL && (public->url == NULL || helper->url != NULL) &&
		     curl_share_setopt(helper->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) == CURLSHE_OK &&
		     take_over(helper);
		public->url = helper->url;
	}
	if (!ok) {
		CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, NULL);
		bool other = code == CURLE_NOT_BUILT_IN || code == CURLE_UNKNOWN_OPTION;
		(void)error_set(err, THAW_ERR_RESOURCE, "%s",
				other ? "libcurl is not built with OpenSSL: install one that is" : "out of memory");
		thaw_curl_free(&helper);
	}
	return helper;
}

void thaw_curl_free(thaw_curl **helper)
{
	thaw_curl *gone = *helper;

	*helper = NULL;
	if (gone == NULL)
		return;
	tls_guest_leave(&gone->guest);
	if (gone->share != NULL)
		(void)curl_share_cleanup(gone->share);
	free(gone->url);
	free(gone);
}

void helper_limit(thaw_curl *helper, uint32_t timeout_ms, uint64_t until_ms)
{
	helper->until_ms = until_ms;
	helper->options.options.timeout_ms = timeout_ms;
}

void helper_begin(thaw_curl *helper)
{
	helper->requests = helper->logins = helper->redirections = 0;
	helper->pin = PIN_NONE;
	helper->refused = THAW_CURL_NOT_REFUSED;
	helper->stalled_ms = 0;
	helper->begins = true;
	helper->moved_at_ms = now_of(helper);
}

bool helper_pin_kept(thaw_curl *helper)
{
	helper_begin(helper);
	if (!helper->kept)
		return false;
	helper->pin = PIN_PRIMED;
	return true;
}

bool helper_aim(thaw_curl *helper, const char *url, const struct curl_slist *fields)
{
	char *own = url != NULL ? strdup(url) : NULL;

	if (url != NULL && own == NULL)
		return false;
	free(helper->url);
	helper->url = own;
	helper->options.options.url = own;
	helper->options.options.headers = fields;
	helper->lost = 0;
	return true;
}

bool thaw_curl_lost(const thaw_curl *helper)
{
	return helper != NULL && helper->pin == PIN_LOST;
}

enum thaw_curl_refusal thaw_curl_refused(const thaw_curl *helper)
{
	return helper != NULL ? helper->refused : THAW_CURL_NOT_REFUSED;
}

const struct thaw_curl_report *thaw_curl_report(const thaw_curl *helper)
{
	return &helper->report;
}

/* ---- priming ---- */

/* Closes what is in the pool, so that the next request has a connection of its own. */
static enum thaw_status empty_pool(thaw_curl *helper, struct thaw_error *err)
{
	(void)curl_easy_setopt(helper->easy, CURLOPT_SHARE, NULL);
	(void)curl_share_cleanup(helper->share);
	helper->share = curl_share_init();
	if (helper->share == NULL ||
	    curl_share_setopt(helper->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK ||
	    curl_easy_setopt(helper->easy, CURLOPT_SHARE, helper->share) != CURLE_OK)
		return error_set(err, THAW_ERR_RESOURCE, "priming: out of memory");
	return error_set(err, THAW_ERR_PEER,
			 "priming: the server answers HEAD with a body (RFC 9110 9.3.2 forbids it)");
}

static size_t swallow(char *bytes, size_t size, size_t count, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * count;
}

static int on_wait(void *arg, curl_off_t down, curl_off_t of_down, curl_off_t up, curl_off_t of_up)
{
	const thaw_curl *helper = arg;

	(void)down;
	(void)of_down;
	(void)up;
	(void)of_up;
	if (helper->options.waits != NULL)
		helper->options.waits(helper->options.observer.arg);
	return 0;
}

/* The caller's handle once more, but for a HEAD: nothing of its body, its methods and its callbacks is left. Its
 * connection is a new one, and behind it the only one in the pool. */
static CURL *make_head(const thaw_curl *helper, char error[static CURL_ERROR_SIZE])
{
	CURL *head = curl_easy_duphandle(helper->easy);

	if (head == NULL)
		return NULL;
	bool ok = curl_easy_setopt(head, CURLOPT_SHARE, helper->share) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_MAXCONNECTS, 1L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK && /* it would end with it */
		  curl_easy_setopt(head, CURLOPT_UPLOAD, 0L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_NOBODY, 1L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_CUSTOMREQUEST, NULL) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_HTTPHEADER, (struct curl_slist *)helper->options.options.headers) ==
			  CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)0) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_RANGE, NULL) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_FAILONERROR, 0L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_NOPROGRESS, helper->options.waits == NULL ? 1L : 0L) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_XFERINFOFUNCTION, on_wait) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_XFERINFODATA, helper) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_HEADERFUNCTION, NULL) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_WRITEFUNCTION, swallow) == CURLE_OK &&
		  curl_easy_setopt(head, CURLOPT_ERRORBUFFER, error) == CURLE_OK &&
		  (helper->url == NULL || curl_easy_setopt(head, CURLOPT_URL, helper->url) == CURLE_OK);
	if (!ok) {
		curl_easy_cleanup(head);
		return NULL;
	}
	return head;
}

/* Whether the connection of an answered HEAD is still there, and which it is. */
static bool find_ends(CURL *head, struct ends *ends)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	char *local = NULL, *remote = NULL;

	if (curl_easy_getinfo(head, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD ||
	    curl_easy_getinfo(head, CURLINFO_LOCAL_IP, &local) != CURLE_OK || local == NULL ||
	    curl_easy_getinfo(head, CURLINFO_PRIMARY_IP, &remote) != CURLE_OK || remote == NULL ||
	    curl_easy_getinfo(head, CURLINFO_LOCAL_PORT, &ends->local_port) != CURLE_OK ||
	    curl_easy_getinfo(head, CURLINFO_PRIMARY_PORT, &ends->remote_port) != CURLE_OK)
		return false;
	(void)snprintf(ends->local, sizeof(ends->local), "%s", local);
	(void)snprintf(ends->remote, sizeof(ends->remote), "%s", remote);
	return true;
}

void helper_keep(thaw_curl *helper)
{
	helper->kept = find_ends(helper->easy, &helper->primed);
	helper->opened_when_primed = helper->opened;
}

static enum thaw_error_class class_of(CURLcode code)
{
	if (code == CURLE_OUT_OF_MEMORY)
		return THAW_ERR_RESOURCE;
	return code == CURLE_OPERATION_TIMEDOUT ? THAW_ERR_TIMEOUT : THAW_ERR_PEER;
}

static enum thaw_status send_head(thaw_curl *helper, CURL *head, const char *error, struct thaw_error *err)
{
	char room[HELPER_WORDS_ROOM];

	helper->priming = true;
	helper->head = head;
	helper->head_from_ms = clock_now_ms();
	helper->head_own_ms = helper->own_ms;
	CURLcode code = limit_head(helper) ? curl_easy_perform(head) : CURLE_OUT_OF_MEMORY;
	helper->head = NULL;
	helper->priming = false;
	if (code != CURLE_OK && helper->unusable.cls != THAW_ERR_NONE)
		return error_set(err, helper->unusable.cls, "%s", helper->unusable.text);
	if (code != CURLE_OK)
		return error_set(err, class_of(code), "priming: %s",
				 helper_words(error[0] != '\0' ? error : curl_easy_strerror(code), room));
	(void)curl_easy_getinfo(head, CURLINFO_RESPONSE_CODE, &helper->report.status);
	helper->report.primed++;
	helper->report.tls = helper_tls(helper);
	helper->report.kept = find_ends(head, &helper->primed);
	return THAW_OK;
}

enum thaw_status thaw_curl_prime(void *curl, const struct thaw_curl_options *options, thaw_curl **helper,
				 struct thaw_error *err)
{
	static const struct thaw_curl_options defaults;
	char error[CURL_ERROR_SIZE] = "";

	if (*helper == NULL)
		*helper = helper_new(curl, &(struct helper_options){.options = options != NULL ? *options : defaults},
				     err);
	thaw_curl *self = *helper;
	if (self == NULL)
		return THAW_FAILED;
	self->lost += self->pin == PIN_LOST;
	helper_begin(self);
	self->report.kept = self->kept = false;
	self->report.asked = THAW_MEANS_NONE;
	self->report.given = false;
	self->tls = NULL;
	if (self->head_has_body)
		return empty_pool(self, err);
	if (self->lost > self->options.options.tries)
		return error_set(err, THAW_ERR_PEER, "the primed connection was gone before the upload, %u times",
				 self->lost);
	CURL *head = make_head(self, error);
	if (head == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "priming: out of memory");
	enum thaw_status status = send_head(self, head, error, err);
	curl_easy_cleanup(head);
	helper_begin(self);
	if (status != THAW_OK)
		return status;
	if (!self->report.kept)
		return error_set(err, THAW_ERR_PEER,
				 "the server closes the connection behind the priming request's answer");
	if (!settle_primed(self)) {
		self->report.kept = false;
		self->head_has_body = true;
		return empty_pool(self, err);
	}
	self->pin = PIN_PRIMED;
	self->opened_when_primed = self->opened;
	return THAW_OK;
}
