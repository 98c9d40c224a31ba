/*
 * Translates between the names of a client and those of a service: hosts, by an upstream's `host`; paths, by a route's
 * strip_prefix and add_prefix. Requests are written with the service's names, responses with the client's
 * (http/mapping.h).
 */
#ifndef GATEWAY_REWRITE_H
#define GATEWAY_REWRITE_H

#include "config/config.h"
#include "gateway/targets.h"
#include "http/response.h"

#define GW_AUTHORITY_ROOM (HTTP_HOST_MAX + 16)

/* For one attempt to send a request. */
struct gw_rewrite {
	struct http_mapping map; /* its spans point into this struct and into the configuration */
	struct http_prefixes destination, tagged[HTTP_IF_TAGS_MAX]; /* of the routes of a Destination, and of the If */
	char outer[GW_AUTHORITY_ROOM], inner[GW_AUTHORITY_ROOM], server[GW_AUTHORITY_ROOM];
};

/* outer: host[:port] from the client. server: as named in the configuration. */
void gw_rewrite_begin(struct gw_rewrite *rewrite, const struct config_route *route, struct http_span outer,
		      const struct config_upstream *upstream, const char *server);

/* route: the request's own. */
void gw_rewrite_targets(struct gw_rewrite *rewrite, const struct config_route *route, const struct gw_targets *targets);

/* A mapping that has only the prefixes of a route, for paths. */
struct http_mapping gw_rewrite_paths(const struct config_route *route);

/* Writes the request line for the service, such as "GET /path HTTP/1.1". The route's prefix was checked before
 * (judge.h). */
void gw_rewrite_request_line(const struct http_request *head, const struct config_route *route,
			     struct http_writer *writer);

/* Write a field of the request or the response as it is forwarded. */
void gw_rewrite_request(const struct gw_rewrite *rewrite, const struct http_field *field, struct http_writer *writer);
void gw_rewrite_response(const struct gw_rewrite *rewrite, const struct http_field *field, struct http_writer *writer);

#endif
