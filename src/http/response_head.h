/*
 * Parser of an HTTP/1.x response head from an upstream. Ambiguous heads are refused; some malformed heads that all
 * proxies interpret in the same way are repaired (repair.h). Spans point into the caller's bytes; nothing is allocated.
 */
#ifndef HTTP_RESPONSE_HEAD_H
#define HTTP_RESPONSE_HEAD_H

#include "http/head.h"
#include "http/repair.h"

enum http_response_framing {
	HTTP_RESPONSE_NONE,
	HTTP_RESPONSE_LENGTH,
	HTTP_RESPONSE_CHUNKED,
	HTTP_RESPONSE_UNTIL_CLOSE, /* RFC 9112 6.3, 8. */
};

struct http_response {
	unsigned status;         /* 100 to 999 */
	struct http_span phrase; /* may be empty */
	struct http_field fields[HTTP_FIELDS_MAX];
	size_t field_count;
	enum http_response_framing framing;
	bool has_length;  /* the head has a valid Content-Length, also with HTTP_RESPONSE_NONE (RFC 9110 8.6) */
	uint64_t length;  /* may be 0 */
	uint8_t minor;    /* HTTP/1.minor */
	bool keep_alive;  /* as version and Connection say; false with a body until close, or after a repair */
	unsigned repairs; /* enum http_repair */
};

/* The request's properties that framing depends on (RFC 9112 6.3). */
struct http_request_kind {
	bool is_head;
	bool upgrade; /* it asked for another protocol: only then is a 101 allowed */
};

/* As http_head_parse(); the refusal's `why` says what is wrong with the response. Repairs within a value are made in
 * place. */
enum http_parse http_response_parse(char *data, size_t len, const struct http_request_kind *ask, struct http_scan *scan,
				    struct http_response *answer, size_t *used, struct http_refusal *refusal);

/* The first field of that name (any case), or NULL. */
const struct http_field *http_response_find(const struct http_response *answer, const char *name);

/* The fields that Connection names. They and the fixed hop-by-hop fields are not forwarded (RFC 9110 7.6.1). */
#define HTTP_HOPS_MAX 16
struct http_hops {
	struct http_span named[HTTP_HOPS_MAX];
	size_t count;
	bool too_many;
};

/* Collects them from the fields of a request or a response. */
void http_hops_of(struct http_hops *hops, const struct http_field *fields, size_t count);

/*
 * Whether a field with that name is hop-by-hop. If Connection names too many fields, all fields are that are not known
 * to be end-to-end: it is safer to drop a field than to forward a hop-by-hop one.
 */
bool http_hops_has(const struct http_hops *hops, struct http_span name);

#endif
