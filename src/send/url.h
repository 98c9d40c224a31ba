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

/*
 * A copy of url with the file's name behind its path where that ends in "/" or is empty, as curl has it; else just a
 * copy. Every byte of the name but unreserved ones (RFC 3986 2.3) is percent-encoded. NULL with *err set: no memory.
 */
char *send_url_name(const char *url, const char *file, struct thaw_error *err);

#endif
