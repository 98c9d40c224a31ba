/* Which route a request belongs to, by all that its service acts on: its path, what becomes of it there, and where a
 * WebDAV request writes to. */
#ifndef GATEWAY_JUDGE_H
#define GATEWAY_JUDGE_H

#include "gateway/choose.h"

struct gw_judged {
	const struct gw_route *route;           /* for GW_CHOSEN; else NULL */
	const struct config_route *destination; /* that the path of its Destination belongs to; NULL: not looked for */
	struct http_refusal refusal;            /* for GW_REFUSED */
	size_t work;                            /* bytes that were looked at */
};

enum gw_choice gw_judge(const struct gw_host *host, const struct http_request *head, struct gw_judged *judged);

#endif
