#include "probe/no_proxy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/network.h"

#define ITEM_ROOM 256 /* DNS names have at most 253 bytes */

static size_t without_dot(const char *name, size_t len)
{
	return len > 0 && name[len - 1] == '.' ? len - 1 : len;
}

/* The domain, or a name below it. */
static bool is_in_domain(const char *domain, const char *host)
{
	domain += *domain == '.';
	size_t len = without_dot(domain, strlen(domain)), host_len = without_dot(host, strlen(host));

	if (len == 0 || host_len < len || strncasecmp(host + host_len - len, domain, len) != 0)
		return false;
	return host_len == len || host[host_len - len - 1] == '.';
}

/* Without the brackets of an IPv6 address. Longer ones than any name are "". */
static void take_item(const char *text, size_t len, char item[static ITEM_ROOM])
{
	const char *close = len > 0 && text[0] == '[' ? memchr(text, ']', len) : NULL;
	size_t inner = close != NULL ? (size_t)(close - text) - 1 : 0;

	item[0] = '\0';
	if (close != NULL && len < ITEM_ROOM)
		(void)snprintf(item, ITEM_ROOM, "%.*s%.*s", (int)inner, text + 1, (int)(len - inner - 2), close + 1);
	else if (len < ITEM_ROOM)
		(void)snprintf(item, ITEM_ROOM, "%.*s", (int)len, text);
}

/* "192.0.2.1" or "192.0.2.1/24": unlike network_parse() with bits behind the prefix, too. */
static bool take_network(char item[static ITEM_ROOM], struct network *network)
{
	char *slash = strchr(item, '/');
	uint64_t bits;

	if (slash != NULL)
		*slash = '\0';
	if (network_parse(item, network) != NULL || network->kind == NETWORK_UNIX)
		return false;
	if (slash == NULL)
		return true;
	if (!ascii_number(slash + 1, strlen(slash + 1), network->bits, &bits))
		return false;
	network->bits = (unsigned)bits;
	for (size_t i = 0; i < sizeof(network->bytes); i++) {
		size_t kept = bits > 8 * i ? bits - 8 * i : 0;
		network->bytes[i] &= (uint8_t)(kept >= 8 ? 0xFF : 0xFF00 >> kept);
	}
	return true;
}

bool no_proxy_has(const char *list, const char *host)
{
	struct network address, network;
	bool is_address = network_parse(host, &address) == NULL && address.kind != NETWORK_UNIX;
	char item[ITEM_ROOM];

	for (const char *at = list + strspn(list, ", \t"); *at != '\0'; at += strspn(at, ", \t")) {
		size_t len = strcspn(at, ", \t");
		take_item(at, len, item);
		at += len;
		if (strcmp(item, "*") == 0)
			return true;
		if (is_address && take_network(item, &network) && network_within(&address, &network))
			return true;
		if (!is_address && is_in_domain(item, host))
			return true;
	}
	return false;
}
