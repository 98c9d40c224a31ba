#include "loop/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/error.h"
#include "loop/sandbox_parts.h"

/* Exists only in builds with AddressSanitizer, which maps memory, and searches for leaks in a separate process. */
extern void __asan_init(void) __attribute__((weak)); /* NOLINT: its name */

static enum thaw_status forbid_new_privileges(struct thaw_error *err)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
		       ? THAW_OK
		       : error_system(err, errno, "cannot enter the sandbox (no_new_privs)");
}

enum thaw_status sandbox_enter(const struct config *config, char missing[static SANDBOX_MISSING],
			       struct thaw_error *err)
{
	bool files = false, calls = false;

	missing[0] = '\0';
	if (!config->sandbox)
		return THAW_OK;
	if (__asan_init != NULL) {
		(void)snprintf(missing, SANDBOX_MISSING, "Landlock and seccomp (under a sanitizer)");
		return THAW_OK;
	}
	if (forbid_new_privileges(err) != THAW_OK)
		return THAW_FAILED;
	tzset(); /* libc reads the time zone file now, because it cannot later */
	/* In this order, because the second forbids system calls that the first needs. */
	if (sandbox_files(config, &files, err) != THAW_OK || sandbox_calls(&calls, err) != THAW_OK)
		return THAW_FAILED;
	(void)snprintf(missing, SANDBOX_MISSING, "%s%s%s", files ? "" : "Landlock", files || calls ? "" : " and ",
		       calls ? "" : "seccomp");
	return THAW_OK;
}

enum thaw_status sandbox_enter_signer(const struct config *config, struct thaw_error *err)
{
	bool can = false;

	if (!config->sandbox || __asan_init != NULL)
		return THAW_OK;
	if (forbid_new_privileges(err) != THAW_OK)
		return THAW_FAILED;
	return sandbox_few_calls(&can, err); /* if it cannot, the first worker says so */
}
