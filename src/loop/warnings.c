/* Warnings about valid settings that the operator may not have intended. */
#include "loop/load.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/network.h"
#include "loop/certificates.h"

#define TEXT_MAX 5120

struct teller {
	void (*warn)(void *arg, const char *text);
	void *arg;
};

static void tell(const struct teller *teller, const char *format, ...) THAW_PRINTF(2, 3);
static void tell(const struct teller *teller, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	teller->warn(teller->arg, text);
}

/* Root can change every file, and the user of this process can change its own. */
static bool is_trusted(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

/* The caller owns the result. NULL: out of memory. */
static char *folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash == NULL ? strdup(".") : strndup(file, slash == file ? 1 : (size_t)(slash - file));
}

/* The owner of the file's folder can replace the file. */
static void look_at_folder(const struct teller *teller, const char *place, const char *file)
{
	char *folder = folder_of(file);
	struct stat info;

	if (folder == NULL || stat(folder, &info) != 0) {
		free(folder);
		return; /* out of memory, or the folder does not exist any more */
	}
	if (!is_trusted(info.st_uid))
		tell(teller, "%s: %s is in a folder of user %u, who can replace it; move it, or run 'chown root %s'",
		     place, file, (unsigned)info.st_uid, folder);
	else if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0)
		tell(teller, "%s: %s is in a folder with mode %04o, so any user can replace it; run 'chmod o-w %s'",
		     place, file, (unsigned)info.st_mode & 07777, folder);
	free(folder);
}

/* Checks the file's folder, and the folder that a symbolic link leads to. */
static void look_at_folders(const struct teller *teller, const char *place, const char *file)
{
	char *real = realpath(file, NULL);
	struct stat info;

	look_at_folder(teller, place, file);
	if (real != NULL && strcmp(real, file) != 0 && lstat(file, &info) == 0 && S_ISLNK(info.st_mode))
		look_at_folder(teller, place, real);
	free(real);
}

static void look_at_owner(const struct teller *teller, const char *place, const char *file, uid_t owner)
{
	if (!is_trusted(owner))
		tell(teller, "%s: %s belongs to user %u, who can change it; run 'chown root %s'", place, file,
		     (unsigned)owner, file);
}

/* file NULL: the settings name none. */
static void look_at_secret(const struct teller *teller, const char *place, const char *file)
{
	struct stat info;

	if (file == NULL || stat(file, &info) != 0)
		return;
	if ((info.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		tell(teller, "%s: %s has mode %04o, so other users can %s it; run 'chmod 0600 %s'", place, file,
		     (unsigned)info.st_mode & 07777, (info.st_mode & (S_IWOTH | S_IWGRP)) != 0 ? "change" : "read",
		     file);
	look_at_owner(teller, place, file, info.st_uid);
	look_at_folders(teller, place, file);
}

/* Checks a file that is not secret, but decides who may enter. */
static void look_at_decider(void *arg, const char *place, const char *file)
{
	const struct teller *teller = arg;
	struct stat info;

	if (stat(file, &info) != 0)
		return;
	if ((info.st_mode & S_IWOTH) != 0)
		tell(teller, "%s: %s has mode %04o, so other users can change it; run 'chmod o-w %s'", place, file,
		     (unsigned)info.st_mode & 07777, file);
	look_at_owner(teller, place, file, info.st_uid);
	look_at_folders(teller, place, file);
}

static void look_at_secrets(const struct teller *teller, const struct config *config)
{
	for (size_t i = 0; i < config->host_count; i++) {
		const struct config_host *host = &config->hosts[i];
		bool token = strncmp(host->key, "pkcs11:", 7) == 0;
		look_at_secret(teller, host->key_place, token ? NULL : host->key);
		look_at_secret(teller, host->key_place, host->key_passphrase);
	}
	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct config_upstream *upstream = &config->upstreams[i];
		bool token = upstream->tls.key != NULL && strncmp(upstream->tls.key, "pkcs11:", 7) == 0;
		look_at_secret(teller, upstream->tls.key_place, token ? NULL : upstream->tls.key);
		look_at_secret(teller, upstream->tls.key_place, upstream->tls.key_passphrase);
	}
}

/* Only warns, because a service manager may create the folder and the socket. */
static void look_at_socket(const struct teller *teller, const struct config_listen *listen)
{
	const char *place = listen->place != NULL ? listen->place : "the command line";
	struct stat info;

	if (listen->kind != CONFIG_LISTEN_UNIX)
		return;
	char *folder = folder_of(listen->path);
	if (lstat(listen->path, &info) == 0 && !S_ISSOCK(info.st_mode))
		tell(teller, "%s: %s is there and is no socket: 'thaw serve' cannot listen on it; move it away", place,
		     listen->path);
	else if (folder != NULL && stat(folder, &info) != 0)
		tell(teller, "%s: the folder of %s does not exist: 'thaw serve' cannot make the socket; make it", place,
		     listen->path);
	free(folder);
}

static void look_at_sockets(const struct teller *teller, const struct config *config)
{
	for (size_t i = 0; i < config->listen_count; i++)
		look_at_socket(teller, &config->listens[i]);
	if (config->admin != NULL)
		look_at_socket(teller, config->admin);
}

/* An address of another machine's network, without a list of those who may read it. */
static bool is_open(const struct config_listen *admin, const struct config_networks *allow)
{
	static const char *const own[] = {"127.0.0.0/8", "::1"};
	struct network address, loopback;

	if (admin == NULL || admin->kind != CONFIG_LISTEN_TCP || allow->count > 0 ||
	    network_parse(admin->host, &address) != NULL)
		return false;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (network_parse(own[i], &loopback) == NULL && network_within(&address, &loopback))
			return false;
	return true;
}

void loaded_warn_of_admin(const struct config *config, void (*warn)(void *arg, const char *text), void *arg)
{
	struct teller teller = {.warn = warn, .arg = arg};

	if (is_open(config->admin, &config->admin_access.allow))
		tell(&teller,
		     "%s: other machines can reach %s, and it shows client addresses and paths without authentication; "
		     "use 127.0.0.1:PORT or unix:PATH, or say who may read it: { address: '%s', allow_from: [ "
		     "192.0.2.0/24 ] }",
		     config->admin->place != NULL ? config->admin->place : "the command line", config->admin->address,
		     config->admin->address);
}

void loaded_warnings(const struct loaded *loaded, const struct config *config,
		     void (*warn)(void *arg, const char *text), void *arg)
{
	struct teller teller = {.warn = warn, .arg = arg};

	if (privileges_stay_root(&loaded->privileges))
		tell(&teller, "%s%s: workers run as root; set it to a user of their own, such as 'thaw'",
		     config->user_place != NULL ? config->user_place : config->file,
		     config->user_place != NULL ? "" : ": key 'user'");
	look_at_secrets(&teller, config);
	look_at_sockets(&teller, config);
	loaded_warn_of_admin(config, warn, arg);
	certificates_deciding(config, look_at_decider, &teller);
	if (config->file != NULL)
		look_at_decider(&teller, "the configuration", config->file);
	certificates_warn(config, (int64_t)time(NULL), warn, arg);
	gateway_warnings(loaded->gateway, warn, arg);
}
