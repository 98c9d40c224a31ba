/* The routes of the other resources that a WebDAV request names: their prefixes change the paths of these. */
#ifndef GATEWAY_TARGETS_H
#define GATEWAY_TARGETS_H

#include "http/dav_if.h"

struct config_route;

struct gw_targets {
	const struct config_route *destination;              /* NULL: the request's own */
	const struct config_route *tagged[HTTP_IF_TAGS_MAX]; /* of each resource tag of its If; NULL: the same */
};

#endif
