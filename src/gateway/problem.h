/* Refusals that tell a person what to do. Each has a status, a reason with the same name as in the access log, and a
 * cure. It is sent as problem+json (RFC 9457), or as a page for browsers. */
#ifndef GATEWAY_PROBLEM_H
#define GATEWAY_PROBLEM_H

#include "gateway/reply.h"
#include "http/head.h"
#include "thaw/types.h"

/* Why a request is refused before, or instead of, a verdict. */
enum gw_problem {
	GW_PROBLEM_MALFORMED, /* not valid HTTP: with the parser's status and text */
	GW_PROBLEM_NO_ROUTE,
	GW_PROBLEM_UNCLEAR_PATH, /* the path or method is ambiguous, and its routes have different requirements */
	GW_PROBLEM_ADDRESS,      /* allow_from, deny_from */
	GW_PROBLEM_RATE,         /* rate */
	GW_PROBLEM_MISDIRECTED,  /* RFC 9110 15.5.20 */
	GW_PROBLEM_PLAIN,        /* HTTP without TLS on a TLS port */
	GW_PROBLEM_NO_HOST,      /* it should be redirected, but its host is not configured */
	GW_PROBLEM_NO_CHALLENGE,
	GW_PROBLEM_SLOW_HEAD,
	GW_PROBLEM_SLOW_BODY,
	GW_PROBLEM_CUT_OFF,
	GW_PROBLEM_BODY_SIZE,     /* max_request_body */
	GW_PROBLEM_IDENTITY_SIZE, /* the client's certificate does not fit in the forwarded fields */
	GW_PROBLEM_GRPC,          /* upstreams get HTTP/1.1, which cannot carry gRPC */
	GW_PROBLEM_UPSTREAM,      /* it failed with this request */
	GW_PROBLEM_UPSTREAM_AWAY, /* no server of it could be reached */
	GW_PROBLEM_UPSTREAM_SLOW,
	GW_PROBLEM_MEMORY,
	GW_PROBLEM_STOPPING,      /* stop_timeout has passed */
	GW_PROBLEM_STOPPING_SENT, /* ... and a server has received the request, or a part of it */
	GW_PROBLEM_CROWDED,       /* its connection was closed to make room for others */
	GW_PROBLEMS
};

/* The reason's name, such as "no-route". */
const char *gw_problem_name(enum gw_problem problem);

/* The client that is refused. */
struct gw_asker {
	const char *id;   /* of the request, as in its access record */
	int64_t wall_ms;  /* now, since 1970 */
	bool page;        /* wants HTML, not JSON */
	unsigned retry_s; /* when the client may try again; 0: depends on the status */
};

/* False: out of memory. refusal: for MALFORMED only. */
bool gw_problem_reply(enum gw_problem problem, const struct http_refusal *refusal, const struct gw_asker *asker,
		      struct gw_reply *reply);
/* A refusal for gRPC clients over HTTP/2: in header fields, with status 200. */
void gw_problem_grpc(enum gw_problem problem, struct gw_reply *reply);
/* As gw_problem_reply(), with a URL that the client may use instead; NULL: none. */
bool gw_problem_with_link(enum gw_problem problem, const char *link, const struct gw_asker *asker,
			  struct gw_reply *reply);

/* A verdict that is not 'accepted'. */
struct gw_refused {
	enum thaw_verdict verdict;
	enum thaw_reason reason;
	const char *detail;      /* the error message of the verification, or "" */
	const char *elsewhere;   /* origin to which clients that cannot be asked are redirected (307); or NULL */
	struct http_span target; /* of the request, in origin form; appended to elsewhere */
};

/* False: out of memory. */
bool gw_problem_verdict(const struct gw_refused *refused, const struct gw_asker *asker, struct gw_reply *reply);

/* The response status for such a verdict. */
unsigned gw_problem_status(enum thaw_verdict verdict, enum thaw_reason reason);

#endif
