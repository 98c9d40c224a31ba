/* What a process in the sandbox can no longer do, and what a worker must still be able to. Each case is a process of
 * its own, for nothing leads out of the sandbox. */
#include <ares.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/socket.h"
#include "loop/sandbox.h"
#include "spool/file.h"
#include "tls/seal.h"

#define LIMIT_S  60       /* of a case's process */
#define BIG      20000000 /* a spool file that is closed in a thread of its own */
#define BAD_EXIT 3
#define NO_ENTRY 4

/* In a case's process: says where, and ends it. */
#define CHECK(condition)                                                                                        \
	do {                                                                                                    \
		if (!(condition)) {                                                                             \
			(void)fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
			_exit(BAD_EXIT);                                                                        \
		}                                                                                               \
	} while (0)

static char folder[] = "/tmp/thaw-unit-sandbox-XXXXXX", spool[64], outside[64];
static char missing[SANDBOX_MISSING]; /* what this system cannot do */
static int landlock_version;
static int listener, other_listener, unix_listener; /* made before the sandbox */
static char unix_path[64];
static struct config_server servers[2];
static struct config_upstream upstream = {.servers = servers, .server_count = 2};
static struct config config = {.sandbox = true, .upstreams = &upstream, .upstream_count = 1};

static int set_up(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(spool, sizeof(spool), "%s/spool", folder);
	(void)snprintf(outside, sizeof(outside), "%s/outside", folder);
	(void)snprintf(unix_path, sizeof(unix_path), "%s/socket", folder);
	listener = socket_listen("127.0.0.1", 0, &err);
	other_listener = socket_listen("127.0.0.1", 0, &err);
	unix_listener = socket_listen_unix(unix_path, &err);
	if (mkdir(spool, 0700) != 0 || listener < 0 || other_listener < 0 || unix_listener < 0)
		return -1;
	config.spool.disk = 1;
	config.spool.directory = spool;
	servers[0] = (struct config_server){.host = (char *)"127.0.0.1", .port = socket_port(listener)};
	servers[1] = (struct config_server){.path = unix_path};
	landlock_version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)close(listener);
	(void)close(other_listener);
	(void)close(unix_listener);
	(void)unlink(unix_path);
	(void)unlink(outside);
	(void)rmdir(spool);
	return rmdir(folder);
}

