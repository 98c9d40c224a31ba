/* Decoder of the chunked transfer coding (RFC 9112 7.1). The data are spans of the input. */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "base/buffer.h"
#include "http/head.h"

#define HTTP_CHUNK_LINE_MAX 1024 /* chunk-size with its extensions */
#define HTTP_TRAILER_MAX    8192 /* the whole trailer section */

/* Limit of extension bytes (RFC 9112 7.1.1: "ought to limit the total length"). Each byte of data allows one more, so
 * that any number of signed chunks is accepted. */
#define HTTP_CHUNK_EXTENSIONS_MAX 16384

/* A stored trailer section; zero it first. */
struct http_trailers {
	struct buffer lines; /* with their CRLFs */
};
void http_trailers_free(struct http_trailers *trailers);

/* The next field after *at, which starts as 0; false: no more, or memory ran out before. */
bool http_trailers_next(const struct http_trailers *trailers, size_t *at, struct http_field *field);

/* Whether a field with that name may be forwarded as a trailer: not if it is for framing, routing, authorization or
 * content (RFC 9110 6.5.1). */
bool http_trailer_allowed(struct http_span name);

struct http_chunked {
	uint8_t state;
	uint64_t left;     /* remaining data of this chunk */
	size_t line;       /* bytes of the current line */
	size_t extensions; /* bytes of extensions so far, minus bytes of data */
	size_t trailer;    /* bytes of the trailer section so far */
	unsigned digits;
	bool bare_lf;                   /* the chunk's line ended in LF alone */
	struct http_trailers *trailers; /* the caller's; NULL: trailers are checked and discarded */
	unsigned *repairs; /* the caller's, for a response: HTTP_REPAIR_CHUNK (repair.h); NULL: repair nothing */
};

void http_chunked_init(struct http_chunked *chunked);

enum http_chunk {
	HTTP_CHUNK_DATA, /* *data is a span of the body; call again with the rest of the input */
	HTTP_CHUNK_MORE, /* all input is used: call again with more */
	HTTP_CHUNK_END,  /* the body and its trailers are complete; bytes after *used belong to the next request */
	HTTP_CHUNK_BAD,  /* *refusal says why */
};

/* *used: the number of input bytes that were processed, for every result. The work is linear in them. */
enum http_chunk http_chunked_decode(struct http_chunked *chunked, const char *input, size_t len, size_t *used,
				    struct http_span *data, struct http_refusal *refusal);

#endif
