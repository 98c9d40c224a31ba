/* thaw check --request: how a configuration handles one request. */
#ifndef CLI_CHECK_REQUEST_H
#define CLI_CHECK_REQUEST_H

#include <jansson.h>

#include "config/config.h"
#include "thaw/types.h"

#define CHECK_HEADERS_MAX 32

struct check_request {
	const char *request;                    /* "METHOD https://HOST/PATH"; NULL: not used */
	const char *certificate;                /* a PEM file; NULL: no certificate */
	const char *from;                       /* the client's address; NULL: any */
	const char *headers[CHECK_HEADERS_MAX]; /* "Name: value" */
	size_t header_count;
};

/* Prints the decision as text if report is NULL. Otherwise stores it as JSON in *report. On THAW_FAILED *err says what
 * is wrong with the request; the class is then THAW_ERR_USAGE. */
enum thaw_status check_request(const struct check_request *wish, const struct config *config, json_t **report,
			       struct thaw_error *err) THAW_MUST_CHECK;

#endif
