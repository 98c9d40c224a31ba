/*
 * The system calls of a worker. By name and not by number, because architectures have different ones. A name that this
 * architecture or this libseccomp does not know is skipped.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "loop/sandbox_parts.h"

#define API_KILLS_PROCESS 3 /* API level of libseccomp; since Linux 4.14 */

#define NAME_ROOM 32 /* bytes for the name of a system call */

#define CLONE_NEW_ANY \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const char allowed[] =
	/* sockets, pipes, files that are open */
	"read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 recv send recvfrom "
	"sendto recvmsg sendmsg recvmmsg recvmmsg_time64 sendmmsg accept accept4 connect shutdown "
	"getsockname getpeername getsockopt setsockopt socketpair pipe pipe2 eventfd eventfd2 dup dup2 "
	"dup3 close close_range fcntl fcntl64 lseek _llseek fallocate ftruncate ftruncate64 fdatasync "
	"sendfile sendfile64 splice "
	/* files; Landlock limits which ones */
	"open openat fstat fstat64 fstatat64 newfstatat stat stat64 lstat lstat64 statx fstatfs "
	"fstatfs64 access faccessat faccessat2 readlink readlinkat unlink unlinkat getcwd "
	/* waiting, time */
	"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait "
	"epoll_pwait2 poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 timerfd_create "
	"timerfd_settime timerfd_settime64 timerfd_gettime timerfd_gettime64 signalfd signalfd4 "
	"nanosleep clock_nanosleep clock_nanosleep_time64 clock_gettime clock_gettime64 clock_getres "
	"clock_getres_time64 gettimeofday time times getitimer setitimer "
	/* memory; mmap and mprotect are below */
	"brk munmap mremap madvise msync mlock munlock mincore membarrier "
	/* threads, signals to itself */
	"futex futex_time64 futex_waitv set_robust_list get_robust_list rseq set_tid_address "
	"set_thread_area get_thread_area arch_prctl sched_yield sched_getaffinity getcpu rt_sigaction "
	"rt_sigprocmask rt_sigreturn rt_sigpending sigaction sigprocmask sigreturn sigaltstack "
	"restart_syscall pause exit exit_group "
	/* information about itself */
	"gettid getpid getppid getpgrp getuid getuid32 geteuid geteuid32 getgid getgid32 getegid "
	"getegid32 uname sysinfo getrusage getrlimit ugetrlimit getrandom ";

/* No worker calls these, with any version of any library. A process that does is compromised. */
static const char deadly[] =
	"execve execveat fork vfork ptrace process_vm_readv process_vm_writev "
	"pidfd_getfd kcmp setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 "
	"setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups "
	"setgroups32 capset personality mount umount umount2 pivot_root chroot move_mount open_tree "
	"fsopen fsconfig fsmount fspick mount_setattr unshare setns init_module finit_module "
	"delete_module create_module kexec_load kexec_file_load bpf perf_event_open userfaultfd add_key "
	"request_key keyctl open_by_handle_at name_to_handle_at reboot swapon swapoff acct quotactl "
	"quotactl_fd nfsservctl syslog lookup_dcookie settimeofday clock_settime clock_settime64 stime "
	"adjtimex clock_adjtime clock_adjtime64 sethostname setdomainname iopl ioperm modify_ldt vm86 "
	"vm86old uselib vhangup ";

/* Besides these the signer does not need: the calls of io_uring, which are not filtered by what they do. */
static const char of_kernel[] = "io_uring_setup io_uring_enter io_uring_register ";

/* Calls that are allowed, or fail with an errno, depending on an argument. */
struct rule {
	const char *name;
	unsigned argument;
	enum scmp_compare compare;
	uint64_t a, b; /* see struct scmp_arg_cmp */
	int refusal;   /* errno; 0: the call is allowed */
};

static const struct rule rules[] = {
	/* no executable memory */
	{"mmap", 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0, 0},
	{"mmap", 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC, EACCES},
	{"mmap2", 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0, 0},
	{"mmap2", 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC, EACCES},
	{"mprotect", 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0, 0},
	{"mprotect", 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC, EACCES},
	/* upstreams and name servers */
	{"socket", 0, SCMP_CMP_EQ, AF_UNIX, 0, 0},
	{"socket", 0, SCMP_CMP_EQ, AF_INET, 0, 0},
	{"socket", 0, SCMP_CMP_EQ, AF_INET6, 0, 0},
	{"socket", 0, SCMP_CMP_GT, AF_INET6, 0, EAFNOSUPPORT},
	/* for sockets and terminals; not TIOCSTI, which could type commands */
	{"ioctl", 1, SCMP_CMP_EQ, FIONREAD, 0, 0},
	{"ioctl", 1, SCMP_CMP_EQ, FIONBIO, 0, 0},
	{"ioctl", 1, SCMP_CMP_EQ, TCGETS, 0, 0},
	{"prctl", 0, SCMP_CMP_EQ, PR_SET_NAME, 0, 0},
	{"prctl", 0, SCMP_CMP_EQ, PR_GET_NAME, 0, 0},
	{"prctl", 0, SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0, 0},
	{"prlimit64", 0, SCMP_CMP_EQ, 0, 0, 0}, /* of this process only */
};

/* Returns the number of the call on this architecture; -1: it has none. */
static int number_of(const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	return number >= 0 ? number : -1;
}

