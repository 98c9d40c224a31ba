/* A response that is complete in memory, and how it becomes bytes. */
#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_reply {
	unsigned status;
	const char *content_type; /* static; NULL where there is no body */
	const char *policy;       /* static: of a page; or NULL */
	char *body;               /* owned */
	size_t body_len;
	char *location;         /* owned; or NULL */
	char *allow;            /* owned: the methods of the Allow field; or NULL */
	unsigned retry_after_s; /* 0: none */
	const char *grpc;       /* static: why a call of gRPC fails as UNIMPLEMENTED; NULL: it is another response */
	char *more; /* owned: field lines of the operator's; NULL: none. One whose name is there already is left out */
	size_t more_len;
};

void gw_reply_free(struct gw_reply *reply);

/*
 * Head and body in one piece, which the caller frees; NULL: no memory. *len: its bytes, of which the first *head_len
 * are the head. head_only: the request was a HEAD (RFC 9110 9.3.2). wall_ms: since 1970.
 */
char *gw_reply_render(const struct gw_reply *reply, bool head_only, bool keep_alive, int64_t wall_ms, size_t *head_len,
		      size_t *len);

#endif
