/* thaw check --request: what a configuration makes of one request. */
#ifndef CLI_CHECK_REQUEST_H
#define CLI_CHECK_REQUEST_H

#include <jansson.h>

#include "config/config.h"
#include "thaw/types.h"

#define CHECK_HEADERS_MAX 32

struct check_request {
	const char *request;                    /* "METHOD https://HOST/PATH"; NULL: there is none */
	const char *certificate;                /* a PEM file; NULL: the client has none */
	const char *from;                       /* the client's address; NULL: any */
	const char *headers[CHECK_HEADERS_MAX]; /* "Name: value" */
	size_t header_count;
};

/* Prints the decision as text, or gives it as JSON where told is not NULL. THAW_FAILED: *err says what is wrong with
 * the request; of class THAW_ERR_USAGE. */
enum thaw_status check_request(const struct check_request *wish, const struct config *config, json_t **told,
			       struct thaw_error *err) THAW_MUST_CHECK;

#endif
