#include "loop/control.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

/* The prefix for reload or upgrade, the process id, a hash of the configuration's path, a random number. */
#define NAME_FORMAT "%s%d/%016llx/%016llx"
#define TABLE       "/proc/self/net/unix" /* of this network namespace */
#define ANSWER_MAX  1024
#define PATIENCE_MS 180000 /* the master gives up a reload much earlier */
#define TAKEN       '+'
#define REFUSED     '-'
#define CROWD_TRIES 50  /* attempts to connect when the listener's queue is full */
#define CROWD_NAP   100 /* ms between two attempts */

static const char *const begins[] = {[CONTROL_RELOAD] = "thaw-reload/", [CONTROL_UPGRADE] = "thaw-upgrade/"};

/* Returns the FNV-1a hash of the resolved path, to distinguish files. 0: the file does not exist. */
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

/* A name in the abstract namespace begins with a zero byte. */
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
	unsigned long long unforeseen = 0;
	(void)!getrandom(&unforeseen, sizeof(unforeseen), 0);
	(void)snprintf(name, sizeof(name), NAME_FORMAT, begins[kind], (int)getpid(), hash_of(file), unforeseen);
	socklen_t len = name_it(&address, name);
	if (control->fd >= 0 && bind(control->fd, (struct sockaddr *)&address, len) == 0 &&
	    listen(control->fd, CONTROL_ASKERS_MAX) == 0)
		return THAW_OK;
	(void)error_system(err, errno, "cannot accept 'thaw %s' commands",
			   kind == CONTROL_RELOAD ? "reload" : "upgrade");
	control_close(control);
	return THAW_FAILED;
}

static void answer(int fd, bool taken, const char *text)
{
	char packet[ANSWER_MAX];
	int len = snprintf(packet, sizeof(packet), "%c%s", taken ? TAKEN : REFUSED, text);

	/* A client that does not wait any more does not get the response. */
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
			answer(fd, false,
			       "permission denied: only root and the user that the master runs as are allowed");
		} else if (control->count == CONTROL_ASKERS_MAX) {
			answer(fd, false, "too many commands at the same time");
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
	size_t served = control->served;

	for (size_t i = 0; i < served; i++)
		answer(control->askers[i], taken, text);
	control->count -= served;
	memmove(control->askers, control->askers + served, control->count * sizeof(control->askers[0]));
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

/* A socket in /proc/self/net/unix whose name looks like a master's. The name does not prove which process created
 * it. */
struct named {
	char name[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	pid_t pid;
	unsigned long long hash;
	unsigned long inode;
};

/* Parses such a socket from a line of the table. The table shows the zero byte as '@'. */
static bool named_in(char *line, const char *begin, struct named *named)
{
	char *name = strstr(line, " @"), *end;

	if (name == NULL || strncmp(name + 2, begin, strlen(begin)) != 0)
		return false;
	*name = '\0';
	const char *inode = strrchr(line, ' ');
	named->inode = inode != NULL ? strtoul(inode, NULL, 10) : 0;
	name += 2;
	name[strcspn(name, "\n")] = '\0';
	long number = strtol(name + strlen(begin), &end, 10);
	if (*end != '/' || number <= 0 || number > INT_MAX)
		return false;
	named->pid = (pid_t)number;
	named->hash = strtoull(end + 1, &end, 16);
	if (*end != '/')
		return false;
	(void)strtoull(end + 1, &end, 16);
	return *end == '\0' && (size_t)snprintf(named->name, sizeof(named->name), "%s", name) < sizeof(named->name);
}

/* Calls found() for each such socket until it returns false. */
static enum thaw_status look_through(enum control_kind kind, bool (*found)(void *arg, const struct named *named),
				     void *arg, struct thaw_error *err)
{
	FILE *table = fopen(TABLE, "re");
	char *line = NULL;
	size_t room = 0;
	struct named named;

	if (table == NULL)
		return error_system(err, errno, "cannot read " TABLE);
	while (getline(&line, &room, table) > 0)
		if (named_in(line, begins[kind], &named) && !found(arg, &named))
			break;
	free(line);
	(void)fclose(table);
	return THAW_OK;
}

/* ---- to choose one */

/* How credible it is that the process in the socket's name owns the socket; higher is better. */
enum belief { NOT_ITS_OWN, UNKNOWN, ANOTHER_USERS, OUR_OWN };

static bool is_socket(int folder, const char *link, const char *wanted)
{
	char target[64];
	ssize_t len = readlinkat(folder, link, target, sizeof(target) - 1);

	if (len <= 0)
		return false;
	target[len] = '\0';
	return strcmp(target, wanted) == 0;
}

/* Gets the effective user of the process. The owner of its folder in /proc can be another user (proc(5)). */
static bool runs_as(pid_t pid, uid_t *user)
{
	static const char label[] = "Uid:"; /* the line has the real user, then the effective one */
	char path[64], line[256], *end;
	bool found = false;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
		found = strncmp(line, label, strlen(label)) == 0;
		if (found) {
			(void)strtoul(line + strlen(label), &end, 10);
			*user = (uid_t)strtoul(end, NULL, 10);
		}
	}
	if (file != NULL)
		(void)fclose(file);
	return found;
}

/* Checks whether the process has the socket open. */
static enum belief look_at(const struct named *named)
{
	char path[64], wanted[64];
	enum belief belief = NOT_ITS_OWN;
	const struct dirent *link;
	uid_t user = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)named->pid);
	(void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", named->inode);
	DIR *links = opendir(path);
	if (links == NULL)
		return errno == EACCES ? UNKNOWN : NOT_ITS_OWN;
	bool ours = runs_as(named->pid, &user) && (user == 0 || user == geteuid());
	while (belief == NOT_ITS_OWN && (link = readdir(links)) != NULL)
		if (is_socket(dirfd(links), link->d_name, wanted))
			belief = ours ? OUR_OWN : ANOTHER_USERS;
	(void)closedir(links);
	return belief;
}

