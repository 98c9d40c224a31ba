/* The two parts of the sandbox. Both need no_new_privs, and cannot be undone. */
#ifndef LOOP_SANDBOX_PARTS_H
#define LOOP_SANDBOX_PARTS_H

#include "config/config.h"

/* *can: this system supports it. If *can is false, nothing was done, and the result is THAW_OK. */
enum thaw_status sandbox_files(const struct config *config, bool *can, struct thaw_error *err) THAW_MUST_CHECK;
enum thaw_status sandbox_calls(bool *can, struct thaw_error *err) THAW_MUST_CHECK;

/* Everything is allowed except the calls that kill a worker, and some more, which fail with EPERM. */
enum thaw_status sandbox_few_calls(bool *can, struct thaw_error *err) THAW_MUST_CHECK;

#endif
