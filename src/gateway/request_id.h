/* An ID for each request. It is in the access record and in refusals, so that a visitor can tell the operator which
 * request it was. */
#ifndef GATEWAY_REQUEST_ID_H
#define GATEWAY_REQUEST_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

#define GW_REQUEST_ID_BYTES 10 /* 80 random bits: cannot be guessed, and do not repeat */
#define GW_REQUEST_ID_ROOM  17 /* for an ID that is generated here: 16 characters and a NUL */
#define GW_REQUEST_ID_MAX   64 /* characters of an ID from the client */
#define GW_REQUEST_ID_STOCK 16 /* IDs generated at once */

/* Set to zero before use and after fork(): two processes must not share it. */
struct gw_request_ids {
	uint8_t bytes[GW_REQUEST_ID_STOCK * GW_REQUEST_ID_BYTES];
	size_t left;
};

/* Generates an ID of lower-case letters and digits, without those that are easily confused. Empty: the system has no
 * random bytes. */
void gw_request_id(struct gw_request_ids *ids, char id[static GW_REQUEST_ID_ROOM]);

/* Whether an ID from a client is acceptable: 1 to GW_REQUEST_ID_MAX letters, digits, and any of - _ . : / + = @ ~ */
bool gw_request_id_is_fit(const char *text, size_t len);

/* Takes the ID from that field of the request. False: there is no such field, or several, or the ID is not
 * acceptable. */
bool gw_request_id_take(const struct http_request *head, const char *name, char id[static GW_REQUEST_ID_MAX + 1]);

#endif
