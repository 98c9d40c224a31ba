/* What is known about a connection's client. */
#include <string.h>

#include "ask/identity.h"
#include "gateway/conn.h"

const struct gw_host *gw_conn_host(const struct gw_conn *conn)
{
	if (conn->plain != NULL)
		return &conn->plain->host;
	return &conn->gateway->routes.hosts[tls_conn_host(conn->tls)];
}

void gw_conn_from(struct gw_conn *conn, size_t listener)
{
	if (conn->gateway->config->listens[listener].redirect)
		conn->plain = &conn->gateway->plains[listener];
}

const struct tls_details *gw_conn_details(struct gw_conn *conn)
{
	if (conn->details == NULL)
		conn->details = ask_details(conn->ask);
	return conn->details;
}

const struct sockaddr *gw_conn_client(const struct gw_conn *conn)
{
	bool is_ip = conn->peer.any.sa_family == AF_INET || conn->peer.any.sa_family == AF_INET6;

	return conn->named && is_ip ? &conn->peer.any : NULL;
}

/* An IPv4-mapped address on an IPv6 socket is an IPv4 client (RFC 4291 2.5.5.2). */
static void unmap(struct gw_conn *conn)
{
	const struct sockaddr_in6 mapped = conn->peer.v6;

	if (!IN6_IS_ADDR_V4MAPPED(&mapped.sin6_addr))
		return;
	conn->peer.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = mapped.sin6_port};
	memcpy(&conn->peer.v4.sin_addr, &mapped.sin6_addr.s6_addr[12], sizeof(conn->peer.v4.sin_addr));
}

void gw_conn_name(struct gw_conn *conn, const struct sockaddr *peer)
{
	if (peer == NULL)
		return;
	if (peer->sa_family == AF_INET) {
		memcpy(&conn->peer, peer, sizeof(struct sockaddr_in));
	} else if (peer->sa_family == AF_INET6) {
		memcpy(&conn->peer, peer, sizeof(struct sockaddr_in6));
		unmap(conn);
	} else {
		conn->peer.any.sa_family = peer->sa_family;
	}
}
