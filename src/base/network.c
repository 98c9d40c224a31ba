#include "base/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

#define MAPPED_BITS 96 /* of ::ffff:0:0/96, RFC 4291 2.5.5.2 */

static unsigned bits_of(enum network_kind kind)
{
	static const unsigned bits[] = {[NETWORK_IPV4] = 32, [NETWORK_IPV6] = 128, [NETWORK_UNIX] = 0};

	return bits[kind];
}

/* Converts an IPv4-mapped IPv6 network to IPv4. */
static void unmap(struct network *network)
{
	static const uint8_t prefix[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

	if (network->kind != NETWORK_IPV6 || network->bits < MAPPED_BITS ||
	    memcmp(network->bytes, prefix, sizeof(prefix)) != 0)
		return;
	network->kind = NETWORK_IPV4;
	network->bits -= MAPPED_BITS;
	memmove(network->bytes, network->bytes + sizeof(prefix), 4);
	memset(network->bytes + 4, 0, sizeof(network->bytes) - 4);
}

/* All bits after the prefix are zero. */
static bool has_no_host_bits(const struct network *network)
{
	for (unsigned i = network->bits; i < bits_of(network->kind); i++)
		if ((network->bytes[i / 8] & 0x80u >> i % 8) != 0)
			return false;
	return true;
}

static bool read_address(const char *text, size_t len, struct network *network)
{
	char address[INET6_ADDRSTRLEN];

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	network->kind = strchr(address, ':') != NULL ? NETWORK_IPV6 : NETWORK_IPV4;
	network->bits = bits_of(network->kind);
	return inet_pton(network->kind == NETWORK_IPV6 ? AF_INET6 : AF_INET, address, network->bytes) == 1;
}

/* Decimal, without a sign or leading zeros. */
static bool read_bits(const char *text, struct network *network)
{
	size_t len = strlen(text);
	uint64_t bits = 0;

	if (len == 0 || (len > 1 && text[0] == '0') || !ascii_number(text, len, bits_of(network->kind), &bits))
		return false;
	network->bits = (unsigned)bits;
	return true;
}

const char *network_parse(const char *text, struct network *network)
{
	size_t len = strcspn(text, "/");

	*network = (struct network){.kind = NETWORK_UNIX};
	if (strcmp(text, "unix") == 0)
		return NULL;
	if (!read_address(text, len, network))
		return "is not an address or a network";
	if (text[len] == '/' && !read_bits(text + len + 1, network))
		return "does not have a prefix length that fits its address";
	if (!has_no_host_bits(network))
		return "has bits set after its prefix";
	unmap(network);
	return NULL;
}

void network_text(const struct network *network, char text[static NETWORK_TEXT_ROOM])
{
	char address[INET6_ADDRSTRLEN];

	if (network->kind == NETWORK_UNIX) {
		(void)snprintf(text, NETWORK_TEXT_ROOM, "unix");
		return;
	}
	(void)inet_ntop(network->kind == NETWORK_IPV6 ? AF_INET6 : AF_INET, network->bytes, address, sizeof(address));
	if (network->bits == bits_of(network->kind))
		(void)snprintf(text, NETWORK_TEXT_ROOM, "%s", address);
	else
		(void)snprintf(text, NETWORK_TEXT_ROOM, "%s/%u", address, network->bits);
}

bool network_of(const struct sockaddr *address, struct network *one)
{
	const void *any = address;

	*one = (struct network){.kind = NETWORK_UNIX};
	if (address == NULL)
		return false;
	if (address->sa_family == AF_INET) {
		one->kind = NETWORK_IPV4;
		memcpy(one->bytes, &((const struct sockaddr_in *)any)->sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		one->kind = NETWORK_IPV6;
		memcpy(one->bytes, &((const struct sockaddr_in6 *)any)->sin6_addr, sizeof(one->bytes));
	} else if (address->sa_family != AF_UNIX) {
		return false;
	}
	one->bits = bits_of(one->kind);
	unmap(one);
	return true;
}

bool network_within(const struct network *inner, const struct network *outer)
{
	unsigned whole = outer->bits / 8, rest = outer->bits % 8;

	if (inner->kind != outer->kind || inner->bits < outer->bits || memcmp(inner->bytes, outer->bytes, whole) != 0)
		return false;
	return rest == 0 || ((inner->bytes[whole] ^ outer->bytes[whole]) >> (8 - rest)) == 0;
}

/* ---- lists ---- */

/* By first address; networks with the same first address: the largest first. */
static int compare(const void *one, const void *other)
{
	const struct network *a = one, *b = other;
	int order = a->kind != b->kind ? (a->kind < b->kind ? -1 : 1) : memcmp(a->bytes, b->bytes, sizeof(a->bytes));

	return order != 0 ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

size_t network_sort(struct network *items, size_t count)
{
	size_t kept = 0;

	if (count > 1)
		qsort(items, count, sizeof(*items), compare);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !network_within(&items[i], &items[kept - 1]))
			items[kept++] = items[i];
	return kept;
}

/* The number of items that sort before the network or are equal to it. */
static size_t position(const struct network *items, size_t count, const struct network *network)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(&items[middle], network) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool network_is_listed(const struct network *items, size_t count, const struct network *network)
{
	size_t before = position(items, count, network);

	return before > 0 && network_within(network, &items[before - 1]);
}

bool network_is_disjoint(const struct network *items, size_t count, const struct network *network)
{
	size_t before = position(items, count, network);

	return !(before > 0 && network_within(network, &items[before - 1])) &&
	       !(before < count && network_within(&items[before], network));
}
