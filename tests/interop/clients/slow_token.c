/*
 * A PKCS #11 module for tests: SoftHSM, but C_Sign takes THAW_TEST_SIGN_MS, takes as long as the file
 * THAW_TEST_SIGN_HOLD exists, or returns THAW_TEST_SIGN_RV. Each call is a byte in the file THAW_TEST_SIGN_LOG. The
 * errno of what a module may try is written to the file THAW_TEST_SIGN_TRIES.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST list;
static CK_C_Sign sign;

static void *nothing(void *arg)
{
	return arg;
}

static int or_errno(int result)
{
	return result < 0 ? errno : 0;
}

static void try_calls(const char *file)
{
	FILE *out = fopen(file, "w");
	char *const argv[] = {"true", NULL};
	pthread_t thread;
	int started = pthread_create(&thread, NULL, nothing, NULL);
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
	if (started == 0)
		(void)pthread_join(thread, NULL);
	if (out == NULL)
		return;
	(void)fprintf(out, "thread %d\nfork %d\n", started, or_errno(child));
	(void)fprintf(out, "socket %d\n", or_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
	(void)fprintf(out, "ptrace %d\n", or_errno((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL)));
	(void)fprintf(out, "mount %d\n", or_errno(mount("none", "/nonexistent", "tmpfs", 0, NULL)));
	(void)fflush(out);
	(void)fprintf(out, "execve %d\n", or_errno(execve("/nonexistent", argv, argv)));
	(void)fclose(out);
}

static CK_RV slow_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len, CK_BYTE *signature, CK_ULONG *room)
{
	const char *ms = getenv("THAW_TEST_SIGN_MS"), *rv = getenv("THAW_TEST_SIGN_RV");
	const char *hold = getenv("THAW_TEST_SIGN_HOLD"), *tries = getenv("THAW_TEST_SIGN_TRIES");
	const struct timespec moment = {.tv_nsec = 1000000};
	long wait = ms != NULL ? strtol(ms, NULL, 10) : 0;
	const struct timespec time = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};
	int log = open(getenv("THAW_TEST_SIGN_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (log >= 0) {
		(void)!write(log, "s", 1);
		(void)close(log);
	}
	if (tries != NULL)
		try_calls(tries);
	(void)nanosleep(&time, NULL);
	while (hold != NULL && access(hold, F_OK) == 0)
		(void)nanosleep(&moment, NULL);
	CK_RV made = sign(session, data, len, signature, room); /* which ends the operation, as a refusal does */
	return rv != NULL ? strtoul(rv, NULL, 0) : made;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **functions)
{
	void *module = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW);
	CK_C_GetFunctionList get = NULL;
	void *symbol = module != NULL ? dlsym(module, "C_GetFunctionList") : NULL;
	CK_FUNCTION_LIST *real = NULL;

	memcpy(&get, &symbol, sizeof(get));
	if (get == NULL || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	list = *real;
	sign = list.C_Sign;
	list.C_Sign = slow_sign;
	*functions = &list;
	return CKR_OK;
}
