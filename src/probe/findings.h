/*
 * What a survey has found: trials by the questions that they answer. A NULL is a question that was not asked, or not
 * answered before the end. All of it belongs to the survey.
 */
#ifndef PROBE_FINDINGS_H
#define PROBE_FINDINGS_H

#include "probe/address.h"
#include "probe/sizes.h"
#include "probe/trial.h"

enum { FIND_12, FIND_13, FIND_VERSIONS };

/* The bodies of one style of client over one version of TLS. */
struct find_bodies {
	struct sizes sizes;
	struct sizes_boundary boundary;
	const struct trial *trials[SIZES_MAX + 8]; /* as they were begun */
	size_t count;
	const struct trial *first_bad; /* of that size, at the boundary; NULL: none is */
	const struct trial *largest;   /* the one of max_body */
	const struct trial *frozen;    /* the smallest that froze; NULL: none did */
	/* One of the size of first_bad on a connection that was primed: its certificate is known before the body. */
	const struct trial *control;
	uint64_t slow_from; /* bodies of that size were answered, but after more than a stall; 0: none */
	bool began, done;
};

struct find_version {
	const struct trial *plain;         /* a request without a body */
	const struct trial *paused;        /* with a small one, a pause before it, and another behind the response */
	const struct trial *anonymous;     /* the same without a certificate */
	const struct trial *no_offer;      /* TLS 1.3: without post-handshake authentication */
	const struct trial *waits, *eager; /* Expect: 100-continue, waited for and not */
	const struct trial *primed;
	const struct trial *resumed; /* a second connection, which resumes the first one's session */
	const struct trial *renegotiated;
	const struct trial *withheld;
	struct find_bodies bodies[2]; /* by enum trial_style */
	const struct trial *again;    /* as paused, after all else */
};

/*
 * Something that would cost somebody a change to his server: it needs two observations. What is seen once only, or of
 * the smallest request after it, too, depends on the time, and not on what was tried.
 */
struct find_claim {
	const struct trial *first, *second; /* second NULL: there was no time for it */
	size_t version;
};

/* Of each version: without a body, a small one, three sizes of two styles, Expect twice; and two of both versions. */
#define FIND_CLAIMS_MAX (FIND_VERSIONS * 10 + 2)

struct findings {
	struct probe_url url;
	struct sockaddr_storage address;
	bool wanted[FIND_VERSIONS]; /* was told to try it */
	struct find_version versions[FIND_VERSIONS];
	/* Offers both versions, and no post-handshake authentication: it gets what browsers, Java, Node and Go get. */
	const struct trial *browser;
	const struct trial *http2; /* a request over it */
	const char *method;        /* of requests with a body */
	bool unsafe;               /* it was given by the user */
	bool has_certificate;
	uint64_t max_body, small_body, expect_body;
	uint32_t stall_ms, hold_ms;
	struct find_claim claims[FIND_CLAIMS_MAX];
	size_t claim_count;
	size_t connections;
	uint64_t uploaded;
	uint32_t ms;
	bool interrupted, out_of_time;
	const struct trial *key_failed; /* the certificate's key made no signature there: nothing was begun after it */
	uint32_t key_ms;                /* the longest that it took to sign, where that is long; 0: it is not */
	bool lost;                      /* too many connections could not be made, though the first could */
};

/* The result, or one of nothing (outcome PENDING) where there is no trial. */
const struct trial_result *find_result(const struct trial *trial);

/* Whether it tells anything of the server's ways: a connection that was not made, or not looked at to its end, does
 * not. */
bool find_tells(const struct trial_result *result);

/* Asked after the handshake, by what was seen of that version; and when. */
bool find_asks_late(const struct find_version *version);
enum trial_moment find_moment(const struct find_version *version);

/* It spoke that version of TLS, and HTTP over it. */
bool find_speaks(const struct find_version *version);

/* It passed: a response that is no error. */
bool find_passes(const struct trial_result *result);

/* A limit that it has, too, where the certificate is known before the body: with an ask at the handshake, or on a
 * primed connection. A freeze is none. */
bool find_is_own(const struct find_version *version, const struct find_bodies *bodies);

/* It froze there, too. */
bool find_freezes_primed(const struct find_bodies *bodies);

/* Fills claims[] with what there is to be repeated, without their second trials. */
void find_claims(struct findings *findings);

/* The claim of that trial, or NULL. */
const struct find_claim *find_claim(const struct findings *findings, const struct trial *first);

/* Whether the smallest request came to the same at the end as in the beginning. */
bool find_is_steady(const struct find_version *version);

/* Whether a request came through like the small one did: the same answer, or a good one. */
bool find_is_good(const struct find_version *version, const struct trial_result *result);

#endif
