#include "gateway/origin.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

#include "gateway/stream.h"

static_assert(GW_ADDRESS_ROOM >= INET6_ADDRSTRLEN, "an address fits");

static sa_family_t family_of(const struct gw_origin *origin)
{
	return origin->peer != NULL ? origin->peer->sa_family : AF_UNSPEC;
}

bool gw_origin_is_ipv6(const struct gw_origin *origin)
{
	return family_of(origin) == AF_INET6;
}

/* Runs for each request, and inet_ntop() would be slower because it uses printf(). */
static void write_ipv4(const uint8_t address[static 4], char *text)
{
	for (int i = 0; i < 4; i++) {
		unsigned octet = address[i];
		if (octet >= 100)
			*text++ = (char)('0' + octet / 100);
		if (octet >= 10)
			*text++ = (char)('0' + octet / 10 % 10);
		*text++ = (char)('0' + octet % 10);
		*text++ = i < 3 ? '.' : '\0';
	}
}

void gw_origin_address(const struct gw_origin *origin, char text[static GW_ADDRESS_ROOM])
{
	const void *peer = origin->peer;

	text[0] = '\0';
	if (family_of(origin) == AF_INET)
		write_ipv4((const uint8_t *)&((const struct sockaddr_in *)peer)->sin_addr, text);
	else if (family_of(origin) == AF_INET6)
		(void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)peer)->sin6_addr, text, GW_ADDRESS_ROOM);
}

unsigned gw_origin_port(const struct gw_origin *origin)
{
	const void *peer = origin->peer;

	if (family_of(origin) == AF_INET)
		return ntohs(((const struct sockaddr_in *)peer)->sin_port);
	return family_of(origin) == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)peer)->sin6_port) : 0;
}

static const struct tls_details *details(void *arg)
{
	const struct gw_stream *stream = arg;

	return gw_conn_details(stream->conn);
}

static const char *id(void *arg)
{
	return gw_stream_id(arg);
}

static void chain_left_out(void *arg)
{
	struct gw_stream *stream = arg;

	gw_notice(stream->gateway, GW_NOTICE_CHAIN, CONFIG_LOG_INFO, gw_stream_now(stream),
		  "a client's certificate chain is too large for the upstream request and is left out");
}

struct gw_origin gw_origin_of(struct gw_stream *stream)
{
	struct gw_conn *conn = stream->conn;

	return (struct gw_origin){
		.peer = gw_conn_peer(conn),
		.http = conn->protocol->version,
		.tls = tls_conn_version(conn->tls),
		.cipher = tls_conn_cipher(conn->tls),
		.host = stream->head_len > 0 ? stream->head.host : (struct http_span){"", 0},
		.identity = stream->identity,
		.unverified = stream->unverified,
		.reason = stream->story.report.detail,
		.identity_text = &conn->identity_text,
		.details = details,
		.id = id,
		.chain_left_out = chain_left_out,
		.arg = stream,
	};
}
