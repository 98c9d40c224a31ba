/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): the header that a load balancer sends before
 * the first byte of TLS. It has the client's address.
 *
 * Each call of the parser gets all bytes received so far. The parser keeps no state and allocates no memory. The reader
 * asks how many more bytes certainly belong to the header, and reads no more, so that the first byte of TLS stays in
 * the socket:
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
	 * False: the load balancer opened the connection for itself (LOCAL, a health check), or the header has no IP
	 * address of a client (UNKNOWN, UNSPEC, UNIX). Then the peer of the socket is the client.
	 */
	bool has_source;
	struct sockaddr_storage source, destination; /* AF_INET or AF_INET6 if has_source */
	const char *why;                             /* BAD only: what is wrong, for messages; static */
};

/*
 * data: all bytes since the connection began. DONE: *used of them are the header. BAD is final: close the connection
 * without an answer (section 2: the receiver must not guess). Each call sets *header.
 */
enum gw_proxy_header_result gw_proxy_header_parse(struct gw_proxy_header *header, const char *data, size_t len,
						  size_t *used);

/*
 * After MORE for these bytes: the minimum number of bytes that are missing, if this is a header at all. At least 1; len
 * plus the result is at most GW_PROXY_HEADER_MAX.
 */
size_t gw_proxy_header_need(const char *data, size_t len);

#endif
