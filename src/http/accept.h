/* Proactive content negotiation (RFC 9110 12.5.1), as far as the gateway's own responses need it. */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/head.h"

/*
 * Whether the client prefers text/html to JSON, by its Accept fields. False if it prefers neither, accepts neither, or
 * sends no Accept: browsers name text/html when they load a page, other clients do not. (Java's HttpURLConnection does,
 * but with image/gif and without application/xhtml+xml: false for it.)
 */
bool http_prefers_html(const struct http_request *request);

#endif
