/* The methods that a request may be taken for. Method names are case-sensitive (RFC 9110 9.1), but not to every
 * service. */
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

/* Whether the method differs only in case from one of the registered methods (RFC 9110 16.1.1) that services know. */
bool http_method_is_misspelled(struct http_span method);

/*
 * The request's own method first, cut at HTTP_METHOD_LEN; then those that some frameworks take it for: GET for HEAD,
 * and what X-HTTP-Method-Override, its variants, or the parameters _method and those names of the query name. False:
 * more than HTTP_METHODS_MAX.
 */
bool http_methods_of(const struct http_request *head, struct http_methods *methods);

#endif
