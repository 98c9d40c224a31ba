/*
 * A PKCS #11 module for tests: SoftHSM, but C_Sign takes THAW_TEST_SIGN_MS, takes as long as the file
 * THAW_TEST_SIGN_HOLD exists, or returns THAW_TEST_SIGN_RV. Each call is a byte in the file THAW_TEST_SIGN_LOG.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST list;
static CK_C_Sign sign;

static CK_RV slow_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len, CK_BYTE *signature, CK_ULONG *room)
{
	const char *ms = getenv("THAW_TEST_SIGN_MS"), *rv = getenv("THAW_TEST_SIGN_RV");
	const char *hold = getenv("THAW_TEST_SIGN_HOLD");
	const struct timespec moment = {.tv_nsec = 1000000};
	long wait = ms != NULL ? strtol(ms, NULL, 10) : 0;
	const struct timespec time = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};
	int log = open(getenv("THAW_TEST_SIGN_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (log >= 0) {
		(void)!write(log, "s", 1);
		(void)close(log);
	}
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
