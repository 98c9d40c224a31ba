/*
 * The probe: tests how a server handles a client certificate that it requests late, where it freezes, and how to fix
 * it.
 *
 * A *check* (check.h) is one connection that follows a script: with or without a certificate, reading while writing or
 * not, primed, with Expect, over HTTP/2. It has a *meter* (meter.h) below its TLS and a *reply* (reply.h) above, and
 * records a *timeline* (timeline.h). It does no I/O. A *runner* (runner.h) runs checks in parallel over sockets. The
 * *plan* (plan.h) is the sequence of questions: it starts checks, evaluates them, and uses *sizes* (sizes.h) to
 * find the size at which a response changes. The results are the *findings* (findings.h). The *verdict* (verdict.h) and
 * the detected server (server.h), with its *cures* (cures.h), are computed from the findings. The *reports* (report.h)
 * show all of this as text, Markdown or JSON: the table of rows.h, and the timeline of draw.h as text or SVG. All text
 * from the server goes through plain.h.
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
	const char *method;            /* NULL: safe methods only (RFC 9110 9.2.1) */
	struct probe_routes routes;    /* how to connect; user_agent is required */
	const char *host;              /* the Host field; NULL: from the URL */
	const char *fields;            /* additional field lines, each with its CRLF; may be "" */
	struct tls_client_options tls; /* CAs to trust and the certificate to send; the probe sets the rest */
	bool has_certificate;
	enum probe_tls versions;
	uint64_t max_body;
	uint32_t stall_ms, hold_ms, limit_ms; /* limit_ms: after it no check is started */
	enum probe_form form;
	const char *svg;                          /* file for the picture of the timeline; NULL: none */
	FILE *out;                                /* for the report */
	FILE *progress;                           /* NULL: none */
	bool live;                                /* progress goes to a terminal: overwrite one line */
	const volatile sig_atomic_t *interrupted; /* as in struct runner_options */
};

/* Exit codes of a completed probe. */
enum probe_verdict {
	PROBE_NO_PROBLEM = 0,
	PROBE_LIMITED = 1,
	PROBE_FREEZES = 2,
	PROBE_UNTOLD = 3, /* no result */
};

/* Why a probe failed. */
enum probe_failure {
	PROBE_FINE,
	PROBE_BAD_USAGE,
	PROBE_NO_HOST,     /* unknown host */
	PROBE_UNREACHABLE, /* refused, reset, or no response before TLS */
	PROBE_PROTOCOL,    /* no TLS, or no HTTP over it */
	PROBE_STALLED,     /* no progress in the handshake */
	PROBE_DISTRUST,    /* the server's certificate */
	PROBE_BAD_FILE,    /* of CAs */
	PROBE_SYSTEM,      /* memory, sockets, output files */
};

/* Prints the report. PROBE_FINE: *verdict is set. Otherwise *err says what failed. */
enum probe_failure probe_run(const struct probe_options *options, enum probe_verdict *verdict, struct thaw_error *err);

#endif
