/* The `If` field of WebDAV (RFC 4918 10.4): the resources that its conditions are about. */
#ifndef HTTP_DAV_IF_H
#define HTTP_DAV_IF_H

#include "http/mapping.h"

#define HTTP_IF_TAGS_MAX 16 /* resource tags of a field that are mapped */

struct http_if {
	struct http_span rest;
	bool tagged, listed; /* the lists belong to resource tags; the last tag has one */
	bool begun;
	bool bad; /* malformed; set when http_if_next() has returned false */
};

void http_if_begin(struct http_if *reader, struct http_span value);

/* The next resource tag, without its angle brackets. False: there is none, or the rest is malformed (reader->bad). */
bool http_if_next(struct http_if *reader, struct http_span *tag);

/* The prefixes of one route. */
struct http_prefixes {
	const char *strip, *add;
};

/*
 * Maps the resource tags of a client's If to the service's, each as a Destination. of: the prefixes of each tag's
 * route; those of the mapping count where it is too short. out: room for HTTP_IF_MAPPED_MORE bytes more than the value.
 * False: leave it unchanged, because nothing changes, it is malformed, or it has more than HTTP_IF_TAGS_MAX tags.
 */
bool http_map_if(const struct http_mapping *mapping, const struct http_prefixes *of, size_t count,
		 struct http_span value, char *out, size_t *len);

#define HTTP_IF_MAPPED_MORE (HTTP_IF_TAGS_MAX * HTTP_MAPPED_MORE)

#endif
