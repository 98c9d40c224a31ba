/* Finds the route of a request, by everything that its service acts on: its path, the path after the route's prefixes,
 * and the Destination and the If of a WebDAV request. */
#ifndef GATEWAY_JUDGE_H
#define GATEWAY_JUDGE_H

#include "gateway/choose.h"
#include "gateway/targets.h"

struct gw_judged {
	const struct gw_route *route; /* for GW_CHOSEN; else NULL */
	struct gw_targets targets;
	struct http_refusal refusal; /* for GW_REFUSED */
	size_t work;                 /* bytes that were examined */
};

enum gw_choice gw_judge(const struct gw_host *host, const struct http_request *head, struct gw_judged *judged);

#endif
