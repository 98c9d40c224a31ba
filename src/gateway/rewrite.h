/*
 * What a client and a service call differently: the host, by an upstream's `host`; paths, by a route's strip_prefix and
 * add_prefix. Requests are written in the service's words, responses in the client's (http/mapping.h).
 */
#ifndef GATEWAY_REWRITE_H
#define GATEWAY_REWRITE_H

#include "config/config.h"
#include "http/mapping.h"
#include "http/response.h"

#define GW_AUTHORITY_ROOM (HTTP_HOST_MAX + 16)

/* Of one attempt at a request. */
struct gw_rewrite {
	struct http_mapping map;         /* its spans point here, and into the settings */
	struct http_mapping destination; /* the prefixes of the route that a Destination belongs to */
	char outer[GW_AUTHORITY_ROOM], inner[GW_AUTHORITY_ROOM], server[GW_AUTHORITY_ROOM];
};

/* outer: host[:port] as the client named it. server: as the settings name it. */
void gw_rewrite_begin(struct gw_rewrite *rewrite, const struct config_route *route, struct http_span outer,
		      const struct config_upstream *upstream, const char *server);

/* The prefixes of a route, for a mapping that is about paths only. */
struct http_mapping gw_rewrite_paths(const struct config_route *route);

/* "GET /path HTTP/1.1" as the service gets it. The route's prefix was looked at before (judge.h). */
void gw_rewrite_request_line(const struct http_request *head, const struct config_route *route,
			     struct http_writer *writer);

/* A field of the request, or of the response, as it is passed on. */
void gw_rewrite_request(const struct gw_rewrite *rewrite, const struct http_field *field, struct http_writer *writer);
void gw_rewrite_response(const struct gw_rewrite *rewrite, const struct http_field *field, struct http_writer *writer);

#endif
