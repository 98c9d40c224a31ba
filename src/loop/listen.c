#include "loop/listen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/socket.h"

static char *name_of(const struct config_listen *listen, int fd)
{
	char *name = NULL;
	int len;

	if (listen->kind == CONFIG_LISTEN_UNIX)
		len = asprintf(&name, "unix:%s", listen->path);
	else if (strchr(listen->host, ':') != NULL)
		len = asprintf(&name, "[%s]:%u", listen->host, socket_port(fd));
	else
		len = asprintf(&name, "%s:%u", listen->host, socket_port(fd));
	return len >= 0 ? name : NULL;
}

static enum thaw_status open_one(struct listener *listener, const struct config_listen *listen, struct thaw_error *err)
{
	listener->fd = listen->kind == CONFIG_LISTEN_UNIX ? socket_listen_unix(listen->path, err)
							  : socket_listen(listen->host, listen->port, err);
	if (listener->fd < 0)
		return THAW_FAILED;
	listener->name = name_of(listen, listener->fd);
	return listener->name != NULL ? THAW_OK : error_set(err, THAW_ERR_RESOURCE, "out of memory");
}

enum thaw_status listeners_open(struct listeners *listeners, const struct config *config, struct thaw_error *err)
{
	*listeners = (struct listeners){.config = config};
	listeners->items = calloc(config->listen_count, sizeof(*listeners->items));
	if (listeners->items == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	for (size_t i = 0; i < config->listen_count; i++)
		listeners->items[i].fd = -1;
	listeners->count = config->listen_count;
	for (size_t i = 0; i < listeners->count; i++)
		if (open_one(&listeners->items[i], &config->listens[i], err) != THAW_OK) {
			listeners_free(listeners);
			return THAW_FAILED;
		}
	return THAW_OK;
}

static void close_one(struct listener *listener)
{
	if (listener->fd >= 0)
		(void)close(listener->fd);
	listener->fd = -1;
}

void listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		close_one(&listeners->items[i]);
}

void listeners_withdraw(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		struct listener *listener = &listeners->items[i];
		const struct config_listen *listen = &listeners->config->listens[i];
		/* An open one was made by this process; once closed, its path may be another's. */
		if (listener->fd >= 0 && listen->kind == CONFIG_LISTEN_UNIX)
			(void)unlink(listen->path);
		close_one(listener);
	}
}

void listeners_free(struct listeners *listeners)
{
	listeners_withdraw(listeners);
	for (size_t i = 0; i < listeners->count; i++)
		free(listeners->items[i].name);
	free(listeners->items);
	listeners->items = NULL;
	listeners->count = 0;
}
