/* Text that grows, up to a ceiling. After a failure nothing more is added, and what is there is not to be sent. */
#ifndef ADMIN_TEXT_H
#define ADMIN_TEXT_H

#include "thaw/types.h"

#define ADMIN_TEXT_MAX (8u << 20)

struct admin_text {
	char *at; /* owned */
	size_t len, room;
	bool failed; /* no memory, or over the ceiling */
};

void admin_put(struct admin_text *text, const char *bytes, size_t len);
void admin_putf(struct admin_text *text, const char *format, ...) THAW_PRINTF(2, 3);
void admin_text_free(struct admin_text *text);

#endif
