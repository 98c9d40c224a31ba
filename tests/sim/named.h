/*
 * Scenarios with a name: one for each row of the decision table of docs/ARCHITECTURE.md, one for each way of a client,
 * and the controls. Each is a row of a table: a client, one request of so many bytes, what must come of it, and for the
 * rest a function.
 */
#ifndef SIM_NAMED_H
#define SIM_NAMED_H

#include "world.h"

#define ANY_STATUS 1 /* it depends on the client's luck: only the bounds are looked at */

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
	void (*adjust)(struct scenario *scenario); /* what else is different; or NULL */
	/* what must come of the last request of the last connection */
	bool frozen;                   /* a control: it must be caught */
	unsigned status;               /* 0: no response; or ANY_STATUS */
	const char *verdict, *reason;  /* of the access record; NULL: not looked at */
	const char *means, *moment;    /* of the access record */
	void (*check)(struct world *); /* what else must hold; or NULL */
};

extern const struct named named_all[], named_h2[];
extern const size_t named_count, named_h2_count;

/* Of all tables; NULL: no more. */
const struct named *named_at(size_t index);

void named_make(const struct named *named, struct scenario *scenario);
/* Fails the world where something else came of it. */
void named_check(const struct named *named, struct world *world);

#endif
