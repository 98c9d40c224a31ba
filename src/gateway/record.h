/*
 * The access log: one record per request, with everything about its ask. A record is a JSON object until it is written,
 * because it waits for the verdict if the request is asked after its response.
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
	const struct sockaddr *peer;     /* NULL: unknown */
	const struct http_request *head; /* NULL: the request had no readable head */
	const char *host;                /* the host's name in the configuration; NULL: none */
	bool http2;
	const char *tls, *cipher; /* NULL: a connection without TLS */
	bool resumed;
	unsigned status;              /* 0: the connection ended without a response */
	const char *note;             /* why it ended in this way; or NULL */
	uint64_t bytes_in, bytes_out; /* of the bodies */
	uint64_t took_ms;
	int64_t wall_ms;                       /* when the request began, since 1970 */
	const char *service;                   /* the upstream; NULL: none */
	const char *server;                    /* of that upstream; NULL: none */
	uint64_t server_ms;                    /* until its response's head */
	unsigned repairs;                      /* of its response: enum http_repair */
	const struct tls_identity *identity;   /* that the request used; or NULL */
	const struct tls_identity *unverified; /* that was passed on, marked as unverified; or NULL */
};

struct gw_record_ask {
	struct thaw_report report;
	uint64_t drained; /* bytes of the body received before the verdict */
	uint64_t to_memory, to_disk;
};

/* "192.0.2.1:49152", "[2001:db8::1]:49152", or "unix" for all other addresses and for NULL. */
#define GW_RECORD_ADDRESS 64 /* room for each of them */
void gw_record_address(const struct sockaddr *peer, char *text, size_t room);

json_t *gw_record_new(const struct gw_record_facts *facts); /* NULL: out of memory */
/* on_demand: a certificate was requested in the handshake, on demand. */
bool gw_record_add_ask(json_t *record, const struct gw_record_ask *ask, bool on_demand);

/* One line with its newline, which the caller frees. NULL: out of memory. */
char *gw_record_line(const json_t *record, enum config_log_format format, size_t *len);

#endif
