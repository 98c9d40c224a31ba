/* The states of an upstream connection, and its end. */
#include "loop/server.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/require.h"

#define BIT(state) (1u << (state))

/* The only writer of upconn->state. */
void upconn_enter(struct gw_upconn *upconn, enum upconn_state to)
{
	static const struct {
		const char *name;
		unsigned next;
	} states[UPCONN_STATES] = {
		[UPCONN_NEW] = {"new", BIT(UPCONN_NAMING) | BIT(UPCONN_CONNECTING) | BIT(UPCONN_FAILED)},
		[UPCONN_NAMING] = {"naming", BIT(UPCONN_CONNECTING) | BIT(UPCONN_NEW)},
		[UPCONN_CONNECTING] = {"connecting", BIT(UPCONN_HANDSHAKING) | BIT(UPCONN_READY) | BIT(UPCONN_NEW)},
		[UPCONN_HANDSHAKING] = {"handshake", BIT(UPCONN_READY) | BIT(UPCONN_NEW)},
		[UPCONN_READY] = {"ready", BIT(UPCONN_IDLE)},
		[UPCONN_IDLE] = {"idle", BIT(UPCONN_READY)},
		[UPCONN_FAILED] = {"failed", 0},
	};
	bool allowed = (states[upconn->state].next & BIT(to)) != 0;

	upconn->state = require_transition(allowed, "upstream connection", states[upconn->state].name, states[to].name)
				? to
				: UPCONN_FAILED;
}

void upconn_hang_up(struct gw_upconn *upconn)
{
	struct ev_loop *loop = upconn->group->pool->setup.loop;

	ev_io_stop(loop, &upconn->io);
	ev_timer_stop(loop, &upconn->timer);
	resolver_cancel(&upconn->naming);
	if (upconn->tls != NULL)
		(void)tls_client_close_notify(upconn->tls);
	tls_client_free(&upconn->tls);
	if (upconn->fd >= 0)
		(void)close(upconn->fd);
	upconn->fd = -1;
}

void upconn_free(struct gw_upconn **upconn)
{
	struct gw_upconn *gone = *upconn;

	*upconn = NULL;
	if (gone == NULL)
		return;
	upconn_hang_up(gone);
	server_leave(gone);
	gone->group->pool->upconns--;
	free(gone->found);
	free(gone);
}
