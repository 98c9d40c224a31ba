/* The chunked transfer coding (RFC 9112 7.1), decoded in place: data comes out as spans of what went in. */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "base/buffer.h"
#include "http/head.h"

#define HTTP_CHUNK_LINE_MAX 1024 /* chunk-size with its extensions */
#define HTTP_TRAILER_MAX    8192 /* the whole trailer section */

/* Extension bytes beyond the data that they come with (RFC 9112 7.1.1: "ought to limit the total length"). A byte of
 * data pays for a byte of extensions, so that signed chunks of any number pass. */
#define HTTP_CHUNK_EXTENSIONS_MAX 16384

/* The trailer section of a body, kept; zero it first. */
struct http_trailers {
	struct buffer lines; /* with their CRLFs */
};
void http_trailers_free(struct http_trailers *trailers);

/* The next field from *at on, which begins as 0; false: no more, or lost. */
bool http_trailers_next(const struct http_trailers *trailers, size_t *at, struct http_field *field);

/* Whether a field of that name may be passed on behind a body: none that frames, routes, or authorises the message, or
 * says how to read it (RFC 9110 6.5.1). */
bool http_trailer_allowed(struct http_span name);

struct http_chunked {
	uint8_t state;
	uint64_t left;     /* data of this chunk still to come */
	size_t line;       /* bytes of the line under way */
	size_t extensions; /* bytes of extensions so far that no data has paid for */
	size_t trailer;    /* bytes of the trailer section so far */
	unsigned digits;
	bool bare_lf;                   /* the chunk's line ended in LF alone */
	struct http_trailers *trailers; /* the caller's; NULL: they are checked, and left out */
	unsigned *repairs; /* the caller's, of a response: HTTP_REPAIR_CHUNK (repair.h); NULL: nothing is repaired */
};

void http_chunked_init(struct http_chunked *chunked);

enum http_chunk {
	HTTP_CHUNK_DATA, /* *data is a span of body; call again with what is left of the input */
	HTTP_CHUNK_MORE, /* all the input is used up: call again with more */
	HTTP_CHUNK_END,  /* the body and its trailers are complete; bytes behind *used are the next request's */
	HTTP_CHUNK_BAD,  /* *refusal says why */
};

/* *used: how many bytes of the input were taken, with any outcome. The work is linear in them. */
enum http_chunk http_chunked_decode(struct http_chunked *chunked, const char *input, size_t len, size_t *used,
				    struct http_span *data, struct http_refusal *refusal);

#endif
