/*
 * The ways in which services interpret a path. If a service interprets a path differently from the route selection, a
 * client could reach it without that route's certificate. So a path is checked in each of these readings.
 * docs/PROXYING.md has a table of services and their readings.
 */
#ifndef HTTP_READING_H
#define HTTP_READING_H

#include "http/head.h"

/* How a reading differs from the routing form (route_path.h). */
#define HTTP_READ_EMPTY_SEGMENTS 1u  /* "//" is an empty segment, not one slash */
#define HTTP_READ_INNER_SLASH    2u  /* "%2F" belongs to a segment's name */
#define HTTP_READ_ESCAPED_LETTER 4u  /* "%61" is not "a" */
#define HTTP_READ_WIDE_SLASH     8u  /* fullwidth slashes, backslashes and similar characters separate segments */
#define HTTP_READ_AUTHORITY      16u /* after decoding, "//x/y" is host x and path /y */
#define HTTP_READ_NO_PARAMETERS  32u /* ";x=y" is dropped, and a segment that has nothing else */
#define HTTP_READ_NO_SESSION     64u /* ASP.NET's cookieless session, "/(S(x))", is dropped */
#define HTTP_READ_ALL            127u

/*
 * plain: decoded, with parameters. loose: the same segments, folded (fold.h) and without leading blanks. In both, '/'
 * always separates segments; a slash inside a segment is HTTP_INNER_SLASH.
 */
#define HTTP_INNER_SLASH '\x01'
struct http_reading {
	char plain[HTTP_PATH_MAX], loose[HTTP_PATH_MAX];
	size_t plain_len, loose_len;
};

/* The HTTP_READ_ bits that make a difference for this path, which http_route_path() must accept. */
unsigned http_reading_traits(struct http_span path);

/*
 * Reads a path that http_route_path() accepts. how: HTTP_READ_ bits. case_matters: the service is case-sensitive.
 * False: the reading has a dot segment.
 */
bool http_reading_make(struct http_span path, unsigned how, bool case_matters, struct http_reading *reading);

/* How a route's path covers a reading, by whole segments. */
struct http_cover {
	unsigned segments; /* of the route's path */
	unsigned loose; /* the number, from 1, of the last segment that is equal only in the loose form; 0: none. After
			   a '?' or '#' that may end the path, all segments count as loose */
};

/* Writes the loose form of a route's path for http_reading_covered(). out: room for strlen(path) + 1. */
void http_reading_prefix(const char *path, bool case_matters, char *out);

/*
 * Whether a route's path covers the reading. Segments are loosely equal if they differ only in what the loose form
 * ignores, in trailing dots and blanks, in what follows ';', ':', '?' or '#', or if one is the other's 8.3 name.
 */
bool http_reading_covered(const struct http_reading *reading, const char *path, const char *loose_path,
			  struct http_cover *cover);

#endif
