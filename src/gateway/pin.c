#include "gateway/pin.h"

#include <stdlib.h>
#include <string.h>

#include "http/syntax.h"

struct gw_pins {
	struct gw_pin {
		const struct config_upstream *upstream;
		struct gw_upconn *upconn;
	} pins[GW_PINS_MAX]; /* the oldest first */
	size_t count;
};

/* "NTLM", "Negotiate", and the related "Nego2" and "Kerberos". Compares only the beginning, as HAProxy does. */
static bool is_bound_scheme(struct http_span value)
{
	static const char *const schemes[] = {"NTLM", "Nego", "Kerberos"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i]);
		if (value.len >= len && http_span_equal_nocase((struct http_span){value.at, len}, schemes[i]))
			return true;
	}
	return false;
}

/* One field may have several challenges (RFC 9110 11.6.1). A comma inside a quoted parameter can only cause a false
 * match. */
static bool names_bound_scheme(const struct http_field *field)
{
	struct http_span rest = field->value, element;

	while (http_list_next(&rest, &element))
		if (is_bound_scheme(element))
			return true;
	return false;
}

bool gw_pin_by_request(const struct http_request *request)
{
	for (size_t i = 0; i < request->field_count; i++)
		if (http_span_is(request->fields[i].name, "Authorization") && names_bound_scheme(&request->fields[i]))
			return true;
	return false;
}

bool gw_pin_by_answer(const struct http_response *answer)
{
	for (size_t i = 0; i < answer->field_count; i++) {
		const struct http_field *field = &answer->fields[i];
		bool challenges = http_span_is(field->name, "WWW-Authenticate") ||
				  http_span_is(field->name, "Proxy-Authenticate");
		if (challenges && names_bound_scheme(field))
			return true;
	}
	return false;
}

/* Removes the upstream connection at that index from the list, and returns it. */
static struct gw_upconn *pull(struct gw_pins *pins, size_t at)
{
	struct gw_upconn *upconn = pins->pins[at].upconn;

	pins->count--;
	memmove(&pins->pins[at], &pins->pins[at + 1], (pins->count - at) * sizeof(pins->pins[0]));
	return upconn;
}

static void drop(struct gw_conn *conn, size_t at)
{
	struct gw_upconn *upconn = pull(conn->pins, at);

	conn->gateway->env.upconns.ops->give(&upconn, GW_UPCONN_DROP, gw_now(conn));
}

struct gw_upconn *gw_pin_take(struct gw_conn *conn, const struct config_upstream *upstream)
{
	gw_pins_look(conn);
	for (size_t i = 0; conn->pins != NULL && i < conn->pins->count; i++)
		if (conn->pins->pins[i].upstream == upstream)
			return pull(conn->pins, i);
	return NULL;
}

static void wake(void *arg)
{
	struct gw_conn *conn = arg;

	if (conn->wake != NULL)
		conn->wake(conn->wake_arg);
}

void gw_pin_put(struct gw_conn *conn, const struct config_upstream *upstream, struct gw_upconn **upconn)
{
	const struct gw_upconn_ops *ops = conn->gateway->env.upconns.ops;

	if (conn->pins == NULL)
		conn->pins = calloc(1, sizeof(*conn->pins));
	if (conn->pins == NULL) {
		ops->give(upconn, GW_UPCONN_DROP, gw_now(conn));
		return;
	}
	if (conn->pins->count == GW_PINS_MAX)
		drop(conn, 0);
	ops->stay(*upconn);
	ops->wakes(*upconn, wake, conn);
	ops->watch(*upconn, true, false);
	conn->pins->pins[conn->pins->count++] = (struct gw_pin){upstream, *upconn};
	*upconn = NULL;
}

/* A server sends something without a request only when it ends the connection. */
static bool is_quiet(const struct gw_conn *conn, struct gw_upconn *upconn)
{
	struct transport transport = conn->gateway->env.upconns.ops->transport(upconn);
	char byte;

	return transport.ops->read(transport.io, &byte, 1) == TRANSPORT_BLOCKED;
}

void gw_pins_look(struct gw_conn *conn)
{
	for (size_t i = conn->pins != NULL ? conn->pins->count : 0; i > 0; i--)
		if (!is_quiet(conn, conn->pins->pins[i - 1].upconn))
			drop(conn, i - 1);
}

void gw_pins_free(struct gw_conn *conn)
{
	while (conn->pins != NULL && conn->pins->count > 0)
		drop(conn, conn->pins->count - 1);
	free(conn->pins);
	conn->pins = NULL;
}
