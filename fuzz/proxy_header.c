/* Any bytes as a PROXY protocol header: the result does not depend on how they are split, and no byte after it is read.
 * */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "gateway/proxy_header.h"
#include "holds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	enum gw_proxy_header_result result;
	struct gw_proxy_header header;
	size_t used, taken;
};

/* In memory of exact size, for the sanitizer. */
static void parse(struct outcome *outcome, const char *bytes, size_t len)
{
	char *exact = malloc(len > 0 ? len : 1);

	HOLDS(exact != NULL);
	if (len > 0)
		memcpy(exact, bytes, len);
	outcome->result = gw_proxy_header_parse(&outcome->header, exact, len, &outcome->used);
	outcome->taken = len;
	HOLDS(outcome->used <= len);
	HOLDS((outcome->result == GW_PROXY_HEADER_DONE) == (outcome->used > 0));
	HOLDS((outcome->result == GW_PROXY_HEADER_BAD) == (outcome->header.why != NULL));
	HOLDS(outcome->result == GW_PROXY_HEADER_DONE || !outcome->header.has_source);
	HOLDS(outcome->result != GW_PROXY_HEADER_MORE || len < GW_PROXY_HEADER_MAX);
	if (outcome->result == GW_PROXY_HEADER_MORE) {
		size_t need = gw_proxy_header_need(exact, len);
		HOLDS(need > 0 && need <= GW_PROXY_HEADER_MAX - len);
	}
	free(exact);
}

static void same(const struct outcome *a, const struct outcome *b)
{
	HOLDS(a->result == b->result && a->used == b->used && a->header.has_source == b->header.has_source);
	HOLDS(memcmp(&a->header.source, &b->header.source, sizeof(a->header.source)) == 0);
	HOLDS(memcmp(&a->header.destination, &b->header.destination, sizeof(a->header.destination)) == 0);
	HOLDS(a->header.why == b->header.why);
}

/* Reads as the gateway does: never more than needed, possibly less. */
static void read_in_parts(struct outcome *outcome, const char *bytes, size_t len, size_t step, uint32_t seed)
{
	size_t taken = 0;

	for (;;) {
		parse(outcome, bytes, taken);
		if (outcome->result != GW_PROXY_HEADER_MORE || taken == len)
			return;
		size_t part = gw_proxy_header_need(bytes, taken);
		seed = seed * 1664525 + 1013904223;
		if (step > 0 && part > 1 + (seed >> 8) % step)
			part = 1 + (seed >> 8) % step;
		taken += part < len - taken ? part : len - taken;
	}
}

/* The addresses survive a round trip through a version 1 line. */
static void check_written_again(const struct gw_proxy_header *header)
{
	const struct sockaddr_in *source4 = (const struct sockaddr_in *)&header->source;
	const struct sockaddr_in *destination4 = (const struct sockaddr_in *)&header->destination;
	const struct sockaddr_in6 *source6 = (const struct sockaddr_in6 *)&header->source;
	const struct sockaddr_in6 *destination6 = (const struct sockaddr_in6 *)&header->destination;
	bool v4 = header->source.ss_family == AF_INET;
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], line[GW_PROXY_HEADER_V1_MAX + 1];
	struct outcome again;

	HOLDS(header->destination.ss_family == header->source.ss_family);
	HOLDS(v4 || header->source.ss_family == AF_INET6);
	HOLDS(inet_ntop(header->source.ss_family, v4 ? (const void *)&source4->sin_addr : &source6->sin6_addr, from,
			sizeof(from)) != NULL);
	HOLDS(inet_ntop(header->source.ss_family, v4 ? (const void *)&destination4->sin_addr : &destination6->sin6_addr,
			to, sizeof(to)) != NULL);
	int len = snprintf(line, sizeof(line), "PROXY %s %s %s %u %u\r\n", v4 ? "TCP4" : "TCP6", from, to,
			   ntohs(v4 ? source4->sin_port : source6->sin6_port),
			   ntohs(v4 ? destination4->sin_port : destination6->sin6_port));
	HOLDS(len > 0 && (size_t)len < sizeof(line));
	parse(&again, line, (size_t)len);
	HOLDS(again.result == GW_PROXY_HEADER_DONE && again.used == (size_t)len && again.header.has_source);
	HOLDS(memcmp(&again.header.source, &header->source, sizeof(header->source)) == 0);
	HOLDS(memcmp(&again.header.destination, &header->destination, sizeof(header->destination)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct outcome whole, parts;
	uint32_t seed = (uint32_t)size;

	for (size_t i = 0; i < size; i++)
		seed = (seed ^ data[i]) * 16777619;
	parse(&whole, bytes, size);
	static const size_t steps[] = {0, 1, 7, 100};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		read_in_parts(&parts, bytes, size, steps[i], seed);
		same(&whole, &parts);
		HOLDS(whole.result != GW_PROXY_HEADER_DONE || parts.taken == whole.used);
		HOLDS(parts.taken <= GW_PROXY_HEADER_MAX);
	}
	if (whole.result == GW_PROXY_HEADER_DONE && whole.header.has_source)
		check_written_again(&whole.header);
	return 0;
}
