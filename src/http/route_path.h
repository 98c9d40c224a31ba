/*
 * The form of a path that routes are selected by: percent-decoded, repeated slashes merged, parameters (";x=y")
 * removed. So all forms that some upstream treats as a protected path are protected, too.
 */
#ifndef HTTP_ROUTE_PATH_H
#define HTTP_ROUTE_PATH_H

#include "http/head.h"

/*
 * Writes the path's routing form to out (never longer than the path) and its length to *out_len. False, with *refusal
 * set: the path has dot segments, in any form, a backslash, an encoded NUL or control character, a malformed or doubly
 * encoded escape ("%252e"), overlong UTF-8, or an encoded slash in a parameter; or it is longer than room (414). "*",
 * for OPTIONS, is copied, and no route covers it.
 */
bool http_route_path(struct http_span path, char *out, size_t room, size_t *out_len, struct http_refusal *refusal);

/* Whether prefix (a route's path) covers path, by whole segments: "/late" covers "/late" and "/late/x", not "/later".
 * "/late/" is the same as "/late", since some upstreams treat both as equal. */
bool http_route_covers(const char *prefix, const char *path, size_t path_len);

#endif
