/* Setting and reading a struct thaw_error: the first cause wins and is kept. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "thaw/types.h"

/* Of a caller who need not have initialized it; err may be NULL. Every call of the public interface that takes one
 * begins with this. */
void error_clear(struct thaw_error *err);

/* Returns THAW_FAILED, so that a function can end with `return error_set(...)`. err may be NULL. */
enum thaw_status error_set(struct thaw_error *err, enum thaw_error_class cls, const char *format, ...)
	THAW_PRINTF(3, 4);

/* The same of class THAW_ERR_USAGE: a program that uses libthaw breaks its interface's rules. */
enum thaw_status error_usage(struct thaw_error *err, const char *format, ...) THAW_PRINTF(2, 3);

/* The same with ": " and strerror(errno_value) behind the text, class THAW_ERR_SYSTEM. */
enum thaw_status error_system(struct thaw_error *err, int errno_value, const char *format, ...) THAW_PRINTF(3, 4);

#endif
