/* The states of a leg, and its end. */
#include "loop/server.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/require.h"

#define BIT(state) (1u << (state))

/* The only writer of leg->state. */
void leg_enter(struct gw_leg *leg, enum leg_state to)
{
	static const struct {
		const char *name;
		unsigned next;
	} states[LEG_STATES] = {
		[LEG_NEW] = {"new", BIT(LEG_NAMING) | BIT(LEG_CONNECTING) | BIT(LEG_FAILED)},
		[LEG_NAMING] = {"naming", BIT(LEG_CONNECTING) | BIT(LEG_NEW)},
		[LEG_CONNECTING] = {"connecting", BIT(LEG_SHAKING) | BIT(LEG_READY) | BIT(LEG_NEW)},
		[LEG_SHAKING] = {"handshake", BIT(LEG_READY) | BIT(LEG_NEW)},
		[LEG_READY] = {"ready", BIT(LEG_IDLE)},
		[LEG_IDLE] = {"idle", BIT(LEG_READY)},
		[LEG_FAILED] = {"failed", 0},
	};
	bool allowed = (states[leg->state].next & BIT(to)) != 0;

	leg->state = require_transition(allowed, "leg", states[leg->state].name, states[to].name) ? to : LEG_FAILED;
}

void leg_hang_up(struct gw_leg *leg)
{
	struct ev_loop *loop = leg->group->pool->setup.loop;

	ev_io_stop(loop, &leg->io);
	ev_timer_stop(loop, &leg->timer);
	resolver_cancel(&leg->naming);
	if (leg->tls != NULL)
		(void)tls_client_close_notify(leg->tls);
	tls_client_free(&leg->tls);
	if (leg->fd >= 0)
		(void)close(leg->fd);
	leg->fd = -1;
}

void leg_free(struct gw_leg **leg)
{
	struct gw_leg *gone = *leg;

	*leg = NULL;
	if (gone == NULL)
		return;
	leg_hang_up(gone);
	server_leave(gone);
	gone->group->pool->legs--;
	free(gone->found);
	free(gone);
}
