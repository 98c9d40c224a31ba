/* The workers read the files that an ACME client puts into its webroot (RFC 8555 8.3). */
#ifndef LOOP_CHALLENGE_H
#define LOOP_CHALLENGE_H

#include <stddef.h>

#include "thaw/types.h"

/* See challenge() of struct gateway_env. The token is a file name without a slash. Symbolic links below the webroot are
 * not followed. */
enum thaw_status challenge_read(const char *webroot, const char *token, char *out, size_t room, size_t *len,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Checks whether webroot is a folder that this process can enter. */
enum thaw_status challenge_check(const char *webroot, struct thaw_error *err) THAW_MUST_CHECK;

#endif
