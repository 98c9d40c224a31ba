/* A complete response in memory, and its conversion to bytes. */
#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_reply {
	unsigned status;
	const char *content_type; /* static; NULL: no body */
	const char *policy;       /* static: the Content-Security-Policy of a page; or NULL */
	char *body;               /* owned */
	size_t body_len;
	char *location;         /* owned; or NULL */
	char *allow;            /* owned: the methods of the Allow field; or NULL */
	unsigned retry_after_s; /* 0: none */
	const char *grpc;       /* static: the message of a gRPC error UNIMPLEMENTED; NULL: no gRPC error */
	char *more; /* owned: the operator's field lines; NULL: none. Names that are set already are left out */
	size_t more_len;
};

void gw_reply_free(struct gw_reply *reply);

/*
 * Returns head and body in one buffer, which the caller frees; NULL: out of memory. *len: its length; the first
 * *head_len bytes are the head. head_only: the request was a HEAD (RFC 9110 9.3.2). wall_ms: since 1970.
 */
char *gw_reply_render(const struct gw_reply *reply, bool head_only, bool keep_alive, int64_t wall_ms, size_t *head_len,
		      size_t *len);

#endif
