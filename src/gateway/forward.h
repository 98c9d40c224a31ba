/*
 * The head of a request for its upstream (RFC 9110 7.6): without fields that are for this connection only, and
 * without fields that a client must not set; with fields about the client and the connection.
 */
#ifndef GATEWAY_FORWARD_H
#define GATEWAY_FORWARD_H

#include "gateway/headers.h"
#include "gateway/rewrite.h"

struct gw_batch;
struct http_trailers;

/* Whether the request asks for another protocol (RFC 9110 7.8) that its route allows. */
bool gw_forward_is_upgrade(const struct http_request *head, const struct config_route *route);

/* Whether a 101 may switch to these protocols: the value of its Upgrade field. */
bool gw_forward_may_switch(const struct config_route *route, struct http_span protocols);

/* A request to be forwarded. */
struct gw_outgoing {
	const struct config_host *host;
	const struct config_route *route;
	const struct config_upstream *upstream;
	const char *server; /* of it, as the settings name it */
	const struct gw_targets *targets;
	const struct http_request *head;
	struct gw_origin origin;
	bool expects; /* the server must send 100 before the body is sent */
	bool upgrade; /* gw_forward_is_upgrade() */
};

/* Writes the head, and prepares rewrite for the response. If it does not fit, the writer's overflow is set. */
void gw_forward_head(const struct gw_outgoing *out, struct gw_rewrite *rewrite, struct http_writer *writer);

/* What may not be passed on in trailers, besides what frames, routes or authorises. */
struct gw_trailer_rules {
	const struct config_host *host;       /* of a request; NULL for a response */
	const struct config_headers *headers; /* what they set or remove */
};

bool gw_forward_trailer(const struct gw_trailer_rules *rules, struct http_span name);

/* The last chunk, and the trailers that may be passed on. There is room in every batch. */
void gw_forward_end(const struct gw_trailer_rules *rules, const struct http_trailers *trailers, struct gw_batch *batch);

#endif
