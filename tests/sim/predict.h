/*
 * Predicts the result of a connection's requests from its plan alone: the decision table of docs/ARCHITECTURE.md,
 * written again independently of the code that it judges. Where the result depends on timing, it lists the allowed
 * results.
 */
#ifndef SIM_PREDICT_H
#define SIM_PREDICT_H

#include "scenario.h"

enum outcome {
	OUTCOME_NONE = 1 << 0, /* no response */
	OUTCOME_200 = 1 << 1,  /* or 204 */
	OUTCOME_307 = 1 << 2,
	OUTCOME_400 = 1 << 3,
	OUTCOME_403 = 1 << 4,
	OUTCOME_408 = 1 << 5,
	OUTCOME_413 = 1 << 6,
	OUTCOME_503 = 1 << 7,
	OUTCOME_502 = 1 << 8,
	OUTCOME_504 = 1 << 9,
	OUTCOME_ANY = 0x3ff,
};

enum identity { IDENTITY_NONE, IDENTITY_GOOD, IDENTITY_OTHER, IDENTITY_EITHER };

struct expect {
	unsigned outcomes;         /* enum outcome, combined by | */
	enum identity identity;    /* of a 200; EITHER: none or the good one */
	enum thaw_verdict verdict; /* NONE: the verdict follows from the outcome */
};

void predict(const struct scenario *scenario, const struct conn_plan *plan, struct expect expects[SCENARIO_REQUESTS]);

/* By what the client offers: whether TLS 1.3 is used, and by what means the client can be asked then. */
bool predict_tls13(const struct scenario *scenario, const struct conn_plan *plan);
enum thaw_means predict_means(const struct scenario *scenario, const struct conn_plan *plan);

/* Whether nothing about the client can prevent an honest request from getting its response. */
bool predict_clean(const struct scenario *scenario, const struct conn_plan *plan);

unsigned outcome_of(unsigned status);
void outcomes_print(unsigned outcomes, char *text, size_t room);

#endif
