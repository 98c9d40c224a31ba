/* Hints about failed connections and untrusted servers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "send/explain_inside.h"

/* The proxy itself was reached. */
static const char *explain_no_tunnel(const struct send_options *options, const struct send_result *result)
{
	if (result->tunnel_status != 407)
		return "The proxy does not connect to this host and port: its operator has to allow that; or go "
		       "without "
		       "it (--noproxy).";
	return options->proxy_user == NULL
		       ? "The proxy requires a user: name it with --proxy-user NAME:PASSWORD."
		       : "The proxy does not accept the user: check --proxy-user, or the user in the proxy's URL.";
}

const char *explain_no_way(const struct send_options *options, const struct send_result *result)
{
	bool proxy = options->proxy != NULL && options->proxy[0] != '\0';

	if (result->cause == SEND_NO_HOST && strstr(result->err.text, "proxy") != NULL)
		return "The name of the proxy cannot be resolved: check --proxy, or https_proxy and http_proxy in the "
		       "environment.";
	if (result->cause == SEND_NO_HOST)
		return "The host name cannot be resolved: check the URL and this machine's DNS. --resolve sets the "
		       "address of a name.";
	if (result->tunnel_status >= 300)
		return explain_no_tunnel(options, result);
	switch (result->system_error) {
	case ECONNREFUSED:
		return proxy ? "Connection refused: check the address of the proxy, and that the proxy runs."
			     : "Nothing listens on this port: check the port in the URL, or the proxy that the "
			       "environment names, and that the server runs.";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "No route to that address: check this machine's network, or use a proxy (--proxy).";
	case EACCES:
	case EPERM:
		return "This machine's firewall does not allow the connection.";
	default:
		if (!result->late && result->system_error != ETIMEDOUT)
			return proxy ? "The connection was not made: check the URL, and that the proxy allows CONNECT."
				     : "The connection was not made: check the URL, and the proxy that the environment "
				       "names, if any.";
		return "No answer in time: check host and port; a firewall may drop the packets. --stall waits longer.";
	}
}

/* X509_V_ERR_... of openssl-verify(1) */
#define UNSPECIFIED        1
#define NOT_YET_VALID      9
#define EXPIRED            10
#define SELF_SIGNED        18
#define SELF_SIGNED_ISSUER 19

const char *explain_distrust(const struct send_options *options, const struct send_result *result,
			     char to[static EXPLAIN_ROOM])
{
	switch (result->verify) {
	case EXPIRED:
	case NOT_YET_VALID:
		return "The server's certificate, or its CA's, has expired or is not valid yet. Its operator must "
		       "renew it, or this machine's clock is wrong.";
	case SEND_VERIFY_PROXY:
		return "The proxy's certificate is not trusted: name its CA with --proxy-ca.";
	case SELF_SIGNED:
		return "The server's certificate is self-signed. If it is the right one, name it with --ca.";
	default:
		break;
	}
	if (result->verify <= UNSPECIFIED) /* libcurl checks the name before the chain */
		return "The server's certificate is for another name: use that name in the URL or with --sni.";
	if (options->ca == NULL)
		return result->verify == SELF_SIGNED_ISSUER
			       ? "The server's CA is not among the system's CAs: name it with --ca."
			       : "Name the CA that issued the server's certificate with --ca.";
	(void)snprintf(to, EXPLAIN_ROOM,
		       "No CA in %s has issued the server's certificate: name the right CA with --ca. Or the server "
		       "does not send its intermediate CA's certificate.",
		       options->ca);
	return to;
}
