/*
 * The same resource has one URL for the client and another one for the service behind: the service is told another
 * host, and a prefix of the path is taken off or put in front. Here the one becomes the other, in both directions.
 */
#ifndef HTTP_MAPPING_H
#define HTTP_MAPPING_H

#include "http/head.h"

struct http_mapping {
	const char *strip, *add; /* prefixes of paths, "/a/b"; "": none. strip is the client's, add the service's */
	struct http_span outer;  /* host[:port] as the client names it; empty: unknown */
	struct http_span inner;  /* as the service is told */
	struct http_span server; /* of the server's own address; empty: it has none */
	bool tls;                /* the service speaks TLS */
};

/* More than a value is longer afterwards: HTTP_HOST_MAX with a port, a scheme, and a route's path. */
#define HTTP_MAPPED_MORE 1536

/* An absolute URL, or one without a scheme or an authority, in its parts. */
struct http_reference {
	struct http_span scheme, authority; /* empty where it has none */
	struct http_span path, rest;        /* the path begins with '/'; rest with '?' or '#', or is empty */
};

/* False: it is another kind of reference (relative to a path, another scheme than http and https, with user
 * information, with something that is not visible ASCII). */
bool http_reference_parse(struct http_span value, struct http_reference *reference);

/* A client's path as the service gets it. out: room for HTTP_MAPPED_MORE bytes more than the path. False: it does not
 * begin with the prefix, written in this way. */
bool http_map_path(const struct http_mapping *mapping, struct http_span path, char *out, size_t *len);

/* A client's Destination (RFC 4918 10.3) as the service gets it. False: it stays as it is. */
bool http_map_destination(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

/* A service's Location or Content-Location as the client gets it. False: it stays as it is. */
bool http_map_location(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

/* The URL in a service's Refresh ("5; url=/x", as browsers read it), in the same way. */
bool http_map_refresh(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

/* A service's Set-Cookie (RFC 6265 4.1) as the client gets it: its Path and Domain. False: it stays as it is. */
bool http_map_cookie(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

#endif
