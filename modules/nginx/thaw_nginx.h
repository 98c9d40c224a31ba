/*
 * A module for nginx that asks for the client certificate of single locations, while nginx reads the body.
 *
 *	module.c      the module's tables, and what is done once
 *	directives.c  directives and their merging, trust
 *	hello.c       the ClientHello: which server block it is for, TLS 1.2, session tickets
 *	link.c        a TLS connection: its thaw_conn, and nginx's reads through it
 *	ask.c         a request: the access phase
 *	own.c         nginx's own judgement of a late certificate (ssl_verify_client)
 *	body.c        the body of a request that is asked
 *	http2.c       HTTP/2, over which nobody can be asked
 *	variables.c   $thaw_*, $ssl_client_verify
 *
 * A thaw_link_t hangs on each SSL whose server name belongs to a server block that asks. The first ask puts the link's
 * reads in the place of nginx's, for only thaw_conn_read() moves an exchange on. A thaw_request_t hangs on a request's
 *pool, not on its context, which an internal redirect clears. The two point at each other while an ask is pending.
 */
#ifndef THAW_NGINX_H
#define THAW_NGINX_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <thaw/ask.h>

#define THAW_ID_LEN 32

typedef enum {
	THAW_OFF,
	THAW_REQUEST,       /* as soon as the header is there; over TLS 1.2 after the body */
	THAW_REQUEST_EARLY, /* as soon as the header is there */
	THAW_BODY,          /* after the body */
} thaw_when_e;

/* Where a directive is, for messages about settings that are only seen to be wrong together with others. */
typedef struct {
	ngx_str_t file;
	ngx_uint_t line; /* 0: it is not there */
} thaw_place_t;

/* Of a location. */
typedef struct {
	ngx_uint_t when; /* thaw_when_e */
	ngx_str_t ca, crl;
	ngx_uint_t crl_check; /* enum thaw_crl_check */
	ngx_uint_t depth;
	ngx_flag_t require;
	ngx_msec_t timeout;
	ngx_str_t elsewhere; /* an origin; empty: none */
	thaw_place_t when_place, ca_place, crl_place;
	thaw_trust *trust;
} thaw_location_t;

/* Of a server block. */
typedef struct {
	ngx_uint_t asks;            /* one of its locations does */
	ngx_uint_t verifies;        /* ssl_verify_client */
	u_char trusts[THAW_ID_LEN]; /* a digest of all that its locations trust */
	u_char id[THAW_ID_LEN];     /* what its sessions are bound to */
} thaw_server_t;

typedef struct thaw_request_s thaw_request_t;

/* A TLS connection. It belongs to the SSL. */
typedef struct {
	thaw_conn *conn;
	ngx_connection_t *c;
	const thaw_server_t *server; /* that the client named in its handshake */
	ngx_event_t timer;           /* of the ask's deadline */
	ngx_event_t news;            /* posted after each read while an ask is under way */
	thaw_request_t *asked;       /* whose ask is under way; NULL: none */
	ngx_chain_t *again;          /* of the request's pool: its body as far as nginx has read it, to be read anew */
	size_t turn;                 /* how much of that in a row */
	u_char *early;               /* what came after the asked request */
	size_t at, len;              /* early + at to early + len is still to be read */
	unsigned reads : 1;          /* nginx reads through it */
	unsigned own : 1;            /* the next two hold */
	X509 *own_certificate;       /* that nginx's own trust has judged, NULL: none */
	long own_result;             /* what it says */
} thaw_link_t;

typedef enum {
	THAW_WAITS,   /* for the verdict; there is no body, or all of it is there, or the client waits for a 100 */
	THAW_READS,   /* nginx reads the body; the verdict is not in */
	THAW_JUDGED,  /* nginx reads the body; the verdict is in */
	THAW_SETTLED, /* the verdict is in, and the phases may go on */
} thaw_state_e;

/* A request that is asked, or was. */
struct thaw_request_s {
	ngx_http_request_t *r;
	thaw_link_t *link; /* NULL: none is pending */
	thaw_state_e state;
	unsigned has_body : 1; /* nginx has read it for the ask */
	const thaw_trust *trust;
	struct thaw_report report;
};

extern ngx_module_t ngx_http_thaw_module;

/* ---- directives.c ---- */

extern ngx_command_t thaw_commands[];
void *thaw_create_server(ngx_conf_t *cf);
void *thaw_create_location(ngx_conf_t *cf);
char *thaw_merge_location(ngx_conf_t *cf, void *parent, void *child);

/* ---- hello.c ---- */

/* For a server block whose SSL_CTX's connections may be asked, once all of it is configured. */
ngx_int_t thaw_hello_watch(const ngx_http_core_srv_conf_t *core, thaw_server_t *server, SSL_CTX *ctx);

/* ---- link.c ---- */

