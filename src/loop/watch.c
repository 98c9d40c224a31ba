#include "loop/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/certificates.h"

#define LINKS_MAX  40 /* symbolic links on the path of one file; the limit of Linux */
#define EVENTS_MAX 16384

#define CHANGES                                                                                            \
	(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_MOVE_SELF | \
	 IN_DELETE_SELF | IN_ONLYDIR)

/* ---- the fingerprint of a set ---- */

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static void mix(uint64_t *print, uint64_t value)
{
	for (unsigned i = 0; i < sizeof(value); i++)
		*print = (*print ^ (value >> (8 * i) & 0xff)) * FNV_PRIME;
}

static void add_file(void *arg, const char *place, const char *file)
{
	uint64_t *print = arg;
	struct stat is;

	(void)place;
	if (stat(file, &is) != 0) {
		mix(print, (uint64_t)errno);
		return;
	}
	mix(print, is.st_dev);
	mix(print, is.st_ino);
	mix(print, (uint64_t)is.st_size);
	mix(print, (uint64_t)is.st_mtim.tv_sec);
	mix(print, (uint64_t)is.st_mtim.tv_nsec);
	mix(print, is.st_mode);
	mix(print, is.st_uid);
}

static uint64_t print_of(const struct config *config)
{
	uint64_t print = FNV_BASIS;

	certificates_named(config, add_file, &print);
	return print;
}

static uint64_t print_of_file(const char *file)
{
	uint64_t print = FNV_BASIS;

	if (file != NULL)
		add_file(&print, NULL, file);
	return print;
}

/* The kernel refuses a read lease while a process has the file open for writing. If the file system has no leases, as
 * network file systems, this finds no writer. */
static void look_for_writer(void *arg, const char *place, const char *file)
{
	struct stat is;

	(void)place;
	/* opening some devices has effects */
	int fd = stat(file, &is) == 0 && S_ISREG(is.st_mode) ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
							     : -1;
	if (fd < 0)
		return;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	else
		*(bool *)arg |= errno == EAGAIN;
	(void)close(fd);
}

/* ---- folders ---- */

/* "" is the current folder. */
static void watch_folder(int fd, const char *folder)
{
	(void)inotify_add_watch(fd, folder[0] != '\0' ? folder : ".", CHANGES);
}

/* Appends a name to the path in current. False: it is too long. */
static bool append(char current[static PATH_MAX], const char *name, size_t len)
{
	size_t used = strlen(current);
	const char *slash = used > 0 && current[used - 1] != '/' ? "/" : "";

	return snprintf(current + used, PATH_MAX - used, "%s%.*s", slash, (int)len, name) < (int)(PATH_MAX - used);
}

/* Puts the target of a symbolic link in front of rest. */
static bool follow(const char *link, char rest[static PATH_MAX])
{
	char target[PATH_MAX], left[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	if (len <= 0)
		return false;
	target[len] = '\0';
	memcpy(left, rest, sizeof(left));
	return snprintf(rest, PATH_MAX, "%s/%s", target, left) < PATH_MAX;
}

/* Watches each folder on the path of the file in which a name may come to refer to another file: those with a symbolic
 * link, a missing name, or the file itself. */
static void watch_way(void *arg, const char *place, const char *file)
{
	char current[PATH_MAX] = "", rest[PATH_MAX], next[PATH_MAX];
	int fd = *(const int *)arg, links = 0;
	struct stat is;

	(void)place;
	if (snprintf(rest, sizeof(rest), "%s", file) >= (int)sizeof(rest))
		return;
	while (links <= LINKS_MAX) {
		if (rest[0] == '/')
			(void)snprintf(current, sizeof(current), "/");
		size_t begin = strspn(rest, "/"), len = strcspn(rest + begin, "/");
		if (len == 0)
			return;
		memcpy(next, current, sizeof(next));
		if (!append(next, rest + begin, len))
			return;
		memmove(rest, rest + begin + len, strlen(rest + begin + len) + 1);
		bool last = rest[strspn(rest, "/")] == '\0';
		bool there = lstat(next, &is) == 0;
		if (!there || last || S_ISLNK(is.st_mode))
			watch_folder(fd, current);
		if (!there || (last && !S_ISLNK(is.st_mode)))
			return;
		/* The rest of a path is relative, so its leading slashes are removed. */
		memmove(rest, rest + strspn(rest, "/"), strlen(rest + strspn(rest, "/")) + 1);
		if (!S_ISLNK(is.st_mode))
			memcpy(current, next, sizeof(current));
		else if (links++ == LINKS_MAX || !follow(next, rest))
			return;
	}
}

/* Begins again with a new descriptor, because links may lead elsewhere now. */
static bool arm(struct watch *watch, const struct config *config)
{
	watch_close(watch);
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		return false;
	certificates_named(config, watch_way, &watch->fd);
	watch->wanted = true; /* there are no events for changes until now */
	return true;
}

/* ---- from set to set ---- */

void watch_reading(struct watch *watch, const struct config *config, const char *file)
{
	watch->coming = print_of(config);
	watch->file_coming = print_of_file(file);
}

bool watch_taken(struct watch *watch, const struct config *config)
{
	watch->used = watch->coming;
	watch->file_used = watch->file_coming;
	watch->tried = 0;
	watch->warn_ms = THAW_NEVER;
	watch->said.cls = THAW_ERR_NONE;
	if (config->watch_files)
		return arm(watch, config);
	watch_close(watch);
	return true;
}

void watch_refused(struct watch *watch)
{
	watch->tried = watch->coming;
}

void watch_hear(struct watch *watch, const struct config *config, uint64_t now_ms)
{
	char events[EVENTS_MAX];

	/* One read is enough: the new descriptor has none of the older events. So their number does not matter. */
	if (watch->fd < 0 || now_ms < watch->deaf_ms || read(watch->fd, events, sizeof(events)) <= 0)
		return;
	watch->deaf_ms = now_ms + WATCH_PAUSE_MS;
	if (!arm(watch, config))
		watch->wanted = true;
}

enum watch_finding watch_look(struct watch *watch, const struct config *config, const char *file)
{
	uint64_t print = print_of(config);
	bool open = false;

	watch->wanted = false;
	if (print == watch->used) {
		watch->tried = 0;
		watch->warn_ms = THAW_NEVER;
		watch->said.cls = THAW_ERR_NONE;
	}
	if (print == watch->used || print == watch->tried)
		return WATCH_SAME;
	certificates_named(config, look_for_writer, &open);
	if (open)
		return WATCH_OPEN;
	watch->coming = print;
	return print_of_file(file) == watch->file_used ? WATCH_NEW : WATCH_RECONFIGURED;
}

void watch_unfit(struct watch *watch, const struct thaw_error *why, uint64_t now_ms)
{
	watch->tried = watch->coming;
	watch->why = *why;
	if (watch->said.cls != THAW_ERR_NONE && strcmp(watch->said.text, why->text) == 0)
		watch->warn_ms = THAW_NEVER;
	else if (watch->warn_ms == THAW_NEVER)
		watch->warn_ms = now_ms + WATCH_PATIENCE_MS;
}

const char *watch_due(struct watch *watch, uint64_t now_ms)
{
	if (now_ms < watch->warn_ms)
		return NULL;
	watch->warn_ms = THAW_NEVER;
	watch->said = watch->why;
	return watch->said.text;
}

const char *watch_held(const struct watch *watch)
{
	return watch->said.cls != THAW_ERR_NONE ? watch->said.text : NULL;
}

void watch_close(struct watch *watch)
{
	if (watch->fd >= 0)
		(void)close(watch->fd);
	watch->fd = -1;
}
