#include "send/url.h"

#include <curl/curl.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
	const char *close = *at == '[' ? memchr(at, ']', authority) : NULL, *from = close != NULL ? close : at;
	const char *colon = memchr(from, ':', authority - (size_t)(from - at));
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
 * libcurl reads names in the encoding of the locale. If it cannot convert a name, it returns CURLUE_OUT_OF_MEMORY
 * (7.88) or the unchanged name. NULL: not converted.
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

static char *no_memory(struct thaw_error *err)
{
	(void)error_set(err, THAW_ERR_RESOURCE, "out of memory"); /* the first error is reported */
	return NULL;
}

char *send_host_ascii(const char *host, struct thaw_error *err)
{
	char *ascii, *made;

	if (is_ascii((struct span){.at = host, .len = strlen(host)})) {
		made = strdup(host);
		if (made == NULL)
			return no_memory(err);
		return made;
	}
	ascii = convert(host);
	if (ascii == NULL) {
		(void)error_set(err, THAW_ERR_USAGE,
				"the host '%s' cannot be converted to ASCII (IDNA): it is not UTF-8, a label is too "
				"long, or a character is not allowed in host names",
				host);
		return NULL;
	}
	made = strdup(ascii);
	curl_free(ascii);
	if (made == NULL)
		return no_memory(err);
	return made;
}

/* Replaces the host of url. */
static char *replace(const char *url, struct span host, const char *other)
{
	char *made = NULL;

	return asprintf(&made, "%.*s%s%s", (int)(host.at - url), url, other, host.at + host.len) < 0 ? NULL : made;
}

char *send_url_ascii(const char *url, struct thaw_error *err)
{
	struct span host = host_of(url);
	char *name = strndup(host.at, host.len), *ascii = name != NULL ? send_host_ascii(name, err) : NULL;
	char *made = ascii != NULL ? replace(url, host, ascii) : NULL;

	free(name);
	free(ascii);
	return made != NULL ? made : no_memory(err);
}

char *send_url_host(const char *url)
{
	struct span host = host_of(url);

	return strndup(host.at, host.len);
}

char *send_url_with_host(const char *url, const char *host)
{
	return replace(url, host_of(url), host);
}

const char *send_url_fault(const char *url)
{
	CURLU *parts = curl_url();
	CURLUcode code = parts != NULL ? curl_url_set(parts, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
	char *port = NULL;
	bool zero = code == CURLUE_OK && curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK &&
		    strspn(port, "0") == strlen(port);

	curl_free(port);
	curl_url_cleanup(parts);
	if (zero)
		return "port must be between 1 and 65535";
	return code != CURLUE_OK ? curl_url_strerror(code) : NULL;
}

char *send_url_authority(const char *url)
{
	CURLU *parts = curl_url();
	char *host = NULL, *port = NULL, *made = NULL;

	if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		CURLUcode code = curl_url_get(parts, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
		bool other = code == CURLUE_OK, known = other || code == CURLUE_NO_PORT;
		if (!known || asprintf(&made, "%s%s%s", host, other ? ":" : "", other ? port : "") < 0)
			made = NULL;
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(parts);
	return made;
}

static bool same_part(CURLU *one, CURLU *other, CURLUPart part)
{
	char *mine = NULL, *its = NULL;
	bool both = curl_url_get(one, part, &mine, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    curl_url_get(other, part, &its, CURLU_DEFAULT_PORT) == CURLUE_OK;
	bool same = both && strcasecmp(mine, its) == 0;

	curl_free(mine);
	curl_free(its);
	return same;
}

enum send_url_relation send_url_relation(const char *one, const char *other)
{
	CURLU *mine = curl_url(), *its = curl_url();
	bool both = mine != NULL && its != NULL && curl_url_set(mine, CURLUPART_URL, one, 0) == CURLUE_OK &&
		    curl_url_set(its, CURLUPART_URL, other, 0) == CURLUE_OK;
	bool same = both && same_part(mine, its, CURLUPART_SCHEME) && same_part(mine, its, CURLUPART_HOST) &&
		    same_part(mine, its, CURLUPART_PORT);

	curl_url_cleanup(mine);
	curl_url_cleanup(its);
	if (!both)
		return SEND_URL_MALFORMED;
	return same ? SEND_URL_SAME_ORIGIN : SEND_URL_OTHER_ORIGIN;
}

char *send_url_join(const char *base, const char *location)
{
	CURLU *parts = curl_url();
	char *whole = NULL, *made = NULL;

	if (parts != NULL && curl_url_set(parts, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(parts, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_URL, &whole, 0) == CURLUE_OK)
		made = strdup(whole);
	curl_free(whole);
	curl_url_cleanup(parts);
	return made;
}

static struct span path_of(const char *url)
{
	struct span host = host_of(url);
	const char *path = host.at + strcspn(host.at, "/?#");

	return (struct span){.at = path, .len = strcspn(path, "?#")};
}

bool send_url_is_folder(const char *url)
{
	struct span path = path_of(url);

	return host_of(url).len > 0 && (path.len == 0 || path.at[path.len - 1] == '/');
}

char *send_url_name(const char *url, const char *file, struct thaw_error *err)
{
	struct span path = path_of(url);
	const char *slash = file != NULL ? strrchr(file, '/') : NULL;
	size_t path_len = path.len, before = (size_t)(path.at - url) + path_len;
	bool folder = file != NULL && send_url_is_folder(url);
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

/* Writes one byte of a URL for a single-quoted word of a shell. Bytes that are not allowed in URLs (RFC 3986 2) are
 * percent-encoded. */
static void url_byte(unsigned char byte, char to[static 5])
{
	bool in_url = byte > ' ' && byte < 0x7F;

	if (byte == '\'')
		(void)snprintf(to, 5, "'\\''");
	else
		(void)snprintf(to, 5, in_url ? "%c" : "%%%02X", byte);
}

char *send_url_without_user(const char *url)
{
	const char *scheme = strstr(url, "://"), *host = host_of(url).at;
	char *made = NULL;

	return asprintf(&made, "%.*s%s", scheme != NULL ? (int)(scheme + 3 - url) : 0, url, host) < 0 ? NULL : made;
}

bool send_url_text(const char *url, char to[static SEND_URL_ROOM])
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/%@+,=";
	const char *from = strstr(url, "://");
	size_t used = 0, scheme = from != NULL ? (size_t)(from + 3 - url) : 0;

	from = host_of(url).at;
	const char *parts[] = {url, from};
	size_t lengths[] = {scheme, strlen(from)};
	bool quoted = strspn(url, plain) < scheme || from[strspn(from, plain)] != '\0';
	if (quoted)
		to[used++] = '\'';
	for (size_t part = 0; part < 2; part++)
		for (size_t i = 0; i < lengths[part]; i++) {
			char byte[5];
			url_byte((unsigned char)parts[part][i], byte);
			if (used + strlen(byte) + 2 > SEND_URL_ROOM)
				return false;
			used += (size_t)snprintf(to + used, SEND_URL_ROOM - used, "%s", byte);
		}
	(void)snprintf(to + used, SEND_URL_ROOM - used, "%s", quoted ? "'" : "");
	return true;
}
