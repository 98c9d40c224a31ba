/* Finds the host of a name, and reads its settings. */
#include <string.h>

#include "tls/server_inside.h"

/* The host with the name star + name, where star is "" or "*". */
static int host_with(const struct tls_server *server, const char *star, const char *name)
{
	size_t skip = strlen(star);

	for (size_t i = 0; i < server->count; i++)
		for (char **has = server->hosts[i].names; *has != NULL; has++)
			if (strncmp(*has, star, skip) == 0 && strcmp(*has + skip, name) == 0)
				return (int)i;
	return -1;
}

/* -1: only the default host, or none, has it. */
static int own_host(const struct tls_server *server, const char *name)
{
	const char *parent = strchr(name, '.');
	int host = host_with(server, "", name);

	if (host < 0 && parent != NULL && parent > name)
		host = host_with(server, "*", parent);
	return host;
}

int tls_server_host(const struct tls_server *server, const char *name)
{
	int host = own_host(server, name);

	return host >= 0 ? host : host_with(server, "*", "");
}

bool tls_server_has(const struct tls_server *server, const char *name)
{
	return strchr(name, '*') == NULL && own_host(server, name) >= 0;
}

const struct tls_policy *tls_server_policy(const struct tls_server *server, int host)
{
	return &server->hosts[host].policy;
}

thaw_trust *tls_host_trust(const struct tls_host_context *host, const thaw_trust *trust)
{
	for (size_t i = 0; i < host->trust_count; i++)
		if (host->trusts[i] == trust)
			return host->trusts[i];
	return NULL;
}
