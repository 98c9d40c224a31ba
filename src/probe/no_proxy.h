/* Hosts that are connected to without a proxy. */
#ifndef PROBE_NO_PROXY_H
#define PROBE_NO_PROXY_H

#include <stdbool.h>

/*
 * As curl reads --noproxy and no_proxy. list: names, addresses and CIDR networks, separated by commas or blanks, or "*"
 * for all. A name stands for itself and all names below it; a dot before or after it changes nothing. host: a name, or
 * an address without brackets.
 */
bool no_proxy_has(const char *list, const char *host);

#endif
