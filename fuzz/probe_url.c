/*
 * Any text as a URL for the probe: the parts of an accepted URL are valid in a request head, and combine to the same
 * URL.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holds.h"
#include "probe/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_visible(const char *text, size_t max)
{
	size_t len = strlen(text);

	HOLDS(len > 0 && len <= max);
	for (size_t i = 0; i < len; i++)
		HOLDS(text[i] > ' ' && text[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct probe_url url, again;
	static char text[PROBE_TARGET_MAX + PROBE_NAME_MAX + 64];
	struct thaw_error err = {0};
	char *given = malloc(size + 1); /* of exact size, so that the sanitizer detects a read past the end */

	HOLDS(given != NULL);
	memcpy(given, data, size);
	given[size] = '\0';
	if (probe_url_parse(&url, given, &err) != THAW_OK) {
		HOLDS(err.cls == THAW_ERR_USAGE && err.text[0] != '\0');
		free(given);
		return 0;
	}
	HOLDS(err.cls == THAW_ERR_NONE);
	check_visible(url.host, PROBE_NAME_MAX);
	check_visible(url.authority, sizeof(url.authority) - 1);
	check_visible(url.target, PROBE_TARGET_MAX);
	check_visible(url.port, sizeof(url.port) - 1);
	HOLDS(url.target[0] == '/' && strchr(url.target, '#') == NULL);
	HOLDS(strpbrk(url.host, "/?#@[]") == NULL && strstr(url.authority, url.host) != NULL);
	unsigned long port = strtoul(url.port, NULL, 10);
	HOLDS(port >= 1 && port <= 65535);
	(void)snprintf(text, sizeof(text), "https://%s%s", url.authority, url.target);
	HOLDS(probe_url_parse(&again, text, &err) == THAW_OK);
	HOLDS(memcmp(&url, &again, sizeof(url)) == 0);
	free(given);
	return 0;
}
