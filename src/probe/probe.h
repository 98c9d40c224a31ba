/*
 * The probe: what a server does with a client certificate that it asks for late, where it freezes, and what cures it.
 *
 * A *trial* (trial.h) is one connection that does just what its script says: with or without a certificate, reading
 * while it writes or not, primed, with Expect, over HTTP/2; it has a *meter* (meter.h) under its TLS, a *reply*
 * (reply.h) on top, and leaves a *timeline* (timeline.h). It does no I/O. A *crew* (crew.h) runs trials side by side
 * over sockets. The *survey* (survey.h) is the questions, in their order: it starts trials, looks at what came of them,
 * and lets *sizes* (sizes.h) find the size at which an answer changes. What it learnt are the *findings* (findings.h).
 * From them alone the *verdict* (verdict.h) is made, and the server recognised (server.h), which has its *cures*
 * (cures.h). *Reports* (report.h) are made of all that, for people as text or Markdown and for programs as JSON: the
 * table of rows.h, and the timeline as text or SVG of draw.h. What a server has a hand in goes through plain.h first.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <signal.h>
#include <stdio.h>

#include "probe/way.h"
#include "tls/client.h"

enum probe_form { PROBE_TEXT, PROBE_JSON, PROBE_MARKDOWN };
enum probe_tls { PROBE_TLS_BOTH, PROBE_TLS_12, PROBE_TLS_13 };

struct probe_options {
	const char *url;
	const char *method;            /* NULL: only methods that are safe (RFC 9110 9.2.1) */
	struct probe_routes routes;    /* which way to go; user_agent is needed */
	const char *host;              /* the Host field; NULL: as the URL says */
	const char *fields;            /* more field lines, each with its CRLF; "" */
	struct tls_client_options tls; /* whom to believe, and the certificate to give; the rest is the probe's */
	bool has_certificate;
	enum probe_tls versions;
	uint64_t max_body;
	uint32_t stall_ms, hold_ms, limit_ms; /* limit: nothing new is begun after it */
	enum probe_form form;
	const char *svg;                          /* a file for the timeline's picture; NULL: none */
	FILE *out;                                /* the report */
	FILE *progress;                           /* NULL: none */
	bool live;                                /* progress goes to a terminal: one line, written over */
	const volatile sig_atomic_t *interrupted; /* as in crew_options */
};

/* Exit codes of a probe that took place. */
enum probe_verdict {
	PROBE_NO_PROBLEM = 0,
	PROBE_LIMITED = 1,
	PROBE_FREEZES = 2,
	PROBE_UNTOLD = 3, /* it could not be told */
};

/* What was in the way of a probe. */
enum probe_failure {
	PROBE_FINE,
	PROBE_BAD_USAGE,
	PROBE_NO_HOST,     /* the name is unknown */
	PROBE_UNREACHABLE, /* refused, reset, or no answer before TLS */
	PROBE_PROTOCOL,    /* no TLS, or no HTTP over it */
	PROBE_STALLED,     /* no progress in the handshake */
	PROBE_DISTRUST,    /* the server's certificate */
	PROBE_BAD_FILE,    /* of CAs */
	PROBE_SYSTEM,      /* memory, sockets, the report's files */
};

/* Prints the report. PROBE_FINE: *verdict is set. Else *err tells what was in the way. */
enum probe_failure probe_run(const struct probe_options *options, enum probe_verdict *verdict, struct thaw_error *err);

#endif
