/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): what a load balancer in front writes before
 * the first byte of TLS, so that the client's address is known.
 *
 * The parser is given all bytes so far each time, keeps nothing and allocates nothing. The reader asks how much is
 * surely still part of the header and reads no more than that, so that the first byte of TLS stays in the socket:
 *
 *	while ((result = gw_proxy_header_parse(&header, data, len, &used)) == GW_PROXY_HEADER_MORE)
 *		len += read at most gw_proxy_header_need(data, len) bytes to data + len
 */
#ifndef GATEWAY_PROXY_HEADER_H
#define GATEWAY_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define GW_PROXY_HEADER_V1_MAX    107  /* with its CRLF (section 2.1) */
#define GW_PROXY_HEADER_BLOCK_MAX 2048 /* version 2: addresses and all that follows them */
#define GW_PROXY_HEADER_MAX       (16 + GW_PROXY_HEADER_BLOCK_MAX)

enum gw_proxy_header_result { GW_PROXY_HEADER_MORE, GW_PROXY_HEADER_DONE, GW_PROXY_HEADER_BAD };

struct gw_proxy_header {
	/*
	 * False: the connection is the balancer's own (LOCAL, a health check), or it does not say whose (UNKNOWN,
	 * UNSPEC) or in a way that is no IP address (UNIX): the peer of the socket is the client.
	 */
	bool has_source;
	struct sockaddr_storage source, destination; /* AF_INET or AF_INET6 if has_source */
	const char *why;                             /* BAD only: what is wrong, for messages; static */
};

/*
 * data: all bytes since the connection began. DONE: *used of them are the header. BAD is for good: the connection must
 * be closed without an answer (section 2: the receiver must not guess). header is set by each call.
 */
enum gw_proxy_header_result gw_proxy_header_parse(struct gw_proxy_header *header, const char *data, size_t len,
						  size_t *used);

/*
 * After MORE on these bytes: how many are still to come at least, if this is a header at all. 1 and up; len and it
 * together are at most GW_PROXY_HEADER_MAX.
 */
size_t gw_proxy_header_need(const char *data, size_t len);

#endif