/* Once. */
ngx_int_t thaw_link_init(ngx_log_t *log);
/* Before the handshake. NULL: no memory. */
thaw_link_t *thaw_link_new(ngx_connection_t *c, SSL *ssl, const thaw_server_t *server);
thaw_link_t *thaw_link_of_ssl(const SSL *ssl);
/* NULL: its handshake named a server block that does not ask. */
thaw_link_t *thaw_link_of(const ngx_connection_t *c);
/* Begins; thaw_conn_verdict() tells what has come of it. NGX_ERROR: no memory, or misuse. */
ngx_int_t thaw_link_ask(thaw_link_t *link, thaw_request_t *asked, const struct thaw_ask_options *options);
/* Reads what moves the exchange on, and keeps what else comes. NGX_AGAIN, or NGX_ERROR: the connection is gone. */
ngx_int_t thaw_link_pump(thaw_link_t *link);
/* Sets timer and events for what the ask waits for. NGX_ERROR: the connection cannot be used any more. */
ngx_int_t thaw_link_arm(thaw_link_t *link);
/* Whether a client's answer is what the ask waits for, not its body. */
int thaw_link_waits_for_client(const thaw_link_t *link);
int thaw_link_is_pending(const thaw_link_t *link);
/* Whatever came after the asked request is not run. */
void thaw_link_drop_early(thaw_link_t *link);
/* The beginning of what comes after the asked request. NGX_DECLINED: there is no room. */
ngx_int_t thaw_link_put_back(thaw_link_t *link, const u_char *data, size_t len);
/* Continue to report nginx reads with thaw_access_news(), although there is a verdict. */
void thaw_link_watch(thaw_link_t *link, thaw_request_t *asked);
/* The ask is over for its request, which may be before there is a verdict. */
void thaw_link_leave(thaw_link_t *link);
/* OpenSSL's errors must not be found by nginx, which takes them for its own. */
void thaw_link_clear_errors(void);

/* ---- own.c ---- */

/* Before an ask. */
void thaw_own_begin(thaw_link_t *link);
/* After whatever may have brought a certificate. */
void thaw_own_judge(thaw_link_t *link);
void thaw_own_free(thaw_link_t *link);

/* ---- ask.c ---- */

ngx_int_t thaw_access(ngx_http_request_t *r);
/* What the connection has read or what time it is may have brought the verdict. From an event of its own: no other
 * function of nginx's is under way. */
void thaw_access_news(thaw_request_t *asked);
/* The last ask of a request, or NULL. */
thaw_request_t *thaw_request_of(ngx_http_request_t *r);
/* Waits without reading the body. The request may be gone afterwards. */
void thaw_wait(thaw_request_t *asked);
/* The body is there, and the verdict too: on through the phases. The request may be gone afterwards. */
void thaw_go_on(thaw_request_t *asked);
/* Takes over the verdict. */
void thaw_settle(thaw_request_t *asked, thaw_state_e state);

/* ---- body.c ---- */

/* Whether there is a body that nobody has read. */
int thaw_body_is_unread(const ngx_http_request_t *r);
/* Whether its client waits for a 100 before it sends it. */
int thaw_body_waits_for_continue(const ngx_http_request_t *r);
/* nginx reads it. What ngx_http_read_client_request_body() returned, and its count of the request is given back: the
 * request may be gone afterwards. */
ngx_int_t thaw_body_read(thaw_request_t *asked);
/* The client may take its time, while its body stands still. */
void thaw_body_pause_timer(ngx_http_request_t *r);
void thaw_body_resume_timer(ngx_http_request_t *r);
/* Once, with all modules: which directives say that a location's body is streamed. */
void thaw_body_find_directives(ngx_conf_t *cf);
/* Whether the location may stream it: proxy_request_buffering off, and the like. */
int thaw_body_may_stream(ngx_http_request_t *r);
/* While nginx reads it: the location's handler will read it anew, in its own way. NGX_AGAIN: not here, try again once
 * more of it is there. NGX_DECLINED: it has to be read to its end. */
ngx_int_t thaw_body_hand_back(ngx_http_request_t *r, thaw_link_t *link);
/* Once all of it is there: the same, if it is in memory and the location's handler may want it elsewhere. */
ngx_int_t thaw_body_hand_back_small(ngx_http_request_t *r);
/* What is left of it is thrown away by nginx, as that of any request that is refused. */
void thaw_body_discard(ngx_http_request_t *r);

/* ---- http2.c ---- */

#if (NGX_HTTP_V2)
/* RFC 9113 9.2.3 and 7: resets the stream, so that its client comes back over HTTP/1.1. For the access phase to return.
 */
ngx_int_t thaw_http2_reset(ngx_http_request_t *r);
#endif

/* ---- variables.c ---- */

ngx_int_t thaw_variables_add(ngx_conf_t *cf);
ngx_int_t thaw_variables_wrap(ngx_conf_t *cf);

#endif
