#include "send/url.h"

#include <curl/curl.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct span {
	const char *at;
	size_t len;
};

static struct span host_of(const char *url)
{
	const char *at = strstr(url, "://");

	at = at != NULL ? at + 3 : url;
	size_t authority = strcspn(at, "/?#\\");
	for (size_t i = 0; i < authority; i++)
		if (at[i] == '@') {
			at += i + 1;
			authority -= i + 1;
			i = (size_t)-1;
		}
	const char *colon = memchr(at, ':', authority);
	return (struct span){.at = at, .len = colon != NULL ? (size_t)(colon - at) : authority};
}

static bool is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] > 0x7F)
			return false;
	return true;
}

/*
 * libcurl reads names in the locale's encoding. Where it cannot convert one, it returns CURLUE_OUT_OF_MEMORY (7.88), or
 * the name as it is. NULL: not converted.
 */
static char *convert(const char *host)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 != (locale_t)0 ? uselocale(utf8) : (locale_t)0;
	CURLU *parts = curl_url();
	char *ascii = NULL;

	if (parts == NULL || curl_url_set(parts, CURLUPART_HOST, host, 0) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_HOST, &ascii, CURLU_PUNYCODE) != CURLUE_OK)
		ascii = NULL;
	curl_url_cleanup(parts);
	if (utf8 != (locale_t)0) {
		(void)uselocale(before);
		freelocale(utf8);
	}
	if (ascii != NULL && ascii[0] != '\0' && is_ascii((struct span){.at = ascii, .len = strlen(ascii)}))
		return ascii;
	curl_free(ascii);
	return NULL;
}

char *send_url_ascii(const char *url, struct thaw_error *err)
{
	struct span host = host_of(url);
	char *name = strndup(host.at, host.len), *ascii = NULL, *made = NULL;

	if (is_ascii(host))
		made = strdup(url);
	else if (name != NULL && (ascii = convert(name)) == NULL)
		(void)error_set(err, THAW_ERR_USAGE,
				"the host '%s' has no form in ASCII (IDNA): it is not UTF-8, a label is too long, or a "
				"character is not allowed in names",
				name);
	else if (name != NULL && asprintf(&made, "%.*s%s%s", (int)(host.at - url), url, ascii, host.at + host.len) < 0)
		made = NULL;
	if (made == NULL)
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory"); /* the first cause counts */
	free(name);
	curl_free(ascii);
	return made;
}

char *send_url_name(const char *url, const char *file, struct thaw_error *err)
{
	struct span host = host_of(url);
	const char *path = host.at + strcspn(host.at, "/?#"), *slash = strrchr(file, '/');
	size_t path_len = strcspn(path, "?#"), before = (size_t)(path - url) + path_len;
	bool folder = host.len > 0 && (path_len == 0 || path[path_len - 1] == '/');
	char *name = folder ? curl_easy_escape(NULL, slash != NULL ? slash + 1 : file, 0) : NULL, *made = NULL;

	if (!folder)
		made = strdup(url);
	else if (name == NULL ||
		 asprintf(&made, "%.*s%s%s%s", (int)before, url, path_len == 0 ? "/" : "", name, url + before) < 0)
		made = NULL;
	curl_free(name);
	if (made == NULL)
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	return made;
}
