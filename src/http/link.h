/* The `Link` field (RFC 8288). */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include "http/mapping.h"

/*
 * Maps the targets of a service's Link to the client's, each as a Location. Parameters such as `anchor` stay as they
 * are. out: room for HTTP_MAPPED_MORE bytes more than the value. False: leave it unchanged, because nothing changes, it
 * is malformed, or it would grow by more.
 */
bool http_map_link(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

#endif
