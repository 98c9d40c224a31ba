/*
 * Keyed hashes of clients, for tables in memory that workers share. Each table has its own secret key, so that clients
 * cannot choose addresses that collide.
 */
#ifndef GATEWAY_KEYED_H
#define GATEWAY_KEYED_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct keyed_secret {
	uint64_t start, step;
};

/* The finalizer of MurmurHash3: every input bit affects every output bit. */
static inline uint64_t keyed_mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static inline void keyed_add(const struct keyed_secret *secret, uint64_t *hash, const void *bytes, size_t len)
{
	*hash = keyed_mix(*hash ^ len) + secret->step;
	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t part = 0;
		memcpy(&part, (const char *)bytes + at, len - at < sizeof(part) ? len - at : sizeof(part));
		*hash = keyed_mix(*hash ^ part) + secret->step;
	}
}

/* Adds a whole IPv4 address, also in its IPv6 form, or the /64 of an IPv6 address, because a client can change the
 * rest. False: the address does not identify a client, for example that of a Unix socket. */
static inline bool keyed_add_address(const struct keyed_secret *secret, uint64_t *hash, const struct sockaddr *address)
{
	if (address != NULL && address->sa_family == AF_INET) {
		keyed_add(secret, hash, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
		return true;
	}
	if (address == NULL || address->sa_family != AF_INET6)
		return false;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
	keyed_add(secret, hash, &v6->s6_addr[mapped ? 12 : 0], mapped ? 4 : 8);
	return true;
}

#endif
