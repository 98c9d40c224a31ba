#include "gateway/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/ascii.h"

#define V1_FIELDS 4  /* source, destination and their ports */
#define V1_LEAST  15 /* the shortest line: "PROXY UNKNOWN" and CRLF */

#define V2_SIGNATURE_LEN 12
#define V2_FIXED_LEN     16 /* the signature, version and command, family and transport, length */
#define TLV_HEAD_LEN     3
#define TLV_CRC32C       0x03

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };

static const char v2_signature[V2_SIGNATURE_LEN + 1] = "\r\n\r\n\0\r\nQUIT\n";

/* The beginnings of version 1 lines, and the lengths of the shortest forms of their four fields. */
static const struct v1_kind {
	const char *start;
	size_t start_len;
	int family;
	size_t shortest[V1_FIELDS];
} v1_kinds[] = {
	{"PROXY UNKNOWN", 13, AF_UNSPEC, {0}},
	{"PROXY TCP4 ", 11, AF_INET, {7, 7, 1, 1}},  /* 0.0.0.0 0.0.0.0 0 0 */
	{"PROXY TCP6 ", 11, AF_INET6, {2, 2, 1, 1}}, /* :: :: 0 0 */
};

/* Families and transports of version 2 (section 2.2); others must be refused. The addresses of a datagram can also be
 * those of a client: of a load balancer that terminates QUIC. */
static const struct v2_kind {
	uint8_t code;
	int family;
	size_t block_min;
} v2_kinds[] = {
	{0x00, AF_UNSPEC, 0}, {0x11, AF_INET, 12},  {0x12, AF_INET, 12},  {0x21, AF_INET6, 36},
	{0x22, AF_INET6, 36}, {0x31, AF_UNIX, 216}, {0x32, AF_UNIX, 216},
};

struct field {
	const char *at;
	size_t len;
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static enum gw_proxy_header_result bad(struct gw_proxy_header *header, const char *why)
{
	*header = (struct gw_proxy_header){.why = why};
	return GW_PROXY_HEADER_BAD;
}

/* ---- version 1 ---- */

/* The kind whose beginning is complete. NULL: none; *open: whether one is still possible. */
static const struct v1_kind *v1_kind_of(const char *data, size_t len, bool *open)
{
	*open = false;
	for (size_t i = 0; i < sizeof(v1_kinds) / sizeof(v1_kinds[0]); i++) {
		const struct v1_kind *kind = &v1_kinds[i];
		if (memcmp(data, kind->start, least(len, kind->start_len)) != 0)
			continue;
		if (len >= kind->start_len)
			return kind;
		*open = true;
	}
	return NULL;
}

/* Splits the fields; there must be exactly one space between two of them. */
static bool v1_split(const char *at, const char *end, struct field fields[static V1_FIELDS])
{
	for (size_t i = 0; i < V1_FIELDS; i++) {
		const char *space = memchr(at, ' ', (size_t)(end - at));
		if ((space == NULL) != (i == V1_FIELDS - 1))
			return false;
		fields[i] = (struct field){at, (size_t)((space != NULL ? space : end) - at)};
		at = space != NULL ? space + 1 : end;
	}
	return true;
}

/* Decimal, without leading zeros. Section 2.1 allows 0, although no connection uses that port. */
static bool v1_port(const struct field *field, in_port_t *port)
{
	uint64_t value = 0;

	if (field->len > 5 || (field->len > 1 && field->at[0] == '0') ||
	    !ascii_number(field->at, field->len, UINT16_MAX, &value))
		return false;
	*port = htons((uint16_t)value);
	return true;
}

/* inet_pton() rejects leading zeros in an IPv4 address, and zones. */
static bool v1_address(int family, const struct field *host, const struct field *port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	char text[INET6_ADDRSTRLEN];

	if (host->len >= sizeof(text) || memchr(host->at, '\0', host->len) != NULL)
		return false;
	memcpy(text, host->at, host->len);
	text[host->len] = '\0';
	memset(address, 0, sizeof(*address));
	address->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		return inet_pton(AF_INET, text, &v4->sin_addr) == 1 && v1_port(port, &v4->sin_port);
	return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1 && v1_port(port, &v6->sin6_port);
}

/* Parses the line from the end of its kind to its CR. */
static enum gw_proxy_header_result v1_line(struct gw_proxy_header *header, const struct v1_kind *kind, const char *at,
					   const char *end)
{
	struct field fields[V1_FIELDS];

	if (kind->family == AF_UNSPEC) /* what follows must be ignored (section 2.1) */
		return at == end || *at == ' ' ? GW_PROXY_HEADER_DONE : bad(header, "unknown address family");
	if (!v1_split(at, end, fields))
		return bad(header, "not two addresses and two ports");
	if (!v1_address(kind->family, &fields[0], &fields[2], &header->source) ||
	    !v1_address(kind->family, &fields[1], &fields[3], &header->destination))
		return bad(header, "malformed address or port");
	header->has_source = true;
	return GW_PROXY_HEADER_DONE;
}

static enum gw_proxy_header_result v1_parse(struct gw_proxy_header *header, const char *data, size_t len, size_t *used)
{
	bool open;
	size_t seen = least(len, GW_PROXY_HEADER_V1_MAX - 1); /* the CR must be within these bytes */
	const struct v1_kind *kind = v1_kind_of(data, len, &open);

