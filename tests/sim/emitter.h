/* What a client says: its requests as a stream of bytes, made as they are needed, with the SHA-256 of each body. */
#ifndef SIM_EMITTER_H
#define SIM_EMITTER_H

#include <openssl/evp.h>

#include "rng.h"
#include "scenario.h"

enum emitter_phase { EMIT_HEAD, EMIT_WAIT_100, EMIT_BODY, EMIT_CHUNK_END, EMIT_TRAILER, EMIT_DONE };

struct emitter {
	const struct scenario *scenario;
	const struct conn_plan *plan;
	unsigned request; /* the one under way */
	unsigned allowed; /* requests below this one may be begun */
	enum emitter_phase phase;
	char text[1024]; /* bytes that come before more of the body */
	size_t text_at, text_len;
	uint64_t body_left, chunk_left;
	struct rng body, sizes;
	EVP_MD_CTX *digest;
	char sha256[SCENARIO_REQUESTS][65]; /* of the bodies that are complete */
	uint64_t continue_at_us;            /* an impatient client's body */
};

void emitter_init(struct emitter *emitter, const struct scenario *scenario, const struct conn_plan *plan);
void emitter_free(struct emitter *emitter);

/* The next bytes, from one phase only; 0: none now (see emitter_waits_100(), allowed), or none any more. */
size_t emitter_next(struct emitter *emitter, void *data, size_t room, uint64_t now_us);
/* The bytes that emitter_next() gives are of a body. */
bool emitter_in_body(const struct emitter *emitter);
bool emitter_waits_100(const struct emitter *emitter);
/* Has something to say now. */
bool emitter_ready(const struct emitter *emitter, uint64_t now_us);
/* A 100, or a final response, has come. */
void emitter_continue(struct emitter *emitter);
/* A final response came before the body was begun: it is not sent any more, and the connection is not used again. */
void emitter_stop(struct emitter *emitter);
bool emitter_all_said(const struct emitter *emitter);

#endif
