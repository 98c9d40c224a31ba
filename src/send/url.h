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

#endif
