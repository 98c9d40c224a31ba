/* The inside of the sandbox: its two halves. Both need no_new_privs, and each is for good. */
#ifndef LOOP_SANDBOX_PARTS_H
#define LOOP_SANDBOX_PARTS_H

#include "config/config.h"

/* *can: this system has it. False and THAW_OK: nothing was done. */
enum thaw_status sandbox_files(const struct config *config, bool *can, struct thaw_error *err) THAW_MUST_CHECK;
enum thaw_status sandbox_calls(bool *can, struct thaw_error *err) THAW_MUST_CHECK;

#endif
