/* Refusals that a person can act on: a status, a reason in the words of the access log, and a cure; as problem+json
 * (RFC 9457), or as a page where a browser shows it. */
#ifndef GATEWAY_PROBLEM_H
#define GATEWAY_PROBLEM_H

#include "gateway/reply.h"
#include "http/head.h"
#include "thaw/types.h"

/* Why a request is refused before, or instead of, a verdict. */
enum gw_problem {
	GW_PROBLEM_MALFORMED, /* not HTTP: the parser's status and words */
	GW_PROBLEM_NO_ROUTE,
	GW_PROBLEM_UNCLEAR_PATH, /* readings of the path, or of the method, belong to routes with different demands */
	GW_PROBLEM_ADDRESS,      /* allow_from, deny_from */
	GW_PROBLEM_RATE,         /* rate */
	GW_PROBLEM_MISDIRECTED,  /* RFC 9110 15.5.20 */
	GW_PROBLEM_PLAIN,        /* HTTP without TLS, on a port that has TLS */
	GW_PROBLEM_NO_HOST,      /* to be redirected, and to none of our hosts */
	GW_PROBLEM_NO_CHALLENGE,
	GW_PROBLEM_SLOW_HEAD,
	GW_PROBLEM_SLOW_BODY,
	GW_PROBLEM_CUT_OFF,
	GW_PROBLEM_BODY_SIZE,     /* max_request_body */
	GW_PROBLEM_IDENTITY_SIZE, /* the client's certificate does not fit the fields that pass it on */
	GW_PROBLEM_GRPC,          /* services get HTTP/1.1 */
	GW_PROBLEM_UPSTREAM,      /* it failed with this request */
	GW_PROBLEM_UPSTREAM_AWAY, /* no server of it could be reached */
	GW_PROBLEM_UPSTREAM_SLOW,
	GW_PROBLEM_MEMORY,
	GW_PROBLEM_STOPPING,      /* stop_timeout has passed */
	GW_PROBLEM_STOPPING_SENT, /* ... and a server has had the request, or a part of it */
	GW_PROBLEM_CROWDED,       /* its connection was closed to make room for others */
	GW_PROBLEMS
};

/* The reason's word, such as "no-route". */
const char *gw_problem_name(enum gw_problem problem);

/* Who is refused. */
struct gw_asker {
	const char *id;   /* of the request, as in its access record */
	int64_t wall_ms;  /* now, since 1970 */
	bool page;        /* wants HTML, not JSON */
	unsigned retry_s; /* when it may come again; 0: as the status says */
};

/* False: no memory. refusal: for MALFORMED only. */
bool gw_problem_reply(enum gw_problem problem, const struct http_refusal *refusal, const struct gw_asker *asker,
		      struct gw_reply *reply);
/* A refusal as gRPC clients read it, over HTTP/2: in fields, with the status 200. */
void gw_problem_grpc(enum gw_problem problem, struct gw_reply *reply);
/* The same with a URL that the client may go to instead; NULL: none. */
bool gw_problem_with_link(enum gw_problem problem, const char *link, const struct gw_asker *asker,
			  struct gw_reply *reply);

/* A verdict that is not 'accepted'. */
struct gw_refused {
	enum thaw_verdict verdict;
	enum thaw_reason reason;
	const char *detail;      /* the verification's words, or "" */
	const char *elsewhere;   /* where clients that cannot be asked are sent (307); or NULL */
	struct http_span target; /* of the request, in origin form: it comes after that */
};

/* False: no memory. */
bool gw_problem_verdict(const struct gw_refused *refused, const struct gw_asker *asker, struct gw_reply *reply);

/* The status that such a verdict is answered with. */
unsigned gw_problem_status(enum thaw_verdict verdict, enum thaw_reason reason);

#endif
