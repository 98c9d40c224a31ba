/* A name for each request: in its access record, and in a refusal, so that a visitor can tell the operator which one.
 */
#ifndef GATEWAY_REQUEST_ID_H
#define GATEWAY_REQUEST_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

#define GW_REQUEST_ID_BYTES 10 /* 80 random bits: not guessed, and not given twice */
#define GW_REQUEST_ID_ROOM  17 /* of one that is made here: 16 characters and a NUL */
#define GW_REQUEST_ID_MAX   64 /* characters of one that a client brings */
#define GW_REQUEST_ID_STOCK 16 /* made at once */

/* Zero it first, and after fork(): no two processes may share one. */
struct gw_request_ids {
	uint8_t bytes[GW_REQUEST_ID_STOCK * GW_REQUEST_ID_BYTES];
	size_t left;
};

/* Lower-case letters and digits without those that are easily confused. Empty: the system has no random bytes. */
void gw_request_id(struct gw_request_ids *ids, char id[static GW_REQUEST_ID_ROOM]);

/* Whether a client's is fit to be taken: 1 to GW_REQUEST_ID_MAX letters, digits, and any of - _ . : / + = @ ~ */
bool gw_request_id_is_fit(const char *text, size_t len);

/* The one that the request brings in that field. False: none, one that is not fit, or several. */
bool gw_request_id_take(const struct http_request *head, const char *name, char id[static GW_REQUEST_ID_MAX + 1]);

#endif
