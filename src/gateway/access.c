#include "gateway/access.h"

#include "gateway/stream.h"
#include "gateway/throttle.h"

static bool has(const struct config_networks *networks, const struct network *network)
{
	return network_is_listed(networks->items, networks->count, network);
}

bool gw_access(const struct config_access *access, const struct sockaddr *address)
{
	struct network client;

	if (access->allow.count == 0 && access->deny.count == 0)
		return true;
	if (!network_of(address, &client))
		return access->allow.count == 0;
	return (access->allow.count == 0 || has(&access->allow, &client)) && !has(&access->deny, &client);
}

/* Whether the network is completely denied. */
static bool keeps_out(const struct config_access *access, const struct network *network)
{
	const struct config_networks *allow = &access->allow;

	return (allow->count > 0 && network_is_disjoint(allow->items, allow->count, network)) ||
	       has(&access->deny, network);
}

static bool is_slower(const struct config_rate *a, const struct config_rate *b)
{
	if (b->requests == 0)
		return true;
	return a->requests > 0 && a->burst <= b->burst && a->requests * b->period_ms <= b->requests * a->period_ms;
}

bool gw_access_is_stricter(const struct config_access *a, const struct config_access *b)
{
	if (b->allow.count > 0 && a->allow.count == 0)
		return false;
	for (size_t i = 0; b->allow.count > 0 && i < a->allow.count; i++)
		if (!has(&b->allow, &a->allow.items[i]))
			return false;
	for (size_t i = 0; i < b->deny.count; i++)
		if (!keeps_out(a, &b->deny.items[i]))
			return false;
	return is_slower(&a->rate, &b->rate);
}

bool gw_count(struct gw_stream *stream, const struct config_access *access)
{
	const struct config_rate *rate = &access->rate;
	const struct config_route *own = rate->own && stream->route != NULL ? stream->route->config : NULL;
	const struct throttle_client client = {
		.address = gw_conn_peer(stream->conn),
		.host = gw_conn_host(stream->conn)->config->name,
		.path = own != NULL ? own->path : NULL,
		.method = own != NULL && own->methods != NULL ? own->methods[0] : NULL,
	};
	const struct throttle_rate limit = {rate->requests, rate->period_ms, rate->burst};
	uint64_t wait_ms = 0;

	if (rate->requests == 0 ||
	    throttle_take(stream->gateway->env.throttle, &client, &limit, gw_stream_now(stream), &wait_ms))
		return true;
	stream->retry_s = (unsigned)((wait_ms + 999) / 1000);
	return false;
}
