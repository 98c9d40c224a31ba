/* The methods that a service may use for a request. Method names are case-sensitive (RFC 9110 9.1), but some services
 * ignore case. */
#ifndef HTTP_METHOD_H
#define HTTP_METHOD_H

#include "http/head.h"

#define HTTP_METHODS_MAX 8
#define HTTP_METHOD_LEN  32

struct http_methods {
	size_t count;
	char names[HTTP_METHODS_MAX][HTTP_METHOD_LEN + 1];
};

bool http_method_has_lower_case(struct http_span method);

/* Whether the method differs only in case from a registered method (RFC 9110 16.1.1). */
bool http_method_is_misspelled(struct http_span method);

/*
 * The request's own method first, truncated to HTTP_METHOD_LEN. Then the methods that some frameworks use instead: GET
 * for HEAD, and those in X-HTTP-Method-Override, its variants, and the query parameters _method and with these names.
 * False: more than HTTP_METHODS_MAX.
 */
bool http_methods_of(const struct http_request *head, struct http_methods *methods);

#endif
