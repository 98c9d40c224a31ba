#include "probe/proxy_tls.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"

#define PIECE 4096

struct proxy_tls {
	struct tls_client *client;
};

struct proxy_tls *proxy_tls_new(struct tls_client_context *context, const char *name, struct transport below,
				struct thaw_error *err)
{
	struct proxy_tls *proxy = calloc(1, sizeof(*proxy));

	if (proxy != NULL)
		proxy->client = tls_client_new(context, name, below, NULL, err);
	else
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	if (proxy != NULL && proxy->client == NULL)
		proxy_tls_free(&proxy);
	return proxy;
}

void proxy_tls_free(struct proxy_tls **proxy)
{
	if (*proxy != NULL)
		tls_client_free(&(*proxy)->client);
	free(*proxy);
	*proxy = NULL;
}

enum thaw_status proxy_tls_handshake(struct proxy_tls *proxy, struct thaw_error *err)
{
	struct thaw_error own = {.cls = THAW_ERR_NONE};
	enum thaw_status status = tls_client_handshake(proxy->client, &own);
	const char *distrust = tls_client_distrust(proxy->client);

	if (status == THAW_OK || status == THAW_WANT_READ || status == THAW_WANT_WRITE)
		return status;
	if (distrust != NULL)
		return error_set(err, THAW_ERR_PEER,
				 "the proxy's certificate is not trusted: %s; name its CA with --proxy-ca", distrust);
	return error_set(err, THAW_ERR_PEER,
			 "TLS with the proxy failed: %s; use http:// in its URL if it does not speak TLS",
			 own.cls != THAW_ERR_NONE ? own.text : "it closed the connection");
}

/* The return value for a call that moved len bytes if status is THAW_OK. */
static ssize_t outcome(enum thaw_status status, size_t len)
{
	switch (status) {
	case THAW_OK:
		return (ssize_t)len;
	case THAW_WANT_READ:
	case THAW_WANT_WRITE:
		return TRANSPORT_BLOCKED;
	case THAW_CLOSED:
		return TRANSPORT_END;
	case THAW_FAILED:
		break;
	}
	errno = ECONNRESET; /* the layers above only see a closed connection */
	return TRANSPORT_BROKEN;
}

static ssize_t on_read(void *io, void *data, size_t room)
{
	struct proxy_tls *proxy = io;
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	size_t len = 0;
	enum thaw_status status = tls_client_read(proxy->client, data, room, &len, &err);

	return outcome(status, len);
}

static ssize_t on_write(void *io, const void *data, size_t len)
{
	struct proxy_tls *proxy = io;
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	size_t put = 0;
	enum thaw_status status = tls_client_write(proxy->client, data, len, &put, &err);

	return outcome(status, put);
}

static void on_half_close(void *io)
{
	struct proxy_tls *proxy = io;

	(void)tls_client_close_notify(proxy->client);
}

static ssize_t on_discard(void *io, size_t max)
{
	char unread[PIECE];

	return on_read(io, unread, max < sizeof(unread) ? max : sizeof(unread));
}

struct transport proxy_tls_transport(struct proxy_tls *proxy)
{
	static const struct transport_ops ops = {
		.read = on_read,
		.write = on_write,
		.half_close = on_half_close,
		.discard = on_discard,
	};
	return (struct transport){.ops = &ops, .io = proxy};
}

void proxy_tls_step(struct proxy_tls *proxy)
{
	tls_client_step(proxy->client);
	tls_client_flush(proxy->client);
}

bool proxy_tls_pending(const struct proxy_tls *proxy)
{
	return tls_client_pending(proxy->client);
}

size_t proxy_tls_unsent(const struct proxy_tls *proxy)
{
	return tls_client_unsent(proxy->client);
}
