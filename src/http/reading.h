/*
 * The ways in which services read one path. A service that serves a path under another name than the one that its route
 * was chosen by would be reached past that route's certificate; so a path is judged in each of these readings.
 * docs/PROXYING.md has the table of who reads how.
 */
#ifndef HTTP_READING_H
#define HTTP_READING_H

#include "http/head.h"

/* What a reading does otherwise than the routing form (route_path.h). */
#define HTTP_READ_EMPTY_SEGMENTS 1u  /* "//" is an empty segment, not one slash */
#define HTTP_READ_INNER_SLASH    2u  /* "%2F" belongs to a segment's name */
#define HTTP_READ_ESCAPED_LETTER 4u  /* "%61" is not "a" */
#define HTTP_READ_WIDE_SLASH     8u  /* a fullwidth slash or backslash, and its kind, divides segments */
#define HTTP_READ_AUTHORITY      16u /* after decoding, "//x/y" is the host x and the path /y */
#define HTTP_READ_NO_PARAMETERS  32u /* ";x=y" is dropped, and with it a segment that consists of nothing else */
#define HTTP_READ_NO_SESSION     64u /* ASP.NET's cookieless session, "/(S(x))", is dropped */
#define HTTP_READ_ALL            127u

/*
 * plain: decoded, with parameters. loose: the same segments, folded (fold.h) and without leading blanks. In both '/'
 * only divides segments; a slash inside one is HTTP_INNER_SLASH.
 */
#define HTTP_INNER_SLASH '\x01'
struct http_reading {
	char plain[HTTP_PATH_MAX], loose[HTTP_PATH_MAX];
	size_t plain_len, loose_len;
};

/* Which of the HTTP_READ_ bits make a difference to this path. It is one that http_route_path() takes. */
unsigned http_reading_traits(struct http_span path);

/*
 * Reads a path that http_route_path() takes. how: HTTP_READ_ bits. case_matters: the service tells "a" from "A". False:
 * the reading has a dot segment.
 */
bool http_reading_make(struct http_span path, unsigned how, bool case_matters, struct http_reading *reading);

/* How a route's path covers a reading: on whole segments. */
struct http_cover {
	unsigned segments; /* of the route's path */
	unsigned loose; /* the last of them, from 1, that is equal in the loose form only; 0: none. Where a '?' or '#'
			 * may end the path, all that follow are */
};

/* A route's path as http_reading_covered() wants it beside the path itself: into out, with room for strlen(path) + 1.
 */
void http_reading_prefix(const char *path, bool case_matters, char *out);

/*
 * Whether a route's path covers the reading. Segments are equal loosely that differ in what the loose form ignores, in
 * trailing dots and blanks, in what follows ';', ':', '?' or '#', or where one is the other's 8.3 name.
 */
bool http_reading_covered(const struct http_reading *reading, const char *path, const char *loose_path,
			  struct http_cover *cover);

#endif
