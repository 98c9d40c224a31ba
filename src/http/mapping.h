/*
 * Maps URLs between clients and services, in both directions: the service gets another host, and a prefix of the path
 * is removed or added.
 */
#ifndef HTTP_MAPPING_H
#define HTTP_MAPPING_H

#include "http/head.h"

struct http_mapping {
	const char *strip, *add; /* prefixes of paths, "/a/b"; "": none. The client's paths begin with strip, the
				    service's with add */
	struct http_span outer;  /* host[:port] that the client uses; empty: unknown */
	struct http_span inner;  /* host[:port] that the service gets */
	struct http_span server; /* host[:port] of the server's address; empty: none */
	bool tls;                /* the service speaks TLS */
};

/* The most bytes that a mapping adds to a value: HTTP_HOST_MAX with a port, a scheme, and a route's path. */
#define HTTP_MAPPED_MORE 1536

/* The parts of an absolute URL, or of one without a scheme or an authority. */
struct http_reference {
	struct http_span scheme, authority; /* empty if missing */
	struct http_span path, rest;        /* the path begins with '/'; rest with '?' or '#', or is empty */
};

/* False: another kind of reference (a relative path, a scheme other than http and https, with user information, or with
 * other characters than visible ASCII). */
bool http_reference_parse(struct http_span value, struct http_reference *reference);

/* Maps a client's path to the service's. out: room for HTTP_MAPPED_MORE bytes more than the path. False: it does not
 * begin with the literal prefix. */
bool http_map_path(const struct http_mapping *mapping, struct http_span path, char *out, size_t *len);

/* Maps a client's Destination (RFC 4918 10.3) to the service's. Another host stays as it is, but the path is mapped,
 * too: services that ignore the host must get the path that was judged. False: leave it unchanged. */
bool http_map_destination(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

/* Maps a service's Location or Content-Location to the client's. False: leave it unchanged. */
bool http_map_location(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

/* Maps the URL in a service's Refresh ("5; url=/x", as browsers parse it) in the same way. */
bool http_map_refresh(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

/* Maps Path and Domain of a service's Set-Cookie (RFC 6265 4.1) to the client's. False: leave it unchanged. */
bool http_map_cookie(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

#endif
