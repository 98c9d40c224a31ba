/*
 * A module for nginx that asks for the client certificate of single locations, while nginx reads the body.
 *
 *	module.c     directives, and what is done once
 *	link.c       a TLS connection: its thaw_conn, and nginx's reads through it
 *	ask.c        a request: the access phase
 *	variables.c  $thaw_*
 */
#ifndef THAW_NGINX_H
#define THAW_NGINX_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <thaw/ask.h>

typedef enum {
	THAW_OFF,
	THAW_REQUEST,       /* as soon as the header is there; over TLS 1.2 behind the body */
	THAW_REQUEST_EARLY, /* as soon as the header is there */
	THAW_BODY,          /* behind the body */
} thaw_when_e;

/* Of a location. */
typedef struct {
	ngx_uint_t when; /* thaw_when_e */
	ngx_str_t ca, crl;
	ngx_uint_t crl_check; /* enum thaw_crl_check */
	ngx_uint_t depth;
	ngx_flag_t require;
	ngx_msec_t timeout;
	ngx_str_t elsewhere; /* an origin; empty: none */
	thaw_trust *trust;
} thaw_location_t;

/* Of a server block. */
typedef struct {
	ngx_flag_t asks; /* one of its locations does */
} thaw_server_t;

/* A TLS connection. It belongs to the SSL. */
typedef struct thaw_link_s {
	thaw_conn *conn;
	ngx_connection_t *c;
	ngx_event_t timer;           /* of the ask's deadline */
	ngx_event_t settle;          /* posted when the verdict has come */
	ngx_http_request_t *request; /* that the ask is for; NULL: no ask is under way */
	u_char *early;               /* what came behind the asked request */
	size_t at, len;              /* early + at to early + len is still to be read */
	unsigned reads:1;            /* nginx reads through it */
} thaw_link_t;

/* A request that has been asked, or is. */
typedef enum {
	THAW_BODY_COMES, /* nginx reads its body, perhaps with the verdict in already */
	THAW_WAITS,      /* for the verdict; the body is there, or there is none */
	THAW_SETTLED,
} thaw_state_e;

typedef struct {
	thaw_state_e state;
	thaw_link_t *link;
	ngx_int_t outcome; /* of the access phase, once it is settled */
	struct thaw_report report;
} thaw_request_t;

extern ngx_module_t ngx_http_thaw_module;

/* ---- link.c ---- */

/* Once. */
ngx_int_t thaw_link_init(ngx_log_t *log);
/* For each SSL_CTX whose connections may be asked. */
ngx_int_t thaw_link_watch(SSL_CTX *ctx);
/* NULL: there was no memory for it at its handshake. */
thaw_link_t *thaw_link_of(ngx_connection_t *c);
/* Begins; thaw_verdict() tells what has come of it. NGX_ERROR: no memory, or misuse. */
ngx_int_t thaw_link_ask(thaw_link_t *link, ngx_http_request_t *r, const struct thaw_ask_options *options);
/* Reads what moves the exchange on, and keeps what else comes. NGX_AGAIN, or NGX_ERROR: the connection is gone. */
ngx_int_t thaw_link_pump(thaw_link_t *link);
/* Sets timer and events for what the ask waits for. NGX_ERROR: the connection cannot be used any more. */
ngx_int_t thaw_link_arm(thaw_link_t *link);
/* The ask is over for its request, which may be before there is a verdict. */
void thaw_link_leave(thaw_link_t *link);

/* ---- ask.c ---- */

ngx_int_t thaw_access(ngx_http_request_t *r);
/* The verdict may have come. From an event of its own: no other function of nginx is under way. */
void thaw_access_settle(ngx_http_request_t *r);

/* ---- variables.c ---- */

ngx_int_t thaw_variables_add(ngx_conf_t *cf);

#endif