/* names: each one is followed by a space. Returns 0 or a negative errno, as libseccomp does. */
static int add_names(scmp_filter_ctx filter, const char *names, uint32_t action)
{
	char name[NAME_ROOM];
	int failed = 0;

	for (size_t len = 0; failed == 0 && *names != '\0'; names += len + 1) {
		len = strcspn(names, " ");
		if (len >= sizeof(name))
			return -ENAMETOOLONG;
		memcpy(name, names, len);
		name[len] = '\0';
		if (number_of(name) >= 0)
			failed = seccomp_rule_add(filter, action, number_of(name), 0);
	}
	return failed;
}

static int add_rules(scmp_filter_ctx filter)
{
	int failed = 0;

	for (size_t i = 0; failed == 0 && i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *rule = &rules[i];
		uint32_t action = rule->refusal == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)rule->refusal);
		struct scmp_arg_cmp when = {rule->argument, rule->compare, rule->a, rule->b};
		if (number_of(rule->name) >= 0)
			failed = seccomp_rule_add_array(filter, action, number_of(rule->name), 1, &when);
	}
	return failed;
}

/*
 * A worker may create threads, but not processes. clone3 has its flags in memory, where a filter cannot check them, so
 * it fails with ENOSYS, and libc uses clone instead. tgkill is allowed for the process itself, because abort() needs
 * it.
 */
static int add_own(scmp_filter_ctx filter)
{
	unsigned flags = seccomp_arch_native() == SCMP_ARCH_S390X ? 1 : 0;
	uint64_t looked_at = CLONE_THREAD | CLONE_VM | CLONE_NEW_ANY;
	struct scmp_arg_cmp thread = {flags, SCMP_CMP_MASKED_EQ, looked_at, CLONE_THREAD | CLONE_VM};
	struct scmp_arg_cmp process = {flags, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0};
	struct scmp_arg_cmp itself = {0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0};
	int failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread);

	if (failed == 0)
		failed = seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1, &process);
	if (failed == 0)
		failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &itself);
	return failed;
}

/*
 * The filter is a binary tree, not a list (CTL_OPTIMIZE 2). A worker runs no foreign code, so it does not need the
 * mitigation of speculative store bypass, which makes a process slower (CTL_SSB 1).
 */
static int set_up(scmp_filter_ctx filter)
{
	static const struct {
		enum scmp_filter_attr what;
		uint32_t value;
	} attributes[] = {
		{SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS},
		{SCMP_FLTATR_CTL_TSYNC, 1},
		{SCMP_FLTATR_CTL_OPTIMIZE, 2},
	};
	int failed = 0;

	for (size_t i = 0; failed == 0 && i < sizeof(attributes) / sizeof(attributes[0]); i++)
		failed = seccomp_attr_set(filter, attributes[i].what, attributes[i].value);
	return failed;
}

static int make_for_worker(scmp_filter_ctx filter)
{
	int failed = set_up(filter);

	if (failed == 0)
		failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	if (failed == 0)
		failed = add_names(filter, allowed, SCMP_ACT_ALLOW);
	if (failed == 0)
		failed = add_names(filter, deadly, SCMP_ACT_KILL_PROCESS);
	if (failed == 0)
		failed = add_rules(filter);
	return failed == 0 ? add_own(filter) : failed;
}

/* clone3 as in add_own(). A module may create threads. */
static int make_for_signer(scmp_filter_ctx filter)
{
	unsigned flags = seccomp_arch_native() == SCMP_ARCH_S390X ? 1 : 0;
	struct scmp_arg_cmp process = {flags, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0};
	struct scmp_arg_cmp types = {1, SCMP_CMP_EQ, TIOCSTI, 0};
	uint32_t refused = SCMP_ACT_ERRNO(EPERM);
	int failed = set_up(filter);

	if (failed == 0)
		failed = add_names(filter, deadly, refused);
	if (failed == 0)
		failed = add_names(filter, of_kernel, refused);
	if (failed == 0)
		failed = add_names(filter, "clone3 ", SCMP_ACT_ERRNO(ENOSYS));
	if (failed == 0)
		failed = seccomp_rule_add_array(filter, refused, SCMP_SYS(clone), 1, &process);
	return failed == 0 ? seccomp_rule_add_array(filter, refused, SCMP_SYS(ioctl), 1, &types) : failed;
}

static enum thaw_status enter(uint32_t otherwise, int (*make)(scmp_filter_ctx filter), bool *can,
			      struct thaw_error *err)
{
	*can = seccomp_api_get() >= API_KILLS_PROCESS;
	if (!*can)
		return THAW_OK;
	scmp_filter_ctx filter = seccomp_init(otherwise);
	if (filter == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	int failed = make(filter);
	if (failed == 0)
		failed = seccomp_load(filter);
	seccomp_release(filter);
	return failed == 0 ? THAW_OK : error_system(err, -failed, "cannot enter the sandbox (seccomp)");
}

enum thaw_status sandbox_calls(bool *can, struct thaw_error *err)
{
	return enter(SCMP_ACT_ERRNO(ENOSYS), make_for_worker, can, err);
}

enum thaw_status sandbox_few_calls(bool *can, struct thaw_error *err)
{
	return enter(SCMP_ACT_ALLOW, make_for_signer, can, err);
}
