/* The files that an ACME client leaves in its webroot (RFC 8555 8.3), read by the workers. */
#ifndef LOOP_CHALLENGE_H
#define LOOP_CHALLENGE_H

#include <stddef.h>

#include "thaw/types.h"

/* As struct gateway_env's challenge(). The token is one file's name without a slash. Symbolic links below the folder
 * are not followed. */
enum thaw_status challenge_read(const char *webroot, const char *token, char *out, size_t room, size_t *len,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Whether it is a folder in which files could be found. */
enum thaw_status challenge_check(const char *webroot, struct thaw_error *err) THAW_MUST_CHECK;

#endif
