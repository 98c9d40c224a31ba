/*
 * Any bytes as an accepted path: each reading is bounded and has the same number of segments in both forms, and each
 * route that covers the routing form also covers the first reading, so that no reading avoids a route's certificate.
 */
#include <stdint.h>
#include <string.h>

#include "holds.h"
#include "http/fold.h"
#include "http/reading.h"
#include "http/route_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t slashes(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '/';
	return count;
}

/* A route's path is printable and has none of these characters (config/names.c). */
static bool may_be_route(const char *path)
{
	return strpbrk(path, "%;?#\\*{}^") == NULL && strstr(path, "/:") == NULL;
}

/* Uses each prefix of the routing form as a route's path. */
static void check_covers(const struct http_reading *reading, char *form, size_t len, bool case_matters)
{
	char loose[HTTP_LINE_MAX + 1];
	struct http_cover cover;

	for (size_t at = 1; at <= len; at++) {
		char after = form[at];
		if (at < len && after != '/')
			continue;
		form[at] = '\0';
		if (may_be_route(form)) {
			http_reading_prefix(form, case_matters, loose);
			HOLDS(strlen(loose) <= at);
			HOLDS(http_reading_covered(reading, form, loose, &cover));
		}
		form[at] = after;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char form[HTTP_LINE_MAX + 1];
	struct http_reading reading;
	struct http_refusal refusal = {0};
	struct http_span path = {(const char *)data + 1, size - 1};
	size_t len = 0;

	if (size < 2 || size > 512 || !http_route_path(path, form, HTTP_LINE_MAX, &len, &refusal) || form[0] == '*')
		return 0;
	form[len] = '\0';
	bool case_matters = (data[0] & 1) != 0;
	unsigned traits = http_reading_traits(path);
	for (unsigned how = 0; how <= HTTP_READ_ALL; how++) {
		if ((how & ~traits) != 0 || !http_reading_make(path, how, case_matters, &reading))
			continue;
		HOLDS(reading.plain_len >= 1 && reading.plain_len <= path.len && reading.plain[0] == '/');
		HOLDS(reading.loose_len >= 1 && reading.loose_len <= reading.plain_len);
		HOLDS(slashes(reading.plain, reading.plain_len) == slashes(reading.loose, reading.loose_len));
		if (how == (traits & HTTP_READ_NO_PARAMETERS))
			check_covers(&reading, form, len, case_matters);
	}
	return 0;
}
