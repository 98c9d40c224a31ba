/* URLs, and hosts with characters beyond ASCII. */
#ifndef SEND_URL_H
#define SEND_URL_H

#include "thaw/types.h"

/*
 * A copy of url, which is UTF-8 in any locale, with its host in the form for DNS, SNI and certificates ("xn--...";
 * RFC 5890, UTS #46). The rest is not checked. NULL with *err set: not convertible, or out of memory.
 */
char *send_url_ascii(const char *url, struct thaw_error *err);

/* The same for a host alone; the caller frees it. */
char *send_host_ascii(const char *host, struct thaw_error *err);

/* The host of url as written, IPv6 addresses in brackets; the caller frees it. NULL: out of memory. */
char *send_url_host(const char *url);

/* Why it is not a valid URL; a static string. NULL: it is valid. */
const char *send_url_fault(const char *url);

/* A copy of url with another host; port, user and path stay. NULL: out of memory. */
char *send_url_with_host(const char *url, const char *host);

/* "host" or "host:port" for the Host field (RFC 9110 7.2), without a user. NULL: out of memory, or not a URL. */
char *send_url_authority(const char *url);

/* Whether both have the same scheme, host and port (RFC 6454 5). */
enum send_url_relation {
	SEND_URL_SAME_ORIGIN,
	SEND_URL_OTHER_ORIGIN,
	SEND_URL_MALFORMED /* one of them is malformed, or out of memory */
};
enum send_url_relation send_url_relation(const char *one, const char *other);

/* Resolves the Location of a response to a request for base (RFC 3986 5.2). NULL: out of memory, or invalid. */
char *send_url_join(const char *base, const char *location);

/*
 * A copy of url. If its path is empty or ends in "/", the name of the file is appended, as curl does; all bytes
 * except unreserved ones (RFC 3986 2.3) are percent-encoded. file NULL: only a copy. NULL with *err set: out of
 * memory.
 */
bool send_url_is_folder(const char *url);
char *send_url_name(const char *url, const char *file, struct thaw_error *err);

/* A copy of url without user and password. NULL: out of memory. */
char *send_url_without_user(const char *url);

/* Quoted for a shell, and without user and password, which must not be logged. False: too long. */
#define SEND_URL_ROOM 1024
bool send_url_text(const char *url, char to[static SEND_URL_ROOM]);

#endif
