/* Hosts of URLs beyond ASCII. */
#ifndef SEND_URL_H
#define SEND_URL_H

#include "thaw/types.h"

/*
 * A copy of url, which is in UTF-8 whatever the locale is, with its host as DNS, SNI and certificates have it
 * ("xn--..."; RFC 5890, UTS #46). The rest of it is not looked at. NULL with *err set: there is no such form, or no
 * memory.
 */
char *send_url_ascii(const char *url, struct thaw_error *err);

/* The same of a host alone, for the caller to free. */
char *send_host_ascii(const char *host, struct thaw_error *err);

/* The host of url as it is written there, IPv6 addresses in brackets; for the caller to free. NULL: no memory. */
char *send_url_host(const char *url);

/* Why it is no URL; static. NULL: it is one. */
const char *send_url_fault(const char *url);

/* A copy of url with another host; port, user and path stay. NULL: no memory. */
char *send_url_with_host(const char *url, const char *host);

/* "host" or "host:port", as a Host field has it (RFC 9110 7.2); without a user. NULL: no memory, or it is no URL. */
char *send_url_authority(const char *url);

/* Whether both have the same scheme, host and port (RFC 6454 5). */
enum send_url_relation {
	SEND_URL_SAME_ORIGIN,
	SEND_URL_OTHER_ORIGIN,
	SEND_URL_MALFORMED /* one of them, or no memory */
};
enum send_url_relation send_url_relation(const char *one, const char *other);

/* Where a Location field leads that came in response to a request for base (RFC 3986 5.2). NULL: no memory, or nowhere.
 */
char *send_url_join(const char *base, const char *location);

/*
 * A copy of url with the file's name behind its path where that ends in "/" or is empty, as curl has it; else just a
 * copy. Every byte of the name but unreserved ones (RFC 3986 2.3) is percent-encoded. file NULL: just a copy. NULL with
 * *err set: no memory.
 */
bool send_url_is_folder(const char *url);
char *send_url_name(const char *url, const char *file, struct thaw_error *err);

/* A copy of url without a user and password. NULL: no memory. */
char *send_url_without_user(const char *url);

/* Ready for a shell; and without a user and password, which logs must not have. False: too long. */
#define SEND_URL_ROOM 1024
bool send_url_text(const char *url, char to[static SEND_URL_ROOM]);

#endif
