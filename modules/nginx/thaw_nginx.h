/*
 * An nginx module that requests the client certificate for single locations, while nginx reads the request body.
 *
 *	module.c      module definition and configuration
 *	directives.c  directives, merging, loading of CA certificates and CRLs
 *	hello.c       the ClientHello callback: server block, limit to TLS 1.2, session tickets
 *	link.c        one TLS connection: its thaw_conn, and the reads of nginx through it
 *	ask.c         one request: the access phase handler
 *	own.c         verifies a late certificate for ssl_verify_client
 *	body.c        the body of a request with an ask
 *	http2.c       resets HTTP/2 streams, which cannot be asked
 *	variables.c   $thaw_*, $ssl_client_verify
 *
 * Each SSL has a thaw_link_t (as ex data) if its server name selects a server block with an asking location. The first
 * ask replaces the connection's recv functions, because an ask only progresses in thaw_conn_read(). A thaw_request_t is
 * found through a cleanup handler of the request's pool, not through the module context, because an internal redirect
 * clears that. While an ask is pending, link and request point to each other.
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
	THAW_REQUEST,       /* when the request header has been read; over TLS 1.2 after the body */
	THAW_REQUEST_EARLY, /* when the request header has been read */
	THAW_BODY,          /* after the body */
} thaw_when_e;

/* The position of a directive, for errors that are found after parsing, when directives are merged. */
typedef struct {
	ngx_str_t file;
	ngx_uint_t line; /* 0: not set */
} thaw_place_t;

#define THAW_DIRECTIVES_MAX 16

/* Main configuration. */
typedef struct {
	struct {
		ngx_uint_t module;        /* its ctx_index */
		ngx_uint_t offset;        /* of the flag in its location configuration */
	} buffering[THAW_DIRECTIVES_MAX]; /* the *_request_buffering directives of all modules */
	ngx_uint_t buffering_count;
} thaw_main_t;

/* Location configuration. */
typedef struct {
	ngx_uint_t when; /* thaw_when_e */
	ngx_str_t ca, crl;
	ngx_uint_t crl_check; /* enum thaw_crl_check */
	ngx_uint_t depth;
	ngx_flag_t require;
	ngx_msec_t timeout;
	ngx_str_t elsewhere; /* an origin, or empty */
	thaw_place_t when_place, ca_place, crl_place;
	thaw_trust *trust;
} thaw_location_t;

/* Server configuration. */
typedef struct {
	ngx_uint_t asks;            /* a location has thaw_client_certificate other than off */
	thaw_place_t place;         /* of such a directive in the server block itself, not inherited from http */
	ngx_uint_t verifies;        /* ssl_verify_client */
	u_char trusts[THAW_ID_LEN]; /* digest of the trust settings of all its locations */
	u_char id[THAW_ID_LEN];     /* session id context */
} thaw_server_t;

typedef struct thaw_request_s thaw_request_t;

/* A TLS connection. Freed with the SSL. */
typedef struct {
	thaw_conn *conn;
	ngx_connection_t *c;
	const thaw_server_t *server; /* selected by the server name of the handshake */
	ngx_event_t timer;           /* deadline of the ask */
	ngx_event_t news;            /* posted after each read while an ask is pending */
	thaw_request_t *asked;       /* the request whose ask is pending, or NULL */
	ngx_chain_t *again;          /* body that nginx has read and reads again; from the request's pool */
	size_t turn;                 /* bytes of it read without a pause */
	u_char *early;               /* data received after the request that waits for the verdict */
	size_t at, len;              /* unread: early + at to early + len */
	unsigned reads : 1;          /* nginx reads through recv_data() */
	unsigned own : 1;            /* own_certificate and own_result are valid */
	X509 *own_certificate;       /* the certificate that own_result is about, or NULL */
	long own_result;             /* the result for ssl_verify_client */
} thaw_link_t;

/* Transitions: ask.c. */
typedef enum {
	THAW_WAITS,   /* for the verdict; no body, or it has been read, or the client waits for a 100 */
	THAW_READS,   /* nginx reads the body; the verdict is pending */
	THAW_JUDGED,  /* nginx reads the body; the verdict is known */
	THAW_SETTLED, /* the verdict is known, and the phases continue */
} thaw_state_e;

/* A request with an ask, pending or finished. */
struct thaw_request_s {
	ngx_http_request_t *r;
	thaw_link_t *link; /* NULL: no ask is pending */
	thaw_state_e state;
	unsigned has_body : 1; /* the body was read during the ask */
	ngx_uint_t err_status; /* r->err_status when the ask began */
	const thaw_trust *trust;
	struct thaw_report report;
};

extern ngx_module_t ngx_http_thaw_module;

/* ---- directives.c ---- */

extern ngx_command_t thaw_commands[];
void *thaw_create_main(ngx_conf_t *cf);
void *thaw_create_server(ngx_conf_t *cf);
void *thaw_create_location(ngx_conf_t *cf);
char *thaw_merge_location(ngx_conf_t *cf, void *parent, void *child);

/* ---- hello.c ---- */

/* Installs the callbacks in a server block's SSL_CTX, after the configuration has been merged. */
ngx_int_t thaw_hello_watch(const ngx_http_core_srv_conf_t *core, thaw_server_t *server, SSL_CTX *ctx);

/* ---- link.c ---- */

