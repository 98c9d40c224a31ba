/* The bytes that a client sends: its requests as a stream, made on demand, with the SHA-256 of each body. */
#ifndef SIM_EMITTER_H
#define SIM_EMITTER_H

#include <openssl/evp.h>

#include "rng.h"
#include "scenario.h"

enum emitter_phase { EMIT_HEAD, EMIT_WAIT_100, EMIT_BODY, EMIT_CHUNK_END, EMIT_TRAILER, EMIT_DONE };

struct emitter {
	const struct scenario *scenario;
	const struct conn_plan *plan;
	unsigned request; /* the current request */
	unsigned allowed; /* requests below this number may begin */
	enum emitter_phase phase;
	char text[1024]; /* bytes to send before more of the body */
	size_t text_at, text_len;
	uint64_t body_left, chunk_left;
	struct rng body, sizes;
	EVP_MD_CTX *digest;
	char sha256[SCENARIO_REQUESTS][65]; /* of the complete bodies */
	uint64_t continue_at_us;            /* when an impatient client sends its body */
};

void emitter_init(struct emitter *emitter, const struct scenario *scenario, const struct conn_plan *plan);
void emitter_free(struct emitter *emitter);

/* Returns the next bytes, from one phase only. 0: none now (see emitter_waits_100(), allowed), or no more at all. */
size_t emitter_next(struct emitter *emitter, void *data, size_t room, uint64_t now_us);
/* Whether the bytes that emitter_next() returns belong to a body. */
bool emitter_in_body(const struct emitter *emitter);
bool emitter_waits_100(const struct emitter *emitter);
/* Whether it has bytes to send now. */
bool emitter_ready(const struct emitter *emitter, uint64_t now_us);
/* Call it after a 100 or a final response. */
void emitter_continue(struct emitter *emitter);
/* Call it after a final response before the body began: the body is not sent, and the connection is not reused. */
void emitter_stop(struct emitter *emitter);
bool emitter_all_sent(const struct emitter *emitter);

#endif
