/*
 * What happened on one connection, and when: its moments, and a curve of the bytes either way. Both have a fixed size,
 * however long the connection lives: of the curve every second point is dropped when it is full.
 */
#ifndef PROBE_TIMELINE_H
#define PROBE_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#define TIMELINE_MOMENTS_MAX 48
#define TIMELINE_POINTS_MAX  256

enum timeline_what {
	LINE_CONNECTED,
	LINE_SECURED,       /* value: 12 or 13 */
	LINE_PRIME,         /* the priming request went out */
	LINE_PRIMED,        /* its response is complete; value: its status */
	LINE_HEAD,          /* the request's head went out */
	LINE_BODY_BEGAN,    /* its body's first bytes did */
	LINE_BODY_ENDED,    /* its last did; value: the bytes */
	LINE_HELLO_REQUEST, /* TLS 1.2: the server wants to renegotiate */
	LINE_ASKED,         /* the request for the certificate was read; value: enum thaw_means */
	LINE_GIVEN,         /* the certificate was written */
	LINE_DECLINED,      /* an empty answer was */
	LINE_FINISHED,      /* the exchange's last message was */
	LINE_CONTINUE,      /* 100 Continue */
	LINE_STATUS,        /* a final response's head; value: its status */
	LINE_RESPONSE,      /* the response is complete */
	LINE_STALL,         /* nothing has moved since; value: body bytes that were written */
	LINE_ALERT,         /* value: the alert, from the server */
	LINE_CLOSED,        /* the server has ended the connection in an orderly way */
	LINE_RESET,         /* or in a disorderly one */
	LINE_LEFT,          /* this side has: enough was seen */
};

struct timeline_moment {
	enum timeline_what what;
	uint32_t ms;       /* since the connection was begun */
	uint64_t up, down; /* bytes of TLS, so far */
	uint64_t value;
};

struct timeline_point {
	uint32_t ms;
	uint64_t up, down;
};

struct timeline {
	struct timeline_moment moments[TIMELINE_MOMENTS_MAX];
	size_t moment_count;
	struct timeline_point points[TIMELINE_POINTS_MAX];
	size_t point_count;
	uint32_t spacing_ms; /* points are at least so far apart */
};

/* Nothing is lost at the end: when there is no room left, the last moment gives way. */
void timeline_add(struct timeline *line, enum timeline_what what, uint64_t value, const struct timeline_point *now);
/* For each step of a connection. */
void timeline_trace(struct timeline *line, const struct timeline_point *now);

/* The first moment of that kind, or NULL. */
const struct timeline_moment *timeline_find(const struct timeline *line, enum timeline_what what);

/* "certificate-requested" and the like: for programs, and stable. */
const char *timeline_name(enum timeline_what what);

#endif
