/* Reads responses: enough of RFC 9112 to tell a complete response from a truncated one. */
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
	unsigned hundreds; /* how many 100 responses came before it */
	char location[256], type[64], site[16];
	char *body; /* NUL-terminated, owned */
	size_t body_len;
	json_t *json; /* the parsed JSON body; owned */
};

struct answer_reader {
	char data[ANSWER_MAX];
	size_t len;
};

enum answer_state { ANSWER_MORE, ANSWER_CONTINUE, ANSWER_COMPLETE, ANSWER_BAD };

/*
 * Takes a response from the front of the bytes that were read. ANSWER_CONTINUE: it was a 100. ANSWER_BAD: it is not a
 * response; *why has the reason. is_head: the request was a HEAD.
 */
enum answer_state answer_take(struct answer_reader *reader, struct answer *answer, bool is_head, const char **why);
void answer_free(struct answer *answer);

#endif
