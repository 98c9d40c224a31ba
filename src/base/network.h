/*
 * Networks that client addresses are compared with: an address, a CIDR network (RFC 4632, RFC 4291 2.3), or all clients
 * of Unix sockets. An IPv4 address in its IPv6 form (::ffff:192.0.2.1) is that IPv4 address, in networks and in clients
 * alike; other IPv6 networks, ::/0 included, have no IPv4 address in them.
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

/* "192.0.2.1", "192.0.2.0/24", "2001:db8::/32" or "unix". NULL, or what is wrong with it: "is not ...". */
const char *network_parse(const char *text, struct network *network);

/* In its usual spelling; a single address has no length. */
void network_text(const struct network *network, char text[static NETWORK_TEXT_ROOM]);

/* A client's address as a network of one address. False: it has none, or of another family. */
bool network_of(const struct sockaddr *address, struct network *one);

/* Each address of inner is one of outer. */
bool network_within(const struct network *inner, const struct network *outer);

/* Puts a list in order, without networks that are within others of it; how many are left. */
size_t network_sort(struct network *items, size_t count);

/* Of a list in that order: the network is within one of its own. */
bool network_is_listed(const struct network *items, size_t count, const struct network *network);
/* ... and no address of the network is in one of them. */
bool network_is_disjoint(const struct network *items, size_t count, const struct network *network);

#endif
