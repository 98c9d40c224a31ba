#include "probe/tunnel.h"

#include <errno.h>
#include <string.h>

#include "base/ascii.h"
#include "base/error.h"

void tunnel_begin(struct tunnel *tunnel, const char *head)
{
	tunnel->head = head;
	tunnel->sent = tunnel->len = 0;
	tunnel->reply[0] = '\0';
}

static enum thaw_status broken(struct thaw_error *err)
{
	return error_system(err, errno != 0 ? errno : ECONNRESET, "the connection to the proxy failed");
}

/* Checks the status line ("HTTP/1.1 200 ...") of a complete head. */
static enum thaw_status judge(const struct tunnel *tunnel, struct thaw_error *err)
{
	uint64_t status = 0;
	bool http = tunnel->len > 12 && memcmp(tunnel->reply, "HTTP/1.", 7) == 0 &&
		    ascii_number(tunnel->reply + 9, 3, 999, &status);

	if (!http)
		return error_set(err, THAW_ERR_PEER, "the proxy does not speak HTTP/1.1");
	if (status / 100 == 2)
		return THAW_OK;
	bool user = strstr(tunnel->head, "\r\nProxy-Authorization:") != NULL;
	const char *cure = user ? "; it does not accept the user: check --proxy-user (only Basic is supported)"
				: "; use --proxy-user NAME:PASSWORD (Basic)";
	return error_set(err, THAW_ERR_PEER, "the proxy answered %u to CONNECT%s", (unsigned)status,
			 status == 407 ? cure : "");
}

enum thaw_status tunnel_step(struct tunnel *tunnel, struct transport proxy, struct thaw_error *err)
{
	size_t all = strlen(tunnel->head);

	errno = 0;
	while (tunnel->sent < all) {
		ssize_t put = proxy.ops->write(proxy.io, tunnel->head + tunnel->sent, all - tunnel->sent);
		if (put == TRANSPORT_BLOCKED)
			return THAW_WANT_WRITE;
		if (put < 0)
			return broken(err);
		tunnel->sent += (size_t)put;
	}
	/* Reads single bytes: what follows the head is the server's. */
	while (tunnel->len < 4 || memcmp(tunnel->reply + tunnel->len - 4, "\r\n\r\n", 4) != 0) {
		if (tunnel->len == TUNNEL_REPLY_MAX)
			return error_set(err, THAW_ERR_PEER, "the proxy's response is longer than %d bytes",
					 TUNNEL_REPLY_MAX);
		ssize_t got = proxy.ops->read(proxy.io, tunnel->reply + tunnel->len, 1);
		if (got == TRANSPORT_BLOCKED)
			return THAW_WANT_READ;
		if (got == TRANSPORT_END)
			return error_set(err, THAW_ERR_PEER, "the proxy closed the connection without a response");
		if (got < 0)
			return broken(err);
		tunnel->reply[++tunnel->len] = '\0';
	}
	return judge(tunnel, err);
}
