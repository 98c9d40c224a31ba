/* Words for libcurl's failures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curl/helper.h"
#include "tls/failure.h"

const char *helper_words(const char *text, char to[static HELPER_WORDS_ROOM])
{
	static const char mark[] = "error:"; /* ERR_error_string(3) */
	const char *at = strstr(text, mark);
	char *end = NULL, reason[TLS_REASON_ROOM];
	unsigned long code = at != NULL ? strtoul(at + strlen(mark), &end, 16) : 0;

	if (code == 0 || *end != ':')
		return text;
	(void)snprintf(to, HELPER_WORDS_ROOM, "TLS: %s", tls_failure_reason(code, reason));
	return to;
}
