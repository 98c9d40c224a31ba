/* Builds text up to a maximum size. After a failure nothing more is added, and the text must not be sent. */
#ifndef ADMIN_TEXT_H
#define ADMIN_TEXT_H

#include "base/buffer.h"

#define ADMIN_TEXT_MAX (8u << 20)

void admin_put(struct buffer *text, const char *bytes, size_t len);
void admin_putf(struct buffer *text, const char *format, ...) THAW_PRINTF(2, 3);

#endif
