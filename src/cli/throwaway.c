#include "cli/throwaway.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/socket.h"
#include "tls/pki.h"

#define IPV4_LISTEN "127.0.0.1:8443"
#define IPV6_LISTEN "[::1]:8443"

/* Writes a double-quoted scalar (YAML 1.2.2, 7.3.1) for any text. */
static void put_quoted(FILE *to, const char *text)
{
	(void)fputc('"', to);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < ' ' || c == 0x7f)
			(void)fprintf(to, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			(void)fprintf(to, "\\%c", c);
		else
			(void)fputc(c, to);
	}
	(void)fputc('"', to);
}

static void put_file(FILE *to, const char *key, const char *folder, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return; /* the settings then lack a key and are rejected */
	(void)fprintf(to, "%s: ", key);
	put_quoted(to, path);
	(void)fputc('\n', to);
	free(path);
}

static void put_listens(FILE *to, const char *const *listens, size_t count)
{
	(void)fputs("listen:\n", to);
	for (size_t i = 0; i < count; i++) {
		(void)fputs("  - address: ", to);
		put_quoted(to, listens[i]);
		(void)fputc('\n', to);
	}
}

static void put_host(FILE *to, const char *name, const char *pki)
{
	(void)fprintf(to, "  - name: \"%s\"\n", name);
	put_file(to, "    certificate", pki, "server.pem");
	put_file(to, "    key", pki, "server.key");
	(void)fputs("    client_certificate:\n"
		    "      max_body: 8GiB\n",
		    to);
	put_file(to, "      ca", pki, "ca.pem");
	(void)fputs("    routes:\n", to);
}

static void put_route(FILE *to, const char *path, const char *when, const char *upstream)
{
	(void)fprintf(to,
		      "      - path: %s\n"
		      "        client_certificate: { when: %s }\n"
		      "        upstream: builtin:%s\n",
		      path, when, upstream);
}

static const char *spool_folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder != NULL && folder[0] != '\0' ? folder : "/var/tmp";
}

static void put_settings(FILE *to, const char *pki, const char *const *listens, size_t count)
{
	put_listens(to, listens, count);
	(void)fputs("spool:\n"
		    "  memory: 256MiB\n"
		    "  disk: 8GiB\n"
		    "  per_client: 100%\n"
		    "  directory: ",
		    to);
	put_quoted(to, spool_folder());
	(void)fputs("\nhosts:\n", to);
	put_host(to, "*", pki);
	put_route(to, "/", "never", "inspect");
	put_route(to, "/late", "request", "inspect");
	put_route(to, "/early", "request-early", "inspect");
	put_route(to, "/body", "body", "inspect");
	put_route(to, "/after", "response", "inspect");
	put_route(to, "/.well-known/thaw/prime", "request", "prime");
	put_host(to, "handshake.localhost", pki);
	put_route(to, "/", "handshake", "inspect");
}

/* Parses the generated text in the same way as a configuration file. */
static struct config *parse(char **text, FILE *to, const size_t *len, const char *name, struct thaw_error *err)
{
	struct config *config = NULL;

	if (fclose(to) == 0)
		config = config_parse(*text, *len, name, NULL, err);
	else
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	free(*text);
	return config;
}

static bool have_ipv6_loopback(void)
{
	int fd = socket_listen("::1", 0, NULL);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

struct config *throwaway_make(const char *pki, const char *const *listens, size_t count, struct thaw_error *err)
{
	static const char *const loopback[] = {IPV4_LISTEN, IPV6_LISTEN};
	char *text = NULL;
	size_t len = 0;

	if (tls_pki_make(pki, err) != THAW_OK)
		return NULL;
	FILE *to = open_memstream(&text, &len);
	if (to == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	if (count > 0)
		put_settings(to, pki, listens, count);
	else
		put_settings(to, pki, loopback, have_ipv6_loopback() ? 2 : 1);
	return parse(&text, to, &len, "test settings", err);
}

struct config *throwaway_listens(const char *const *listens, size_t count, struct thaw_error *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	put_listens(to, listens, count);
	(void)fputs("hosts: [{ name: '*', certificate: none, key: none, routes: [{ path: /, upstream: builtin:sink }] "
		    "}]\n",
		    to);
	return parse(&text, to, &len, "--listen", err);
}

/* Writes a quoted word for the shell. */
static void put_word(FILE *to, const char *folder, const char *name)
{
	(void)fputc('\'', to);
	for (; *folder != '\0'; folder++)
		(void)fputs(*folder == '\'' ? "'\\''" : (char[]){*folder, '\0'}, to);
	(void)fprintf(to, "/%s'", name);
}

void throwaway_try(FILE *to, const char *pki, const char *socket, const char *port)
{
	(void)fputs("  curl --cacert ", to);
	put_word(to, pki, "ca.pem");
	(void)fputs(" --cert ", to);
	put_word(to, pki, "client.pem");
	(void)fputs(" --key ", to);
	put_word(to, pki, "client.key");
	if (socket != NULL)
		(void)fprintf(to, " --unix-socket '%s'", socket);
	(void)fprintf(to, " -T FILE https://localhost%s/late\n", port);
	(void)fflush(to);
}

void throwaway_explain(FILE *to, const char *pki, const char *address)
{
	bool local = strncmp(address, "unix:", strlen("unix:")) == 0;

	(void)fprintf(
		to,
		"thaw: test certificates (CA, server and client) are in %s\n"
		"thaw: /late, /early, /body and /after ask for the client certificate at different moments of the\n"
		"thaw: request; the host handshake.localhost asks in the TLS handshake; other paths never ask. Try:\n",
		pki);
	if (local)
		throwaway_try(to, pki, address + strlen("unix:"), "");
	else
		throwaway_try(to, pki, NULL, strrchr(address, ':'));
}
