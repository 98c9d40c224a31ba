/*
 * The form of a path by which routes are chosen: percent-decoded, repeated slashes merged, parameters (";x=y") left
 * out, so that every spelling that some upstream would take for a guarded path is guarded too.
 */
#ifndef HTTP_ROUTE_PATH_H
#define HTTP_ROUTE_PATH_H

#include "http/head.h"

/*
 * Writes the path's routing form to out (never longer than the path) and its length to *out_len. False: the path has
 * dot segments, in any spelling, a backslash, an encoded NUL or control character, a malformed escape, one that is
 * itself encoded ("%252e"), overlong UTF-8, or an encoded slash in a parameter; or is longer than room (414); *refusal
 * says which. "*", of OPTIONS, stays as it is, and no route covers it.
 */
bool http_route_path(struct http_span path, char *out, size_t room, size_t *out_len, struct http_refusal *refusal);

/* Whether prefix (a route's path) covers path: on whole segments, so that "/late" covers "/late" and "/late/x", not
 * "/later"; and "/late/" the same as "/late", since some upstream takes the two for one. */
bool http_route_covers(const char *prefix, const char *path, size_t path_len);

#endif
