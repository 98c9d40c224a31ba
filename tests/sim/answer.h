/* Reading responses: enough of RFC 9112 to tell a complete one from one that was cut off. */
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define ANSWER_MAX 65536 /* head and body of one response */

struct answer {
	unsigned status; /* 0: none */
	bool close;      /* Connection: close */
	bool complete;
	unsigned hundreds; /* how often 100 came first */
	char location[256], type[64], site[16];
	char *body; /* NUL-terminated, owned */
	size_t body_len;
	json_t *json; /* of a JSON body; owned */
};

struct answer_reader {
	char data[ANSWER_MAX];
	size_t len;
};

enum answer_state { ANSWER_MORE, ANSWER_CONTINUE, ANSWER_COMPLETE, ANSWER_BAD };

/*
 * Takes a response from the front of what was read. ANSWER_CONTINUE: it was a 100. is_head: the request was a HEAD.
 * ANSWER_BAD: not a response, with why in *why.
 */
enum answer_state answer_take(struct answer_reader *reader, struct answer *answer, bool is_head, const char **why);
void answer_free(struct answer *answer);

#endif
