/*
 * The access log: one record a request, with the whole story of its ask. A record is a JSON object until it is written,
 * since that of a request that is asked after its response waits for the verdict.
 */
#ifndef GATEWAY_RECORD_H
#define GATEWAY_RECORD_H

#include <jansson.h>

#include "config/config.h"
#include "http/head.h"
#include "thaw/ask.h"
#include "tls/details.h"

struct sockaddr;

struct gw_record_facts {
	const char *id;                  /* of the request */
	const struct sockaddr *peer;     /* NULL: unnamed */
	const struct http_request *head; /* NULL: the request had none that could be read */
	const char *host;                /* the settings' name of the host; NULL: none */
	bool http2;
	const char *tls, *cipher; /* NULL: a connection without TLS */
	bool resumed;
	unsigned status;              /* 0: the connection ended without a response */
	const char *note;             /* why it ended so; or NULL */
	uint64_t bytes_in, bytes_out; /* of body */
	uint64_t took_ms;
	int64_t wall_ms;                       /* when it began, since 1970 */
	const char *service;                   /* an upstream; NULL: none */
	const char *server;                    /* of it; NULL: none */
	uint64_t server_ms;                    /* until its response's head */
	unsigned repairs;                      /* of its response: enum http_repair */
	const struct tls_identity *identity;   /* that the request ran under; or NULL */
	const struct tls_identity *unverified; /* that it went on with, marked so; or NULL */
};

struct gw_record_ask {
	struct thaw_report report;
	uint64_t drained; /* bytes of body that came before the verdict */
	uint64_t to_memory, to_disk;
};

/* "192.0.2.1:49152", "[2001:db8::1]:49152", or "unix" for any other, and NULL. */
#define GW_RECORD_ADDRESS 64 /* room for each of them */
void gw_record_address(const struct sockaddr *peer, char *text, size_t room);

#define GW_RECORD_ADDRESS 64 /* room for each of them */

json_t *gw_record_new(const struct gw_record_facts *facts); /* NULL: no memory */
/* on_demand: its connection was asked in the handshake, on demand. */
bool gw_record_add_ask(json_t *record, const struct gw_record_ask *ask, bool on_demand);

/* One line with its newline, which the caller frees. NULL: no memory. */
char *gw_record_line(const json_t *record, enum config_log_format format, size_t *len);

#endif
