/* The only writers of a connection's state, and of the state of its ask after a response. */
#include "base/require.h"
#include "gateway/conn.h"

uint64_t gw_idle_limit_ms(const struct gw_conn *conn)
{
	return conn->retiring ? GW_RETIRE_MS : gw_state_limit_ms(GW_IDLE, &conn->gateway->config->connections);
}

void gw_enter(struct gw_conn *conn, enum gw_state to)
{
	const struct gw_state_row *was = &gw_states[conn->state];

	if (!require_transition((was->next & GW_BIT(to)) != 0, "conn", was->name, gw_states[to].name))
		to = GW_DEAD;
	trace_change(&conn->gateway->env.trace, "conn", was->name, gw_states[to].name, gw_now(conn));
	conn->state = to;
	if (to == GW_IDLE)
		conn->waits_ms = gw_now(conn);
	if (to == GW_IDLE)
		pace_start(&conn->pace, gw_idle_limit_ms(conn), gw_now(conn));
	else if (gw_states[to].limit_ms != 0)
		pace_start(&conn->pace, gw_state_limit_ms(to, &conn->gateway->config->connections), gw_now(conn));
	else
		pace_stop(&conn->pace);
}

void gw_after_enter(struct gw_conn *conn, enum gw_after to)
{
	if (!gw_part_changes(&gw_after_part, conn->after.state, to, &conn->gateway->env.trace, gw_now(conn)))
		gw_enter(conn, GW_DEAD);
	conn->after.state = to;
}
