/* Access by address, and request rates. */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

#define SECOND_MS   UINT64_C(1000)
#define PER_SECOND  1000                    /* the fastest rate */
#define REFILL_MAX  (24 * 3600 * SECOND_MS) /* longest time to refill a burst */
#define NETWORK_MAX 512                     /* of one list */

void config_free_access(struct config_access *access)
{
	free(access->allow.items);
	free(access->deny.items);
	*access = (struct config_access){.allow = {.items = NULL}};
}

static bool copy(struct config_networks *to, const struct config_networks *from)
{
	*to = (struct config_networks){.items = NULL};
	if (from->count == 0)
		return true;
	to->items = malloc(from->count * sizeof(*to->items));
	if (to->items == NULL)
		return false;
	memcpy(to->items, from->items, from->count * sizeof(*to->items));
	to->count = from->count;
	return true;
}

bool config_copy_access(struct config_access *to, const struct config_access *from)
{
	to->rate = from->rate;
	to->rate.own = false;
	return copy(&to->allow, &from->allow) && copy(&to->deny, &from->deny);
}

/* A list, or off. Replaces the host's list. into: a struct config_networks. */
enum thaw_status config_read_networks(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_networks *networks = into;
	struct config_scalar scalar;
	size_t count = 0;

	free(networks->items);
	*networks = (struct config_networks){.items = NULL};
	if (config_is_text(at)) {
		if (config_text(at, &scalar, rule->allowed) != THAW_OK)
			return THAW_FAILED;
		if (strcmp(scalar.text, "off") == 0)
			return THAW_OK;
	}
	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (count > NETWORK_MAX)
		return config_refuse(at, "the list has %zu elements; allowed: at most %d", count, NETWORK_MAX);
	networks->items = calloc(count, sizeof(*networks->items));
	if (networks->items == NULL)
		return config_no_memory(at);
	for (; networks->count < count; networks->count++) {
		struct config_at item = config_item(at, networks->count);
		if (config_text(&item, &scalar, rule->allowed) != THAW_OK)
			return THAW_FAILED;
		const char *why = network_parse(scalar.text, &networks->items[networks->count]);
		if (why != NULL)
			return config_refuse(&item, "'%s' %s; allowed: %s", config_quote(scalar.text, scalar.len).text,
					     why, rule->allowed);
	}
	networks->count = network_sort(networks->items, networks->count);
	return THAW_OK;
}

/* "10/s", into a struct config_rate. */
enum thaw_status config_read_requests(const struct config_at *at, const struct config_rule *rule, void *into)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"/s", SECOND_MS}, {"/m", 60 * SECOND_MS}, {"/h", 3600 * SECOND_MS}};
	struct config_rate *rate = into;
	struct config_scalar scalar;

	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	size_t digits = config_scan_number(scalar.text, PER_SECOND * REFILL_MAX, &rate->requests);
	for (size_t i = 0; digits > 0 && rate->requests > 0 && i < CONFIG_COUNT(units); i++) {
		rate->period_ms = units[i].ms;
		if (strcmp(scalar.text + digits, units[i].name) != 0)
			continue;
		if (rate->requests <= PER_SECOND * (rate->period_ms / SECOND_MS))
			return THAW_OK;
		return config_refuse(at, "'%s' is more than %d requests a second; allowed: %s",
				     config_quote(scalar.text, scalar.len).text, PER_SECOND, rule->allowed);
	}
	return config_not_understood(at, scalar.text, scalar.len, rule->allowed);
}

/* off, "10/s", or a mapping of requests and burst. into: a struct config_rate. */
enum thaw_status config_read_rate(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_rate *rate = into;
	struct config_scalar scalar;

	*rate = (struct config_rate){.own = true};
	if (config_is_mapping(at)) {
		if (config_read_table(at, rule->table, rate) != THAW_OK)
			return THAW_FAILED;
	} else {
		if (config_text(at, &scalar, rule->allowed) != THAW_OK)
			return THAW_FAILED;
		if (strcmp(scalar.text, "off") == 0)
			return THAW_OK;
		if (config_read_requests(at, rule, rate) != THAW_OK)
			return THAW_FAILED;
	}
	if (rate->burst == 0)
		rate->burst = (unsigned)rate->requests;
	if (rate->burst * rate->period_ms / rate->requests <= REFILL_MAX)
		return THAW_OK;
	return config_refuse(at,
			     "a burst of %u requests is available again only after more than 24 hours; allowed: a "
			     "smaller burst or a faster rate",
			     rate->burst);
}