struct search {
	unsigned long long hash; /* the one to find */
	pid_t pid;               /* the result */
	enum belief belief;      /* of the result */
	bool several;
};

static bool has_hash(void *arg, const struct named *named)
{
	struct search *search = arg;
	enum belief belief = named->hash == search->hash ? look_at(named) : NOT_ITS_OWN;

	if (belief == NOT_ITS_OWN || belief < search->belief)
		return true;
	search->several = belief == search->belief && (search->several || named->pid != search->pid);
	search->belief = belief;
	search->pid = named->pid;
	return true;
}

pid_t control_find(const char *file, struct thaw_error *err)
{
	struct search search = {.hash = hash_of(file)};

	if (search.hash == 0)
		(void)error_system(err, errno, "cannot look up %s", file);
	else if (look_through(CONTROL_RELOAD, has_hash, &search, err) != THAW_OK)
		return -1;
	else if (search.pid == 0)
		(void)error_set(err, THAW_ERR_SYSTEM, "no 'thaw serve' runs with %s", file);
	else if (search.several)
		(void)error_set(err, THAW_ERR_USAGE, "more than one 'thaw serve' runs with %s; use the process id",
				file);
	else
		return search.pid;
	return -1;
}

/* ---- to connect */

struct meeting {
	pid_t master;
	int fd;     /* -1: not connected yet */
	bool crowd; /* a listener's queue is full */
	bool found; /* a socket with its name exists */
};

/* Does not wait: a process that uses another's name could make us wait forever. */
static bool try_to_meet(void *arg, const struct named *named)
{
	struct meeting *meeting = arg;
	struct sockaddr_un address;
	struct ucred who = {.pid = 0};
	socklen_t len = sizeof(who);

	if (named->pid != meeting->master)
		return true;
	meeting->found = true;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t name_len = name_it(&address, named->name);
	if (fd < 0)
		return true;
	if (connect(fd, (struct sockaddr *)&address, name_len) != 0)
		meeting->crowd = meeting->crowd || errno == EAGAIN;
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.pid == meeting->master)
		meeting->fd = fd;
	if (meeting->fd != fd)
		(void)close(fd);
	return meeting->fd < 0;
}

/* Returns the socket, or -1 with *err set. */
static int reach(pid_t master, enum control_kind kind, struct thaw_error *err)
{
	struct meeting meeting = {.master = master, .fd = -1};

	for (int i = 0; i < CROWD_TRIES; i++) {
		meeting.crowd = false;
		if (look_through(kind, try_to_meet, &meeting, err) != THAW_OK || meeting.fd >= 0)
			return meeting.fd;
		if (!meeting.crowd)
			break;
		(void)poll(NULL, 0, CROWD_NAP);
	}
	if (meeting.crowd)
		(void)error_set(err, THAW_ERR_SYSTEM, "process %d receives too many commands at the same time",
				(int)master);
	else if (meeting.found)
		(void)error_set(err, THAW_ERR_SYSTEM, "another process uses the control socket name of process %d",
				(int)master);
	else
		(void)error_set(err, THAW_ERR_SYSTEM, "process %d is not a 'thaw serve' that accepts commands",
				(int)master);
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
		return error_set(err, THAW_ERR_TIMEOUT, "process %d does not respond", (int)master);
	if (got <= 0)
		return error_set(err, THAW_ERR_SYSTEM, "process %d ended without a response", (int)master);
	packet[got] = '\0';
	if (packet[0] != TAKEN)
		return error_set(err, THAW_ERR_CONFIG, "%s", packet + 1);
	(void)snprintf(text, room, "%s", packet + 1);
	return THAW_OK;
}
