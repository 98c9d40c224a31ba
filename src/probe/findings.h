/*
 * The results of a plan: checks, by the question that they answer. NULL: the question was not asked, or not
 * answered in time. The plan owns everything.
 */
#ifndef PROBE_FINDINGS_H
#define PROBE_FINDINGS_H

#include "probe/address.h"
#include "probe/check.h"
#include "probe/sizes.h"

enum { FIND_12, FIND_13, FIND_VERSIONS };

/* Bodies sent by one style of client over one version of TLS. */
struct find_bodies {
	struct sizes sizes;
	struct sizes_boundary boundary;
	const struct check *checks[SIZES_MAX + 8]; /* in the order in which they were started */
	size_t count;
	const struct check *first_bad; /* at the smallest failing size; NULL: none */
	const struct check *largest;   /* the one with max_body */
	const struct check *frozen;    /* the smallest that froze; NULL: none */
	/* A body of first_bad's size on a primed connection, where the certificate is known before the body. */
	const struct check *control;
	uint64_t slow_from; /* from this size, bodies were answered, but only after more than a stall; 0: none */
	bool began, done;
};

struct find_version {
	const struct check *plain;         /* a request without a body */
	const struct check *paused;        /* a small body after a pause, and another pause after the response */
	const struct check *anonymous;     /* the same without a certificate */
	const struct check *no_offer;      /* TLS 1.3: without post-handshake authentication */
	const struct check *waits, *eager; /* Expect: 100-continue, with and without waiting */
	const struct check *primed;
	const struct check *resumed; /* a second connection that resumes the first one's session */
	const struct check *renegotiated;
	const struct check *withheld;
	struct find_bodies bodies[2]; /* indexed by enum check_style */
	const struct check *again;    /* like paused, after everything else */
};

/*
 * A result that would make an operator change a server: it must be seen twice. If it is seen only once, or if the
 * smallest request fails after it, it depends on the time and not on the request.
 */
struct find_claim {
	const struct check *first, *second; /* second NULL: no time to repeat it */
	size_t version;
};

/* For each version: no body, a small one, three sizes in two styles, Expect twice; and two for both versions. */
#define FIND_CLAIMS_MAX (FIND_VERSIONS * 10 + 2)

struct findings {
	struct probe_url url;
	struct sockaddr_storage address;
	bool wanted[FIND_VERSIONS]; /* versions to test */
	struct find_version versions[FIND_VERSIONS];
	/* Offers both versions, without post-handshake authentication, like browsers, Java, Node.js and Go. */
	const struct check *browser;
	const struct check *http2; /* an HTTP/2 request */
	const char *method;        /* for requests with a body */
	bool unsafe;               /* given by the user */
	bool has_certificate;
	uint64_t max_body, small_body, expect_body;
	uint32_t stall_ms, hold_ms;
	struct find_claim claims[FIND_CLAIMS_MAX];
	size_t claim_count;
	size_t connections;
	uint64_t uploaded;
	uint32_t ms;
	bool interrupted, out_of_time;
	const struct check *
		key_failed; /* the check in which the certificate's key could not sign; no check was started after it */
	uint32_t key_ms;    /* longest time for a signature if it is slow, else 0 */
	bool lost;          /* too many connections failed, although the first one worked */
};

/* The result, or one with outcome PENDING if there is no check. */
const struct check_result *find_result(const struct check *check);

/* Whether the result says something about the server: not if the connection failed, or if the check was stopped. */
bool find_tells(const struct check_result *result);

/* Whether the server asked after the handshake over that version; and when. */
bool find_asks_late(const struct find_version *version);
enum check_moment find_moment(const struct find_version *version);

/* Whether the server speaks that version of TLS, and HTTP over it. */
bool find_speaks(const struct find_version *version);

/* Whether the response is not an error. */
bool find_passes(const struct check_result *result);

/* A limit that also applies if the certificate is known before the body: with an ask at the handshake, or on a
 * primed connection. A freeze is not such a limit. */
bool find_is_own(const struct find_version *version, const struct find_bodies *bodies);

/* It also froze on a primed connection. */
bool find_freezes_primed(const struct find_bodies *bodies);

/* Fills claims[] with the results to repeat, without their second checks. */
void find_claims(struct findings *findings);

/* The claim for that check, or NULL. */
const struct find_claim *find_claim(const struct findings *findings, const struct check *first);

/* Whether the smallest request had the same result at the end as at the start. */
bool find_is_steady(const struct find_version *version);

/* Whether a request had the same result as the small one, or a good one. */
bool find_is_good(const struct find_version *version, const struct check_result *result);

#endif
