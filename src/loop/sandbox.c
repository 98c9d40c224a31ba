#include "loop/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/error.h"
#include "loop/sandbox_parts.h"

/* Exists only in builds with AddressSanitizer, which maps memory, and searches for leaks in a separate process. */
extern void __asan_init(void) __attribute__((weak)); /* NOLINT: its name */

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
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_system(err, errno, "cannot enter the sandbox (no_new_privs)");
	tzset(); /* libc reads the time zone file now, because it cannot later */
	/* In this order, because the second forbids system calls that the first needs. */
	if (sandbox_files(config, &files, err) != THAW_OK || sandbox_calls(&calls, err) != THAW_OK)
		return THAW_FAILED;
	(void)snprintf(missing, SANDBOX_MISSING, "%s%s%s", files ? "" : "Landlock", files || calls ? "" : " and ",
		       calls ? "" : "seccomp");
	return THAW_OK;
}
