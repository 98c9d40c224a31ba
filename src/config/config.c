/* Loads and frees a configuration. */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "config/schema.h"

#define MEMORY_DEFAULT      (256ULL * 1024 * 1024)
#define PER_CLIENT_DEFAULT  25
#define CONNECTIONS_DEFAULT 80 /* default percentage of all connections for one client address */
#define STOP_DEFAULT_MS     30000
#define WORKER_DEFAULT_MS   30000

static void free_certificate(struct config_certificate *certificate)
{
	free(certificate->ca);
	free(certificate->crl);
	free(certificate->ca_place);
	free(certificate->crl_place);
	free(certificate->elsewhere);
	config_free_allow(certificate);
}

static void free_list(char **list)
{
	for (char **text = list; text != NULL && *text != NULL; text++)
		free(*text);
	free(list);
}

static void free_route(struct config_route *route)
{
	free_list(route->methods);
	free_list(route->upgrade);
	free(route->path);
	free(route->upstream_name);
	free_certificate(&route->certificate);
	config_free_headers(&route->headers);
	config_free_access(&route->access);
	free(route->strip_prefix);
	free(route->add_prefix);
}

static void free_listen(struct config_listen *listen)
{
	free(listen->address);
	free(listen->host);
	free(listen->place);
	free(listen->path);
	free(listen->acme_webroot);
	free(listen->acme_webroot_place);
	if (listen->acme != NULL)
		free_route(listen->acme);
	free(listen->acme);
}

static void free_host(struct config_host *host)
{
	for (size_t i = 0; i < host->route_count; i++)
		free_route(&host->routes[i]);
	free(host->routes);
	free_certificate(&host->client_certificate);
	free_list(host->strip);
	free_list(host->pass);
	config_free_headers(&host->headers);
	config_free_access(&host->access);
	free(host->request_id_from);
	free(host->name);
	free_list(host->names);
	free(host->certificate);
	free(host->key);
	free(host->key_passphrase);
	free(host->key_place);
	free(host->certificate_place);
}

void config_free(struct config **config)
{
	struct config *c = *config;
	*config = NULL;
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->listen_count; i++)
		free_listen(&c->listens[i]);
	if (c->admin != NULL)
		free_listen(c->admin);
	for (size_t i = 0; i < c->upstream_count; i++)
		config_free_upstream(&c->upstreams[i]);
	free(c->upstreams);
	free(c->admin);
	free_list(c->admin_names);
	config_free_access(&c->admin_access);
	free(c->ticket_keys);
	free(c->ticket_keys_place);
	free(c->tls.groups);
	free(c->tls.ciphers);
	free(c->tls.suites);
	free(c->tls.groups_place);
	free(c->user);
	free(c->user_place);
	free(c->group);
	free(c->group_place);
	for (size_t i = 0; i < c->host_count; i++)
		free_host(&c->hosts[i]);
	free(c->claimed);
	free(c->listens);
	free(c->hosts);
	free(c->spool.directory);
	free(c->spool.directory_place);
	free(c->log.access);
	free(c->log.access_place);
	free(c->file);
	free(c);
}

static enum thaw_status read_settings(struct config *config, const char *name, struct config_source *source)
{
	struct config_at root = config_root(source);
	config->spool.memory = MEMORY_DEFAULT;
	config->spool.disk = CONFIG_UNSET;
	config->spool.per_client_percent = PER_CLIENT_DEFAULT;
	config->worker_timeout_ms = WORKER_DEFAULT_MS;
	config->connections = (struct config_connections){
		.per_client_percent = CONNECTIONS_DEFAULT,
		.first_byte_ms = CONFIG_FIRST_BYTE_MS,
		.handshake_ms = CONFIG_HANDSHAKE_MS,
		.head_ms = CONFIG_HEAD_MS,
		.body_ms = CONFIG_BODY_MS,
		.keepalive_ms = CONFIG_KEEPALIVE_MS,
		.max_head = CONFIG_HEAD_SIZE,
		.max_head_line = CONFIG_HEAD_LINE,
		.max_head_fields = CONFIG_HEAD_FIELDS,
	};
	config->stop_timeout_ms = STOP_DEFAULT_MS;
	config->sandbox = true;
	config->tls.versions = CONFIG_TLS_12 | CONFIG_TLS_13;
	config->log.format = CONFIG_LOG_JSON;
	config->log.level = CONFIG_LOG_INFO;
	if (config_set_text(&root, &config->file, name, strlen(name)) != THAW_OK)
		return THAW_FAILED;
	return config_read_table(&root, &config_schema, config);
}

struct config *config_parse(const char *text, size_t len, const char *name, const char *directory,
			    struct thaw_error *err)
{
	struct config_source source = {.directory = directory, .err = err};
	struct config *config = calloc(1, sizeof(*config));
	if (config == NULL)
		(void)error_set(err, THAW_ERR_RESOURCE, "%s: not enough memory to read it", name);
	else if (config_tree_load(&source, name, text, len) != THAW_OK ||
		 read_settings(config, name, &source) != THAW_OK)
		config_free(&config);
	config_tree_free(&source);
	return config;
}

/* Reads the whole file, at most CONFIG_FILE_MAX + 1 bytes. NULL with *err set. */
static char *read_all(const char *file, int fd, size_t *len, struct thaw_error *err)
{
	size_t room = CONFIG_FILE_MAX + 1;
	char *text = malloc(room);
	if (text == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "%s: not enough memory to read it", file);
		return NULL;
	}
	*len = 0;
	while (*len < room) {
		ssize_t n = read(fd, text + *len, room - *len);
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)error_system(err, errno, "%s: cannot be read", file);
			free(text);
			return NULL;
		}
		*len += (size_t)n;
	}
	return text;
}

/* The folder of a file; empty for the current one. NULL: out of memory. */
static char *folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	size_t len = slash != NULL ? (size_t)(slash - file) + 1 : 0;
	char *folder = malloc(len + 1);
	if (folder == NULL)
		return NULL;
	memcpy(folder, file, len);
	folder[len] = '\0';
	return folder;
}

static struct config *load(const char *file, int fd, struct thaw_error *err)
{
	size_t len;
	struct config *config = NULL;
	char *text = read_all(file, fd, &len, err);
	char *folder = folder_of(file);
	if (folder == NULL)
		(void)error_set(err, THAW_ERR_RESOURCE, "%s: not enough memory to read it", file);
	else if (text != NULL)
		config = config_parse(text, len, file, folder, err);
	free(folder);
	free(text);
	return config;
}

static struct config *open_and_load(const char *file, bool again, struct thaw_error *err)
{
	struct config *config = NULL;
	struct stat info;
	int fd = open(file, O_RDONLY | O_CLOEXEC | (again ? O_NONBLOCK | O_NOCTTY : 0));
	if (fd < 0) {
		(void)error_system(err, errno, "%s: cannot be opened", file);
		return NULL;
	}
	if (again && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)))
		(void)error_set(err, THAW_ERR_CONFIG, "%s is not a file: it cannot be read again", file);
	else
		config = load(file, fd, err);
	(void)close(fd);
	return config;
}

struct config *config_load(const char *file, struct thaw_error *err)
{
	return open_and_load(file, false, err);
}

struct config *config_load_again(const char *file, struct thaw_error *err)
{
	return open_and_load(file, true, err);
}
