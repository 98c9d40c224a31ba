/*
 * Named scenarios: one for each row of the decision table of docs/ARCHITECTURE.md, one for each behaviour of a client,
 * and the controls. Each is a row of a table: a client, one request with a body of some size, the expected result, and
 * a function for everything else.
 */
#ifndef SIM_NAMED_H
#define SIM_NAMED_H

#include "world.h"

#define ANY_STATUS 1 /* any status: it depends on timing, so only the bounds are checked */

struct named {
	const char *name;
	/* the client and its request */
	enum client_versions versions;
	bool no_post_handshake;
	enum stack_kind stack;
	enum client_reading reading;
	enum client_answer answer;
	enum route route;
	uint64_t body;                             /* 0: a GET */
	void (*adjust)(struct scenario *scenario); /* changes anything else; or NULL */
	/* the expected result of the last request of the last connection */
	bool frozen;                   /* a control: the check must catch it */
	unsigned status;               /* 0: no response; or ANY_STATUS */
	const char *verdict, *reason;  /* of the access record; NULL: not checked */
	const char *means, *moment;    /* of the access record */
	void (*check)(struct world *); /* checks anything else; or NULL */
};

extern const struct named named_all[], named_h2[];
extern const size_t named_count, named_h2_count;

/* The scenarios of all tables; NULL: no more. */
const struct named *named_at(size_t index);

void named_make(const struct named *named, struct scenario *scenario);
/* Fails the world if the result is not the expected one. */
void named_check(const struct named *named, struct world *world);

#endif
