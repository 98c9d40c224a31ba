#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static THAW_PRINTF(3, 0) void fill(struct thaw_error *err, enum thaw_error_class cls, const char *format, va_list args)
{
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
	err->cls = cls;
}

void error_clear(struct thaw_error *err)
{
	if (err == NULL)
		return;
	err->cls = THAW_ERR_NONE;
	err->text[0] = '\0';
}

enum thaw_status error_set(struct thaw_error *err, enum thaw_error_class cls, const char *format, ...)
{
	va_list args;

	if (err == NULL || err->cls != THAW_ERR_NONE)
		return THAW_FAILED;
	va_start(args, format);
	fill(err, cls, format, args);
	va_end(args);
	return THAW_FAILED;
}

enum thaw_status error_usage(struct thaw_error *err, const char *format, ...)
{
	va_list args;

	if (err == NULL || err->cls != THAW_ERR_NONE)
		return THAW_FAILED;
	va_start(args, format);
	fill(err, THAW_ERR_USAGE, format, args);
	va_end(args);
	return THAW_FAILED;
}

enum thaw_status error_system(struct thaw_error *err, int errno_value, const char *format, ...)
{
	va_list args;

	if (err == NULL || err->cls != THAW_ERR_NONE)
		return THAW_FAILED;
	va_start(args, format);
	fill(err, THAW_ERR_SYSTEM, format, args);
	va_end(args);
	size_t used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(errno_value));
	return THAW_FAILED;
}
