#include "send/answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void answer_begin(struct send_result *result)
{
	result->schemes[0] = result->server[0] = '\0';
	result->page_len = 0;
	result->says = SEND_SAYS_NOTHING;
	result->retry_after_s = 0;
	result->stale = result->only_auth_int = false;
}

/* ---- the head ---- */

static size_t blanks(const char *text, size_t len)
{
	size_t count = 0;

	while (count < len && (text[count] == ' ' || text[count] == '\t'))
		count++;
	return count;
}

/* RFC 9110 5.6.2. */
static size_t token(const char *text, size_t len)
{
	size_t count = 0;

	while (count < len && text[count] > ' ' && text[count] < 0x7F &&
	       strchr("()<>@,;:\\\"/[]?={}", text[count]) == NULL)
		count++;
	return count;
}

/* The length up to and including the next comma outside a quoted string. */
static size_t element(const char *text, size_t len)
{
	bool quoted = false;
	size_t at = 0;

	for (; at < len && (quoted || text[at] != ','); at++) {
		if (text[at] == '"')
			quoted = !quoted;
		else if (quoted && text[at] == '\\' && at + 1 < len)
			at++;
	}
	return at < len ? at + 1 : len;
}

static bool has_scheme(const char *schemes, const char *name, size_t len)
{
	for (const char *at = schemes; *at != '\0'; at += strspn(at, ", ")) {
		size_t one = strcspn(at, ",");
		if (one == len && strncasecmp(at, name, len) == 0)
			return true;
		at += one;
	}
	return false;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* A list such as "auth, auth-int" has the word. */
static bool lists(const char *text, size_t len, const char *word)
{
	for (size_t at = 0; at < len; at++) {
		size_t one = token(text + at, len - at);
		if (is_word(text + at, one, word))
			return true;
		at += one;
	}
	return false;
}

/* "name=value" of a Digest challenge (RFC 7616 3.3), and what follows it. */
static void take_parameter(struct send_result *result, const char *text, size_t len)
{
	size_t name = token(text, len), at = name + blanks(text + name, len - name);

	if (at >= len || text[at] != '=')
		return;
	at += 1 + blanks(text + at + 1, len - at - 1);
	if (is_word(text, name, "stale"))
		result->stale = lists(text + at, len - at, "true");
	if (is_word(text, name, "qop"))
		result->only_auth_int = !lists(text + at, len - at, "auth");
}

/* Challenges (RFC 9110 11.3): an element begins one unless it is a parameter of the one before. */
static void take_schemes(struct send_result *result, const char *value, size_t len)
{
	bool digest = false;

	for (size_t at = 0, end = 0; at < len; at = end) {
		end = at + element(value + at, len - at);
		at += blanks(value + at, len - at);
		size_t name = token(value + at, len - at), behind = at + name;
		behind += blanks(value + behind, len - behind);
		bool parameter = behind < len && value[behind] == '=';
		size_t used = strlen(result->schemes), first = parameter ? at : behind;
		if (name > 0 && !parameter)
			digest = is_word(value + at, name, "Digest");
		if (digest && first < end)
			take_parameter(result, value + first, end - first);
		if (name == 0 || parameter || has_scheme(result->schemes, value + at, name) ||
		    used + name + 3 > sizeof(result->schemes))
			continue;
		(void)snprintf(result->schemes + used, sizeof(result->schemes) - used, "%s%.*s", used > 0 ? ", " : "",
			       (int)name, value + at);
	}
}

static bool is_field(const char *line, size_t len, const char *name, size_t *value)
{
	*value = strlen(name) + 1;
	return len > *value && strncasecmp(line, name, strlen(name)) == 0 && line[*value - 1] == ':';
}

void answer_line(struct send_result *result, const char *line, size_t len)
{
	size_t value;

	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len > 7 && memcmp(line, "HTTP/1.", 7) == 0)
		answer_begin(result);
	if (is_field(line, len, "WWW-Authenticate", &value))
		take_schemes(result, line + value, len - value);
	if (is_field(line, len, "Server", &value)) {
		value += blanks(line + value, len - value);
		(void)snprintf(result->server, sizeof(result->server), "%.*s", (int)(len - value), line + value);
	}
}

/* ---- the body ---- */

void answer_body(struct send_result *result, const char *bytes, size_t len)
{
	size_t room = sizeof(result->page) - result->page_len;

	len = len < room ? len : room;
	memcpy(result->page + result->page_len, bytes, len);
	result->page_len += len;
}

/* Texts that nginx sends with a 400 in place of its own 496, 495 and 497; the last one is also Apache's and Thaw's. */
static const struct {
	const char *words;
	enum send_says says;
} pages[] = {
	{"No required SSL certificate was sent", SEND_SAYS_NO_CERTIFICATE},
	{"The SSL certificate error", SEND_SAYS_BAD_CERTIFICATE},
	{"The plain HTTP request was sent to HTTPS port", SEND_SAYS_PLAIN},
	{"speaking plain HTTP to an SSL-enabled server port", SEND_SAYS_PLAIN},
	{"urn:thaw:problem:plain-http", SEND_SAYS_PLAIN},
};

void answer_end(struct send_result *result)
{
	if (result->status == 495)
		result->says = SEND_SAYS_BAD_CERTIFICATE;
	if (result->status == 496)
		result->says = SEND_SAYS_NO_CERTIFICATE;
	if (result->status == 497)
		result->says = SEND_SAYS_PLAIN;
	for (size_t i = 0; result->status == 400 && i < sizeof(pages) / sizeof(pages[0]); i++)
		if (memmem(result->page, result->page_len, pages[i].words, strlen(pages[i].words)) != NULL)
			result->says = pages[i].says;
}
