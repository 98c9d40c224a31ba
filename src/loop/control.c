#include "loop/control.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

#define NAME_FORMAT "%s%d/%016llx"        /* by what is asked for; process id, hash of the configuration's path */
#define TABLE       "/proc/self/net/unix" /* of this network namespace */
#define ANSWER_MAX  1024
#define PATIENCE_MS 180000 /* a master gives a reload up far earlier */
#define TAKEN       '+'
#define REFUSED     '-'

static const char *const begins[] = {[CONTROL_RELOAD] = "thaw-reload/", [CONTROL_UPGRADE] = "thaw-upgrade/"};

/* FNV-1a of the path without links: only to tell files apart. 0: there is none. */
static unsigned long long hash_of(const char *file)
{
	unsigned long long hash = 0xcbf29ce484222325ULL;
	char *path = file != NULL ? realpath(file, NULL) : NULL;

	if (path == NULL)
		return 0;
	for (const char *at = path; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * 0x100000001b3ULL;
	free(path);
	return hash;
}

/* In the abstract namespace: a name that begins with a zero byte. */
static socklen_t name_it(struct sockaddr_un *address, const char *name)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	int len = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "%s", name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

/* ---- in the master ---- */

enum thaw_status control_open(struct control *control, enum control_kind kind, const char *file, struct thaw_error *err)
{
	struct sockaddr_un address;
	char name[sizeof(address.sun_path) - 1];

	*control = (struct control){.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
	(void)snprintf(name, sizeof(name), NAME_FORMAT, begins[kind], (int)getpid(), hash_of(file));
	socklen_t len = name_it(&address, name);
	if (control->fd >= 0 && bind(control->fd, (struct sockaddr *)&address, len) == 0 &&
	    listen(control->fd, CONTROL_ASKERS_MAX) == 0)
		return THAW_OK;
	(void)error_system(err, errno, "'thaw %s' cannot be heard", kind == CONTROL_RELOAD ? "reload" : "upgrade");
	control_close(control);
	return THAW_FAILED;
}

static void answer(int fd, bool taken, const char *text)
{
	char packet[ANSWER_MAX];
	int len = snprintf(packet, sizeof(packet), "%c%s", taken ? TAKEN : REFUSED, text);

	/* Who does not wait for it any more does not get it. */
	(void)send(fd, packet, len < ANSWER_MAX ? (size_t)len : ANSWER_MAX - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

static bool may_ask(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == geteuid());
}

bool control_take(struct control *control)
{
	bool more = false;
	int fd;

	while (control->fd >= 0 && (fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (!may_ask(fd)) {
			answer(fd, false, "only root, and the user that the master runs as, may ask");
		} else if (control->count == CONTROL_ASKERS_MAX) {
			answer(fd, false, "too many ask at once");
		} else {
			control->askers[control->count++] = fd;
			more = true;
		}
	}
	return more;
}

void control_begin(struct control *control)
{
	control->served = control->count;
}

void control_tell(struct control *control, bool taken, const char *text)
{
	size_t told = control->served;

	for (size_t i = 0; i < told; i++)
		answer(control->askers[i], taken, text);
	control->count -= told;
	memmove(control->askers, control->askers + told, control->count * sizeof(control->askers[0]));
	control->served = 0;
}

void control_close(struct control *control)
{
	for (size_t i = 0; i < control->count; i++)
		(void)close(control->askers[i]);
	if (control->fd >= 0)
		(void)close(control->fd);
	*control = (struct control){.fd = -1};
}

/* ---- in `thaw reload` ---- */

/*
 * The name in a line of /proc/self/net/unix, which shows the zero byte as '@'; NULL: it is none of ours, in the form
 * that NAME_FORMAT gives it.
 */
static const char *name_in(char *line, const char *begin, pid_t *pid, unsigned long long *hash)
{
	char *name = strstr(line, " @"), *end;

	if (name == NULL || strncmp(name + 2, begin, strlen(begin)) != 0)
		return NULL;
	name += 2;
	name[strcspn(name, "\n")] = '\0';
	long number = strtol(name + strlen(begin), &end, 10);
	if (*end != '/' || number <= 0 || number > INT_MAX)
		return NULL;
	*pid = (pid_t)number;
	*hash = strtoull(end + 1, &end, 16);
	return *end == '\0' ? name : NULL;
}

/* Calls found() for each line that names a master; until it returns false. */
static enum thaw_status look_through(enum control_kind kind,
				     bool (*found)(void *arg, const char *name, pid_t pid, unsigned long long hash),
				     void *arg, struct thaw_error *err)
{
	FILE *table = fopen(TABLE, "re");
	char *line = NULL;
	size_t room = 0;
	pid_t pid;
	unsigned long long hash;

	if (table == NULL)
		return error_system(err, errno, "cannot read " TABLE);
	while (getline(&line, &room, table) > 0) {
		const char *name = name_in(line, begins[kind], &pid, &hash);
		if (name != NULL && !found(arg, name, pid, hash))
			break;
	}
	free(line);
	(void)fclose(table);
	return THAW_OK;
}

struct search {
	unsigned long long hash; /* wanted */
	pid_t pid;               /* wanted, or found */
	bool several;
	char name[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

static bool has_hash(void *arg, const char *name, pid_t pid, unsigned long long hash)
{
	struct search *search = arg;

	(void)name;
	if (hash != search->hash)
		return true;
	search->several = search->several || (search->pid != 0 && search->pid != pid);
	search->pid = pid;
	return !search->several;
}

static bool has_pid(void *arg, const char *name, pid_t pid, unsigned long long hash)
{
	struct search *search = arg;

	(void)hash;
	if (pid != search->pid)
		return true;
	(void)snprintf(search->name, sizeof(search->name), "%s", name);
	return false;
}

pid_t control_find(const char *file, struct thaw_error *err)
{
	struct search search = {.hash = hash_of(file)};

	if (search.hash == 0)
		(void)error_system(err, errno, "%s: cannot be opened", file);
	else if (look_through(CONTROL_RELOAD, has_hash, &search, err) != THAW_OK)
		return -1;
	else if (search.pid == 0)
		(void)error_set(err, THAW_ERR_SYSTEM, "no 'thaw serve' runs on %s", file);
	else if (search.several)
		(void)error_set(err, THAW_ERR_USAGE, "more than one 'thaw serve' runs on %s: name its process id",
				file);
	else
		return search.pid;
	return -1;
}

/* The socket; -1 with *err set. */
static int reach(pid_t master, enum control_kind kind, struct thaw_error *err)
{
	struct search search = {.pid = master};
	struct sockaddr_un address;
	struct ucred who = {.pid = 0};
	socklen_t len = sizeof(who);

	if (look_through(kind, has_pid, &search, err) != THAW_OK)
		return -1;
	if (search.name[0] == '\0') {
		(void)error_set(err, THAW_ERR_SYSTEM, "process %d is no 'thaw serve' that can be asked", (int)master);
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	socklen_t name_len = name_it(&address, search.name);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, name_len) != 0)
		(void)error_system(err, errno, "cannot ask process %d", (int)master);
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 || who.pid != master)
		(void)error_set(err, THAW_ERR_SYSTEM, "who listens in the name of process %d is another one",
				(int)master);
	else
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

enum thaw_status control_ask(pid_t master, enum control_kind kind, char *text, size_t room, struct thaw_error *err)
{
	char packet[ANSWER_MAX];
	int fd = reach(master, kind, err);

	if (fd < 0)
		return THAW_FAILED;
	struct pollfd answered = {.fd = fd, .events = POLLIN};
	int ready = poll(&answered, 1, PATIENCE_MS);
	ssize_t got = ready > 0 ? recv(fd, packet, sizeof(packet) - 1, 0) : -1;
	(void)close(fd);
	if (ready == 0)
		return error_set(err, THAW_ERR_TIMEOUT, "process %d does not answer", (int)master);
	if (got <= 0)
		return error_set(err, THAW_ERR_SYSTEM, "process %d has ended without an answer", (int)master);
	packet[got] = '\0';
	if (packet[0] != TAKEN)
		return error_set(err, THAW_ERR_CONFIG, "%s", packet + 1);
	(void)snprintf(text, room, "%s", packet + 1);
	return THAW_OK;
}
