/* Texts for libcurl's failures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "curl/helper.h"
#include "tls/failure.h"

/* Finds a code in the form of ERR_error_string(3); libcurl puts its own text before it. 0: none. */
static unsigned long code_in(const char *text)
{
	static const char mark[] = "error:";

	for (const char *at = strstr(text, mark); at != NULL; at = strstr(at, mark)) {
		char *end = NULL;
		at += strlen(mark);
		unsigned long code = ascii_hex(*at) >= 0 ? strtoul(at, &end, 16) : 0;
		if (code != 0 && *end == ':')
			return code;
	}
	return 0;
}

const char *helper_words(const char *text, char to[static HELPER_WORDS_ROOM])
{
	unsigned long code = code_in(text);
	char reason[TLS_REASON_ROOM];

	if (code == 0)
		return text;
	(void)snprintf(to, HELPER_WORDS_ROOM, "TLS: %s", tls_failure_reason(code, reason));
	return to;
}
