/* Setting a struct thaw_error: the first error is kept. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "thaw/types.h"

/* Initializes *err; err may be NULL. Every function of the public API that takes one calls this first. */
void error_clear(struct thaw_error *err);

/* Returns THAW_FAILED, so that a function can end with `return error_set(...)`. err may be NULL. */
enum thaw_status error_set(struct thaw_error *err, enum thaw_error_class cls, const char *format, ...)
	THAW_PRINTF(3, 4);

/* The same with class THAW_ERR_USAGE. */
enum thaw_status error_usage(struct thaw_error *err, const char *format, ...) THAW_PRINTF(2, 3);

/* The same with class THAW_ERR_SYSTEM, and ": " and strerror(errno_value) after the text. */
enum thaw_status error_system(struct thaw_error *err, int errno_value, const char *format, ...) THAW_PRINTF(3, 4);

#endif
