/*
 * Networks that client addresses are compared with: an address, a CIDR network (RFC 4632, RFC 4291 2.3), or all clients
 * of Unix sockets. An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is treated as IPv4, in networks and in client
 * addresses. Other IPv6 networks, including ::/0, contain no IPv4 addresses.
 */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

enum network_kind { NETWORK_IPV4, NETWORK_IPV6, NETWORK_UNIX };

struct network {
	enum network_kind kind;
	uint8_t bytes[16]; /* 4 of IPv4; 0 after the prefix */
	unsigned bits;     /* of the prefix */
};

#define NETWORK_TEXT_ROOM 52 /* the longest text, with its NUL */

/* Parses "192.0.2.1", "192.0.2.0/24", "2001:db8::/32" or "unix". NULL, or the error: "is not ...". */
const char *network_parse(const char *text, struct network *network);

/* Writes the usual notation; a single address has no prefix length. */
void network_text(const struct network *network, char text[static NETWORK_TEXT_ROOM]);

/* A client's address as a network with one address. False: NULL, or another address family. */
bool network_of(const struct sockaddr *address, struct network *one);

/* Whether outer contains every address of inner. */
bool network_within(const struct network *inner, const struct network *outer);

/* Sorts a list, and removes networks that others of the list contain. Returns the new count. */
size_t network_sort(struct network *items, size_t count);

/* Whether a network of the sorted list contains the network. */
bool network_is_listed(const struct network *items, size_t count, const struct network *network);
/* Whether no network of the sorted list shares an address with the network. */
bool network_is_disjoint(const struct network *items, size_t count, const struct network *network);

#endif
