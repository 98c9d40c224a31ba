#include "gateway/redirect.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/answer.h"
#include "gateway/find.h"
#include "gateway/http1.h"
#include "http/target.h"

#define SCHEME       "https://"
#define PORT_DEFAULT ":80" /* that a client has left out of http://HOST */

/* ":8443" as the client wrote it; NULL: the request does not name its host by a Host field alone. */
static bool port_of(const struct http_request *head, struct http_span *port)
{
	const struct http_field *host = http_field_find(head, "Host");

	if (head->target.at[0] != '/' || host == NULL || host->value.len < head->host.len)
		return false;
	*port = (struct http_span){host->value.at + head->host.len, host->value.len - head->host.len};
	if (port->len < 2)
		*port = (struct http_span){PORT_DEFAULT, sizeof(PORT_DEFAULT) - 1};
	return true;
}

/* The same resource by https, if its host is one of ours: nobody is sent to a host that only the request names. NULL:
 * it is not, or no memory. */
static char *https_url(struct gw_stream *stream, struct http_span port)
{
	char host[HTTP_HOST_MAX + 1], target[HTTP_ORIGIN_MAX], *url = NULL;

	if (gw_host_text(&stream->head, host) == 0 || !tls_server_has(stream->gateway->tls, host))
		return NULL;
	size_t len = http_target_origin(&stream->head, target);
	if (asprintf(&url, SCHEME "%s%.*s%.*s", host, (int)port.len, port.at, (int)len, target) < 0)
		return NULL;
	return url;
}

/* On a port that has TLS: no redirection, or nobody would notice that the request was sent in the clear. */
static enum gw_step route(struct gw_stream *stream)
{
	struct http_span port;
	char *url = port_of(&stream->head, &port) ? https_url(stream, port) : NULL;
	enum gw_step step = gw_refuse_with_link(stream, GW_PROBLEM_PLAIN, url);

	free(url);
	return step;
}

const struct gw_protocol *gw_http1_plain(void)
{
	static struct gw_protocol protocol;

	if (protocol.route == NULL) {
		protocol = *gw_http1();
		protocol.route = route;
	}
	return &protocol;
}