	if (kind == NULL)
		return open ? GW_PROXY_HEADER_MORE : bad(header, "no PROXY header found");
	const char *cr = memchr(data, '\r', seen);
	if (memchr(data, '\n', cr != NULL ? (size_t)(cr - data) : seen) != NULL)
		return bad(header, "line does not end in CRLF");
	if (cr == NULL)
		return len < GW_PROXY_HEADER_V1_MAX - 1 ? GW_PROXY_HEADER_MORE : bad(header, "line too long");
	size_t at = (size_t)(cr - data);
	if (at + 1 == len)
		return GW_PROXY_HEADER_MORE;
	if (data[at + 1] != '\n')
		return bad(header, "line does not end in CRLF");
	*used = at + 2;
	return v1_line(header, kind, data + kind->start_len, cr);
}

/* The minimum number of bytes that are missing, if all incomplete fields have their shortest form. */
static size_t v1_need(const char *data, size_t len)
{
	bool open;
	const struct v1_kind *kind = v1_kind_of(data, len, &open);

	if (kind == NULL)
		return V1_LEAST - len; /* no beginning is longer */
	if (data[len - 1] == '\r')
		return 1;
	if (kind->family == AF_UNSPEC)
		return 2;
	const char *at = data + kind->start_len, *end = data + len;
	size_t need = 2;
	for (size_t i = 0; i < V1_FIELDS; i++) {
		const char *space = at != NULL ? memchr(at, ' ', (size_t)(end - at)) : NULL;
		size_t come = at == NULL ? 0 : (size_t)((space != NULL ? space : end) - at);
		if (space == NULL)
			need += (kind->shortest[i] > come ? kind->shortest[i] - come : 0) + (i < V1_FIELDS - 1);
		at = space != NULL ? space + 1 : NULL;
	}
	return need;
}

/* ---- version 2 ---- */

static size_t get16(const char *at)
{
	return (size_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

static uint32_t get32(const char *at)
{
	return (uint32_t)(get16(at) << 16 | get16(at + 2));
}

/* CRC32c (RFC 4960 appendix B), computed bit by bit, because it runs once per connection over at most 2 KiB. The four
 * bytes at `blank` count as zeros. */
static uint32_t crc32c(const char *data, size_t len, const char *blank)
{
	uint32_t crc = UINT32_MAX;

	for (const char *at = data; at < data + len; at++) {
		crc ^= at >= blank && at < blank + 4 ? 0 : (unsigned char)*at;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
	}
	return ~crc;
}

/* The extensions after the addresses are not used, but they must be well-formed, and a checksum must be correct
 * (2.2.4). */
static enum gw_proxy_header_result v2_extensions(struct gw_proxy_header *header, const char *data, size_t at,
						 size_t len)
{
	bool has_crc = false;

	while (at < len) {
		if (len - at < TLV_HEAD_LEN || get16(data + at + 1) > len - at - TLV_HEAD_LEN)
			return bad(header, "an extension is longer than the header");
		size_t value = at + TLV_HEAD_LEN, value_len = get16(data + at + 1);
		if (data[at] == TLV_CRC32C) {
			if (has_crc || value_len != 4 || crc32c(data, len, data + value) != get32(data + value))
				return bad(header, "wrong checksum");
			has_crc = true;
		}
		at = value + value_len;
	}
	return GW_PROXY_HEADER_DONE;
}

static void v2_address(int family, const char *host, const char *port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	address->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		memcpy(&v4->sin_addr, host, sizeof(v4->sin_addr));
		memcpy(&v4->sin_port, port, sizeof(v4->sin_port));
	} else {
		memcpy(&v6->sin6_addr, host, sizeof(v6->sin6_addr));
		memcpy(&v6->sin6_port, port, sizeof(v6->sin6_port));
	}
}

static enum gw_proxy_header_result v2_block(struct gw_proxy_header *header, const struct v2_kind *kind,
					    const char *data, size_t len)
{
	const char *block = data + V2_FIXED_LEN;
	size_t host_len = kind->family == AF_INET ? 4 : 16;

	if (kind->family == AF_UNSPEC) /* skipped unread (section 2.2) */
		return GW_PROXY_HEADER_DONE;
	if (v2_extensions(header, data, V2_FIXED_LEN + kind->block_min, len) != GW_PROXY_HEADER_DONE)
		return GW_PROXY_HEADER_BAD;
	if (kind->family == AF_UNIX)
		return GW_PROXY_HEADER_DONE;
	v2_address(kind->family, block, block + 2 * host_len, &header->source);
	v2_address(kind->family, block + host_len, block + 2 * host_len + 2, &header->destination);
	header->has_source = true;
	return GW_PROXY_HEADER_DONE;
}

static const struct v2_kind *v2_kind_of(unsigned char code)
{
	for (size_t i = 0; i < sizeof(v2_kinds) / sizeof(v2_kinds[0]); i++)
		if (v2_kinds[i].code == code)
			return &v2_kinds[i];
	return NULL;
}

static enum gw_proxy_header_result v2_parse(struct gw_proxy_header *header, const char *data, size_t len, size_t *used)
{
	if (memcmp(data, v2_signature, least(len, V2_SIGNATURE_LEN)) != 0)
		return bad(header, "no PROXY header found");
	if (len < V2_FIXED_LEN)
		return GW_PROXY_HEADER_MORE;
	unsigned char command = (unsigned char)data[12];
	const struct v2_kind *kind = v2_kind_of((unsigned char)data[13]);
	size_t whole = V2_FIXED_LEN + get16(data + 14);
	if (command != V2_LOCAL && command != V2_PROXY)
		return bad(header, "unknown version or command");
	if (kind == NULL)
		return bad(header, "unknown address family or transport");
	if (whole > GW_PROXY_HEADER_MAX)
		return bad(header, "header too long");
	if (command == V2_PROXY && whole < V2_FIXED_LEN + kind->block_min)
		return bad(header, "header too short for its addresses");
	if (len < whole)
		return GW_PROXY_HEADER_MORE;
	*used = whole;
	return command == V2_LOCAL ? GW_PROXY_HEADER_DONE : v2_block(header, kind, data, whole);
}

/* ---- both versions ---- */

enum gw_proxy_header_result gw_proxy_header_parse(struct gw_proxy_header *header, const char *data, size_t len,
						  size_t *used)
{
	enum gw_proxy_header_result result = GW_PROXY_HEADER_MORE;

	*header = (struct gw_proxy_header){.has_source = false};
	*used = 0;
	if (len > 0)
		result = data[0] == v2_signature[0] ? v2_parse(header, data, len, used)
						    : v1_parse(header, data, len, used);
	if (result != GW_PROXY_HEADER_DONE)
		*used = 0;
	return result;
}

size_t gw_proxy_header_need(const char *data, size_t len)
{
	if (len == 0)
		return V1_LEAST; /* the shortest of either version */
	if (data[0] != v2_signature[0])
		return v1_need(data, len);
	return len < V2_FIXED_LEN ? V2_FIXED_LEN - len : V2_FIXED_LEN + get16(data + 14) - len;
}