/* Initializes the ex data index. */
ngx_int_t thaw_link_init(ngx_log_t *log);
/* Called before the handshake. Returns NULL if out of memory. */
thaw_link_t *thaw_link_new(ngx_connection_t *c, SSL *ssl, const thaw_server_t *server);
thaw_link_t *thaw_link_of_ssl(const SSL *ssl);
/* Returns NULL if the handshake selected a server block without asking locations. */
thaw_link_t *thaw_link_of(const ngx_connection_t *c);
/* Begins an ask; thaw_conn_verdict() has the result. Returns NGX_ERROR if out of memory or misused. */
ngx_int_t thaw_link_ask(thaw_link_t *link, thaw_request_t *asked, const struct thaw_ask_options *options);
/* Reads the connection to advance the ask, and keeps application data in link->early. Returns NGX_AGAIN, or NGX_ERROR
 * if the connection is closed. */
ngx_int_t thaw_link_pump(thaw_link_t *link);
/* Sets timer and events for the pending ask. Returns NGX_ERROR if the connection cannot be used any more. */
ngx_int_t thaw_link_arm(thaw_link_t *link);
/* Whether the ask waits for the client's answer, not for the body. */
int thaw_link_waits_for_client(const thaw_link_t *link);
int thaw_link_is_pending(const thaw_link_t *link);
/* Discards data received after the request. */
void thaw_link_drop_early(thaw_link_t *link);
/* Puts data in front of link->early. Returns NGX_DECLINED if it does not fit. */
ngx_int_t thaw_link_put_back(thaw_link_t *link, const u_char *data, size_t len);
/* Keeps calling thaw_access_news() after reads, although the verdict is known. */
void thaw_link_watch(thaw_link_t *link, thaw_request_t *asked);
/* Detaches the request. Cancels its ask if it is pending. */
void thaw_link_leave(thaw_link_t *link);
/* Clears OpenSSL's error queue, so that nginx does not report these errors as its own. */
void thaw_link_clear_errors(void);

/* ---- own.c ---- */

/* Called before an ask. */
void thaw_own_begin(thaw_link_t *link);
/* Called after each read that may have received a certificate. */
void thaw_own_judge(thaw_link_t *link);
void thaw_own_free(thaw_link_t *link);

/* ---- ask.c ---- */

ngx_int_t thaw_access(ngx_http_request_t *r);
/* Handles a verdict, after a read or a timeout. Called from a posted event or timer only, so that no other nginx
 * function is using the request. */
void thaw_access_news(thaw_request_t *asked);
/* The only writer of asked->state. */
void thaw_enter(thaw_request_t *asked, thaw_state_e to);
/* Returns the last ask of a request, or NULL. */
thaw_request_t *thaw_request_of(ngx_http_request_t *r);
/* A write event handler: sends what the socket did not take of the server's handshake messages. */
void thaw_on_write(ngx_http_request_t *r);
/* Waits for the verdict without reading the body. The request may be freed. */
void thaw_wait(thaw_request_t *asked);
/* Continues with the phases, when body and verdict are known. The request may be freed. */
void thaw_go_on(thaw_request_t *asked);
/* Copies the report. Cancels the ask if it is pending. */
void thaw_settle(thaw_request_t *asked, thaw_state_e state);

/* ---- body.c ---- */

/* Whether there is a body, and nothing has read it. */
int thaw_body_is_unread(const ngx_http_request_t *r);
/* Whether the client waits for a 100 before it sends the body. */
int thaw_body_waits_for_continue(const ngx_http_request_t *r);
/* Lets nginx read the body. Returns what ngx_http_read_client_request_body() returned, and has decremented the request
 * count: the request may be freed. */
ngx_int_t thaw_body_read(thaw_request_t *asked);
/* Stop and restart client_body_timeout, while the client answers. */
void thaw_body_pause_timer(ngx_http_request_t *r);
void thaw_body_resume_timer(ngx_http_request_t *r);
/* Finds the *_request_buffering directives of all modules. */
void thaw_body_find_directives(ngx_conf_t *cf);
/* Whether the location streams the body: proxy_request_buffering off, fastcgi_request_buffering off, ... */
int thaw_body_may_stream(ngx_http_request_t *r);
/* Stops reading the body, so that the content handler reads it again from its start. Returns NGX_AGAIN if that is not
 * possible at this byte of a chunked body, NGX_DECLINED if the body must be read to its end. */
ngx_int_t thaw_body_hand_back(ngx_http_request_t *r, thaw_link_t *link);
/* The same for a complete body in memory, for content handlers that may need it in a file. */
ngx_int_t thaw_body_hand_back_small(ngx_http_request_t *r);
/* Makes nginx discard the rest of the body, as for other refused requests. */
void thaw_body_discard(ngx_http_request_t *r);

/* ---- http2.c ---- */

#if (NGX_HTTP_V2)
/* Resets the stream with HTTP_1_1_REQUIRED (RFC 9113 9.2.3, 7), so that the client retries over HTTP/1.1. Returns the
 * result for the access phase. */
ngx_int_t thaw_http2_reset(ngx_http_request_t *r);
#endif

/* ---- variables.c ---- */

ngx_int_t thaw_variables_add(ngx_conf_t *cf);
ngx_int_t thaw_variables_wrap(ngx_conf_t *cf);

#endif
