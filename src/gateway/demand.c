/* The handshake on demand: clients whose HTTP/2 streams were reset, and their new connections. */
#include "gateway/away.h"
#include "gateway/conn.h"

static struct away_client client_of(const struct gw_conn *conn, const thaw_trust *trust)
{
	return (struct away_client){
		.address = gw_conn_peer(conn),
		.name = tls_conn_name(conn->tls),
		.kind = tls_conn_kind(conn->tls),
		.trust = trust,
	};
}

struct tls_away gw_sent_away(void *arg)
{
	const struct gw_conn *conn = arg;
	const struct gw_host *host = gw_conn_host(conn);
	struct tls_away away = {.trust = NULL, .wall_ms = (uint64_t)gw_wall(conn, gw_now(conn))};
	const thaw_trust *last = NULL;

	for (size_t i = 0; away.trust == NULL && i < host->config->route_count; i++) {
		const struct gw_route *route = &host->routes[i];
		if (!gw_route_asks_late(route) || route->trust == last)
			continue;
		struct away_client client = client_of(conn, last = route->trust);
		if (away_look(conn->gateway->env.away, &client, gw_now(conn)))
			away.trust = route->trust;
	}
	return away;
}

void gw_came_back(struct gw_conn *conn)
{
	const struct gw_host *host = gw_conn_host(conn);

	for (size_t i = 0; gw_on_demand(conn) && i < host->config->route_count; i++) {
		if (!tls_conn_demanded(conn->tls, host->routes[i].trust))
			continue;
		struct away_client client = client_of(conn, host->routes[i].trust);
		away_answered(conn->gateway->env.away, &client, gw_now(conn));
		return;
	}
}

void gw_send_away(struct gw_conn *conn, const struct gw_route *route)
{
	if (!tls_kind_retries(tls_conn_kind(conn->tls)))
		return;
	struct away_client client = client_of(conn, route->trust);
	uint64_t choice_ms = gw_conn_host(conn)->late_ms, for_ms = choice_ms > TLS_AWAY_MS ? choice_ms : TLS_AWAY_MS;
	bool noted = away_note(conn->gateway->env.away, &client, gw_now(conn), for_ms);
	bool has_ticket = tls_conn_note_ticket(conn->tls, route->trust, (uint64_t)gw_wall(conn, gw_now(conn)));
	if (noted || has_ticket)
		scoreboard_note(conn->gateway->env.scoreboard);
}
