#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum thaw_status error_set(struct thaw_error *err, enum thaw_error_class cls, const char *format, ...)
{
	if (err == NULL || err->cls != THAW_ERR_NONE)
		return THAW_FAILED;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	err->cls = cls;
	return THAW_FAILED;
}

enum thaw_status error_system(struct thaw_error *err, int errno_value, const char *format, ...)
{
	if (err == NULL || err->cls != THAW_ERR_NONE)
		return THAW_FAILED;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	size_t used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(errno_value));
	err->cls = THAW_ERR_SYSTEM;
	return THAW_FAILED;
}

void error_clear(struct thaw_error *err)
{
	err->cls = THAW_ERR_NONE;
	err->text[0] = '\0';
}