/* How a process ended that entered the sandbox and then did this: as waitpid(2) tells. */
static int inside(const struct config *by, void (*act)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct thaw_error err = {0};
		char lacks[SANDBOX_MISSING];
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_DUMPABLE, 0); /* no core file of those that are killed */
		(void)alarm(LIMIT_S);
		if (sandbox_enter(by, lacks, &err) != THAW_OK) {
			(void)fprintf(stderr, "%s\n", err.text);
			_exit(NO_ENTRY);
		}
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_well(const struct config *by, void (*act)(void))
{
	int status = inside(by, act);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool has(const char *what)
{
	return strstr(missing, what) == NULL;
}

#define NEEDS(what)             \
	do {                    \
		if (!has(what)) \
			skip(); \
	} while (0)

/* ---- entering ---- */

/* Before all others: tells them what to skip. */
static void missing_features_are_reported(void **state)
{
	int ends[2], status;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct thaw_error err = {0};
		char lacks[SANDBOX_MISSING];
		memset(lacks, 'x', sizeof(lacks));
		enum thaw_status entered = sandbox_enter(&config, lacks, &err);
		if (write(ends[1], lacks, sizeof(lacks)) != sizeof(lacks))
			_exit(BAD_EXIT);
		_exit(entered == THAW_OK ? 0 : NO_ENTRY);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(read(ends[0], missing, sizeof(missing)), sizeof(missing));
	(void)close(ends[0]);
	(void)close(ends[1]);
	assert_non_null(memchr(missing, '\0', sizeof(missing)));
	if (missing[0] != '\0')
		print_message("missing: %s\n", missing);
	if (has("sanitizer"))
		assert_int_equal(has("Landlock"), landlock_version >= 1);
}

static void free_act(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
	int fd = open("/etc/passwd", O_RDONLY);
	CHECK(fd >= 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

static void off_does_nothing(void **state)
{
	struct config off = config;

	(void)state;
	off.sandbox = false;
	assert_well(&off, free_act);
}

static void no_privileges_act(void)
{
	CHECK(prctl(PR_SET_NAME, "thaw-test") == 0);
	char name[16] = {0};
	CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "thaw-test") == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == -1 && errno == ENOSYS);
	FILE *status = fopen("/proc/self/status", "r");
	CHECK(status == NULL || !has("Landlock"));
}

static void no_new_privileges(void **state)
{
	(void)state;
	NEEDS("seccomp");
	assert_well(&config, no_privileges_act);
}

static void a_spool_that_is_not_there_is_an_error(void **state)
{
	struct config wrong = config;
	char lacks[SANDBOX_MISSING];

	(void)state;
	NEEDS("Landlock");
	wrong.spool.directory = outside;
	int status = 0;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct thaw_error err = {0};
		bool thread_pipe = sandbox_enter(&wrong, lacks, &err) == THAW_FAILED && err.cls == THAW_ERR_SYSTEM &&
				   strstr(err.text, outside) != NULL && strstr(err.text, strerror(ENOENT)) != NULL;
		_exit(thread_pipe ? 0 : BAD_EXIT);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- what ends it ---- */

static void do_execve(void)
{
	char *const arguments[] = {(char *)"/bin/true", NULL};

	(void)execve(arguments[0], arguments, arguments + 1);
}

static void do_execveat(void)
{
	char *const arguments[] = {(char *)"/bin/true", NULL};

	(void)syscall(SYS_execveat, AT_FDCWD, arguments[0], arguments, arguments + 1, 0);
}

static void do_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void do_clone(void)
{
	(void)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void do_ptrace(void)
{
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void do_mount(void)
{
	(void)syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}

static void do_unshare(void)
{
	(void)unshare(CLONE_NEWUSER);
}

static void do_bpf(void)
{
	(void)syscall(SYS_bpf, 0, NULL, 0);
}

static void do_keyctl(void)
{
	(void)syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static void do_module(void)
{
	(void)syscall(SYS_finit_module, -1, "", 0);
}

static void do_other_memory(void)
{
	(void)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static void do_setuid(void)
{
	(void)syscall(SYS_setuid, 0);
}

static void do_chroot(void)
{
	(void)!chroot("/");
}

static void do_perf(void)
{
	(void)syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static void do_userfaultfd(void)
{
	(void)syscall(SYS_userfaultfd, 0);
}

static void do_handle(void)
{
	(void)syscall(SYS_open_by_handle_at, -1, NULL, 0);
}

static void what_no_worker_does_ends_it(void **state)
{
	static void (*const acts[])(void) = {
		do_execve, do_execveat, do_fork,         do_clone,  do_ptrace, do_mount, do_unshare,     do_bpf,
		do_keyctl, do_module,   do_other_memory, do_setuid, do_chroot, do_perf,  do_userfaultfd, do_handle,
	};

	(void)state;
	NEEDS("seccomp");
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		int status = inside(&config, acts[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static void do_abort(void)
{
	abort();
}

static void an_abort_is_one(void **state)
{
	int status = inside(&config, do_abort);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- what is answered ---- */

static void unknown_act(void)
{
	static const long unknown[] = {1000,         SYS_io_uring_setup, SYS_clone3,       SYS_memfd_create,
				       SYS_fchmodat, SYS_renameat2,      SYS_mkdirat,      SYS_symlinkat,
				       SYS_seccomp,  SYS_inotify_init1,  SYS_pidfd_open,   SYS_fanotify_init,
				       SYS_mq_open,  SYS_shmget,         SYS_tkill,        SYS_rt_sigqueueinfo,
				       SYS_bind,     SYS_listen,         SYS_memfd_secret, SYS_pkey_mprotect};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		CHECK(syscall(unknown[i], 0, 0, 0, 0, 0, 0) == -1 && errno == ENOSYS);
	CHECK(kill(getppid(), 0) == -1 && errno == ENOSYS);
	CHECK(syscall(SYS_tgkill, getppid(), getppid(), 0) == -1 && errno == ENOSYS);
	CHECK(raise(0) == 0);
	struct rlimit files;
	CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
	CHECK(prlimit(getppid(), RLIMIT_NOFILE, NULL, &files) == -1 && errno == ENOSYS);
}

static void unknown_calls_are_not_there(void **state)
{
	(void)state;
	NEEDS("seccomp");
	assert_well(&config, unknown_act);
}

static void memory_act(void)
{
	size_t size = 1 << 16;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	memset(memory, 1, size);
	CHECK(mprotect(memory, size, PROT_READ | PROT_EXEC) == -1 && errno == EACCES);
	CHECK(mprotect(memory, size, PROT_READ) == 0);
	CHECK(madvise(memory, size, MADV_DONTNEED) == 0 && munmap(memory, size) == 0);
	CHECK(mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK(errno == EACCES);
	void *blocks[64];
	for (size_t i = 0; i < 64; i++)
		CHECK((blocks[i] = calloc(1, (size_t)1 << (i % 24))) != NULL);
	for (size_t i = 0; i < 64; i++)
		free(blocks[i]);
}

static void no_memory_is_made_code(void **state)
{
	(void)state;
	NEEDS("seccomp");
	assert_well(&config, memory_act);
}

/* ---- files ---- */

static void outside_act(void)
{
	CHECK(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
	CHECK(open("/proc/self/mem", O_RDWR) == -1 && errno == EACCES);
	CHECK(open("/", O_RDONLY | O_DIRECTORY) == -1 && errno == EACCES);
	CHECK(open(spool, O_RDONLY | O_DIRECTORY) == -1 && errno == EACCES);
	CHECK(open(outside, O_WRONLY | O_CREAT, 0600) == -1 && errno == EACCES);
	CHECK(open(folder, O_TMPFILE | O_RDWR, 0600) == -1 && errno == EACCES);
	CHECK(open("/etc/hosts", O_RDWR) == -1);
	CHECK(unlink(unix_path) == -1 && (errno == EACCES || errno == EPERM));
}

static void no_files_outside(void **state)
{
	(void)state;
	NEEDS("Landlock");
	assert_well(&config, outside_act);
	assert_int_equal(access(unix_path, F_OK), 0);
}

static void names_act(void)
{
	static const char *const files[] = {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"};
	char byte;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i], O_RDONLY);
		CHECK(fd >= 0 ? read(fd, &byte, 1) >= 0 : errno == ENOENT);
	}
}

static void files_of_names_can_be_read(void **state)
{
	(void)state;
	assert_well(&config, names_act);
}

static void write_and_read(int fd)
{
	char block[4096], again[4096];

	memset(block, 'x', sizeof(block));
	for (off_t at = 0; at < BIG; at += (off_t)sizeof(block))
		CHECK(spool_file_write_all(&spool_file_system, fd, block, sizeof(block), at) == 0);
	CHECK(spool_file_read_all(&spool_file_system, fd, again, sizeof(again), BIG / 4096 / 2 * 4096) == 0);
	CHECK(memcmp(block, again, sizeof(block)) == 0);
	CHECK(spool_file_system.punch(fd, 0, 8192) == 0 || errno == EOPNOTSUPP);
}

static void spool_act(void)
{
	int fd = spool_file_system.open(spool);

	CHECK(fd >= 0);
	write_and_read(fd);
	CHECK(spool_file_system.close(fd) == 0); /* in a thread */
	fd = spool_file_open_and_unlink(spool);
	CHECK(fd >= 0);
	write_and_read(fd);
	CHECK(close(fd) == 0);
}

static void the_spool_works(void **state)
{
	(void)state;
	assert_well(&config, spool_act);
	assert_int_equal(rmdir(spool), 0); /* nothing was left in it */
	assert_int_equal(mkdir(spool, 0700), 0);
}

static void no_spool_act(void)
{
	CHECK(spool_file_system.open(spool) == -1 && errno == EACCES);
	CHECK(spool_file_open_and_unlink(spool) == -1 && errno == EACCES);
}

static void without_a_disk_there_is_no_folder(void **state)
{
	struct config memory_only = config;

	(void)state;
	NEEDS("Landlock");
	memory_only.spool.disk = 0;
	assert_well(&memory_only, no_spool_act);
}

static int early = -1;

static void early_act(void)
{
	char text[8];

	CHECK(write(early, "before", 6) == 6 && pread(early, text, sizeof(text), 0) == 6);
	CHECK(memcmp(text, "before", 6) == 0);
}

static void what_was_open_stays_good(void **state)
{
	(void)state;
	early = open(outside, O_RDWR | O_CREAT | O_APPEND, 0600);
	assert_true(early >= 0);
	assert_well(&config, early_act);
	(void)close(early);
}

/* ---- sockets ---- */

static void exchange(int near, int far)
{
	char byte = 0;

	CHECK(near >= 0 && far >= 0);
	CHECK(send(near, "x", 1, MSG_NOSIGNAL) == 1);
	CHECK(fcntl(far, F_SETFL, 0) == 0 && recv(far, &byte, 1, 0) == 1 && byte == 'x');
	CHECK(shutdown(near, SHUT_WR) == 0 && recv(far, &byte, 1, 0) == 0);
	(void)close(near);
	(void)close(far);
}

static int accept_waiting(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	CHECK(select(fd + 1, &set, NULL, NULL, NULL) == 1);
	return socket_accept(fd, NULL);
}

static void sockets_act(void)
{
	struct thaw_error err = {0};
	struct sockaddr_storage to;
	int near = socket_connect("127.0.0.1", socket_port(listener), &err);

	exchange(near, accept_waiting(listener));
	CHECK(socket_address_unix(&to, unix_path, &err));
	near = socket_connect_address(&to);
	exchange(near, accept_waiting(unix_listener));
}

static void upstreams_and_clients_are_reached(void **state)
{
	(void)state;
	assert_well(&config, sockets_act);
}

static void other_port_act(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(socket_port(other_listener)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1 && errno == EACCES);
}

static void other_ports_are_not(void **state)
{
	(void)state;
	NEEDS("Landlock");
	if (landlock_version < 4)
		skip();
	assert_well(&config, other_port_act);
}

static void families_act(void)
{
	static const int families[] = {AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		CHECK(socket(families[i], SOCK_RAW, 0) == -1 && errno == EAFNOSUPPORT);
	CHECK(socket(AF_INET6, SOCK_DGRAM, 0) >= 0 || errno == EAFNOSUPPORT);
}

static void other_families_are_not_there(void **state)
{
	(void)state;
	NEEDS("seccomp");
	assert_well(&config, families_act);
}

/* ---- what libraries need ---- */

static int thread_pipe[2];

static void *write_to_pipe(void *arg)
{
	(void)arg;
	CHECK(write(thread_pipe[1], "t", 1) == 1);
	return NULL;
}

static void thread_act(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	char byte;

	CHECK(pipe(thread_pipe) == 0 && pthread_attr_init(&attr) == 0);
	CHECK(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
	for (int i = 0; i < 8; i++) {
		CHECK(pthread_create(&thread, &attr, write_to_pipe, NULL) == 0);
		CHECK(read(thread_pipe[0], &byte, 1) == 1 && byte == 't');
	}
}

static void threads_can_be_made(void **state)
{
	(void)state;
	assert_well(&config, thread_act);
}

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)events;
	*(int *)signal->data = 1;
	ev_break(loop, EVBREAK_ALL);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	CHECK(raise(SIGTERM) == 0);
}

static void loop_act(void)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	ev_timer timer;
	ev_signal term;
	int came = 0;

	CHECK(loop != NULL);
	ev_timer_init(&timer, on_timer, 0.001, 0.);
	ev_signal_init(&term, on_term, SIGTERM);
	term.data = &came;
	ev_timer_start(loop, &timer);
	ev_signal_start(loop, &term);
	(void)ev_run(loop, 0);
	CHECK(came == 1);
	ev_loop_destroy(loop);
}

static void an_event_loop_runs(void **state)
{
	(void)state;
	assert_well(&config, loop_act);
}

static void seal_act(void)
{
	struct thaw_error err = {0};
	struct cipher cipher;
	uint8_t nonce[CIPHER_NONCE] = {1};
	char sealed[5 + CIPHER_TAG], plain[5];

	CHECK(tls_seal_new(&cipher, &err) == THAW_OK);
	CHECK(cipher.ops->seal(cipher.key, nonce, "plain", 5, sealed));
	CHECK(cipher.ops->open(cipher.key, nonce, sealed, 5, plain) && memcmp(plain, "plain", 5) == 0);
	cipher.ops->free(cipher.key);
}

static void keys_can_be_made(void **state)
{
	(void)state;
	assert_well(&config, seal_act);
}

/* A name server of its own in the same process; answers any question about an IPv4 address with 192.0.2.7. */
static int name_server;

static void answer(void)
{
	static const unsigned char record[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7};
	unsigned char packet[512];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len =
		recvfrom(name_server, packet, sizeof(packet) - sizeof(record), 0, (struct sockaddr *)&from, &from_len);

	CHECK(len > 12);
	size_t end = 12; /* of the question: labels, type, class */
	while (end < (size_t)len && packet[end] != 0)
		end += packet[end] + 1U;
	end += 5;
	CHECK(end <= (size_t)len);
	packet[2] = 0x81;
	packet[3] = 0x80;
	memset(packet + 6, 0, 6);
	packet[7] = 1; /* one answer, and no EDNS record */
	memcpy(packet + end, record, sizeof(record));
	CHECK(sendto(name_server, packet, end + sizeof(record), 0, (struct sockaddr *)&from, from_len) > 0);
}

static void on_found(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	(void)timeouts;
	CHECK(status == ARES_SUCCESS && result->nodes != NULL && result->nodes->ai_family == AF_INET);
	const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)result->nodes->ai_addr;
	CHECK(memcmp(&address->sin_addr, "\xC0\x00\x02\x07", 4) == 0);
	ares_freeaddrinfo(result);
	*(bool *)arg = true;
}

static ares_channel channel;                 /* made before the sandbox, as a worker does */
static struct pollfd looked_up = {.fd = -1}; /* the one socket that it has */

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	(void)arg;
	if (readable || writable)
		looked_up = (struct pollfd){.fd = fd,
					    .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0))};
	else if (looked_up.fd == fd)
		looked_up.fd = -1;
}

static void ares_act(void)
{
	const struct ares_addrinfo_hints hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	bool found = false;

	ares_getaddrinfo(channel, "app.example", NULL, &hints, on_found, &found);
	while (!found) {
		struct timeval longest = {1, 0}, room;
		const struct timeval *left = ares_timeout(channel, &longest, &room);
		struct pollfd both[] = {{.fd = name_server, .events = POLLIN}, looked_up};
		CHECK(poll(both, 2, (int)(left->tv_sec * 1000 + left->tv_usec / 1000)) >= 0);
		if ((both[0].revents & POLLIN) != 0)
			answer();
		ares_process_fd(channel, (both[1].revents & POLLIN) != 0 ? both[1].fd : ARES_SOCKET_BAD,
				(both[1].revents & POLLOUT) != 0 ? both[1].fd : ARES_SOCKET_BAD);
	}
}

static void names_can_be_looked_up(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	struct config named = config;
	char server[32];

	(void)state;
	name_server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(name_server, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(name_server, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(server, sizeof(server), "127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(ares_library_init(ARES_LIB_INIT_ALL), ARES_SUCCESS);
	struct ares_options options = {.sock_state_cb = on_socket};
	assert_int_equal(ares_init_options(&channel, &options, ARES_OPT_SOCK_STATE_CB), ARES_SUCCESS);
	assert_int_equal(ares_set_servers_ports_csv(channel, server), ARES_SUCCESS);
	struct config_server by_name[] = {{.host = (char *)"app.example", .port = 80, .named = true}};
	struct config_upstream one = {.servers = by_name, .server_count = 1};
	named.upstreams = &one;
	assert_well(&named, ares_act);
	ares_destroy(channel);
	ares_library_cleanup();
	(void)close(name_server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_features_are_reported),
		cmocka_unit_test(off_does_nothing),
		cmocka_unit_test(no_new_privileges),
		cmocka_unit_test(a_spool_that_is_not_there_is_an_error),
		cmocka_unit_test(what_no_worker_does_ends_it),
		cmocka_unit_test(an_abort_is_one),
		cmocka_unit_test(unknown_calls_are_not_there),
		cmocka_unit_test(no_memory_is_made_code),
		cmocka_unit_test(no_files_outside),
		cmocka_unit_test(files_of_names_can_be_read),
		cmocka_unit_test(the_spool_works),
		cmocka_unit_test(without_a_disk_there_is_no_folder),
		cmocka_unit_test(what_was_open_stays_good),
		cmocka_unit_test(upstreams_and_clients_are_reached),
		cmocka_unit_test(other_ports_are_not),
		cmocka_unit_test(other_families_are_not_there),
		cmocka_unit_test(threads_can_be_made),
		cmocka_unit_test(an_event_loop_runs),
		cmocka_unit_test(keys_can_be_made),
		cmocka_unit_test(names_can_be_looked_up),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
