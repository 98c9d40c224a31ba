/* What is known of a connection's client. */
#include "ask/identity.h"
#include "gateway/conn.h"

const struct gw_host *gw_conn_host(const struct gw_conn *conn)
{
	return &conn->gateway->routes.hosts[tls_link_host(conn->tls)];
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
