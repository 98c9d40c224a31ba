/*
 * What happened on one connection, and when: its moments, and a curve of the bytes in both directions. Both have a
 * fixed size: if the curve is full, every second point is removed.
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
	LINE_PRIME,         /* the priming request was sent */
	LINE_PRIMED,        /* its response is complete; value: its status */
	LINE_HEAD,          /* the request's head was sent */
	LINE_BODY_BEGAN,    /* the first bytes of the body were sent */
	LINE_BODY_ENDED,    /* the last ones; value: the number of bytes */
	LINE_HELLO_REQUEST, /* TLS 1.2: the server wants to renegotiate */
	LINE_ASKED,         /* the certificate request was read; value: enum thaw_means */
	LINE_GIVEN,         /* the certificate was sent */
	LINE_DECLINED,      /* no certificate was sent (an empty answer) */
	LINE_FINISHED,      /* the exchange's last message was sent */
	LINE_CONTINUE,      /* 100 Continue */
	LINE_STATUS,        /* a final response's head; value: its status */
	LINE_RESPONSE,      /* the response is complete */
	LINE_STALL,         /* no progress since; value: body bytes written */
	LINE_ALERT,         /* an alert from the server; value: its code */
	LINE_CLOSED,        /* the server closed the connection with close_notify or FIN */
	LINE_RESET,         /* the server reset the connection */
	LINE_LEFT,          /* this side closed the connection */
};

struct timeline_moment {
	enum timeline_what what;
	uint32_t ms;       /* since the start of the connection */
	uint64_t up, down; /* TLS bytes sent and received so far */
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
	uint32_t spacing_ms; /* minimum distance of points */
};

/* If there is no room, the last moment is replaced, so that the end is never lost. */
void timeline_add(struct timeline *line, enum timeline_what what, uint64_t value, const struct timeline_point *now);
/* Call for each step of a connection. */
void timeline_trace(struct timeline *line, const struct timeline_point *now);

/* The first moment of that kind, or NULL. */
const struct timeline_moment *timeline_find(const struct timeline *line, enum timeline_what what);

/* "certificate-requested" and so on: stable names for programs. */
const char *timeline_name(enum timeline_what what);

#endif
