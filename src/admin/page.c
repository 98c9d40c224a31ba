/* One page without external resources: @STYLE@, @SCRIPT@ and @NONCE@ in status.html are replaced when it is sent. */
#include <string.h>
#include <sys/random.h>

#include "admin/page.h"
#include "admin/respond.h"

static void put_part(struct buffer *text, const unsigned char *bytes, size_t len)
{
	admin_put(text, (const char *)bytes, len);
}

/* If *at begins with the mark, moves *at past it and returns true. */
static bool skip(const char *mark, size_t *at)
{
	size_t len = strlen(mark);

	if (len > page_html_len - *at || memcmp(page_html + *at, mark, len) != 0)
		return false;
	*at += len;
	return true;
}

void admin_page(const char *nonce, struct buffer *text)
{
	size_t at = 0;

	while (at < page_html_len) {
		const unsigned char *mark = memchr(page_html + at, '@', page_html_len - at);
		size_t end = mark != NULL ? (size_t)(mark - page_html) : page_html_len;
		put_part(text, page_html + at, end - at);
		at = end;
		if (mark == NULL)
			break;
		if (skip("@STYLE@", &at))
			put_part(text, page_css, page_css_len);
		else if (skip("@SCRIPT@", &at))
			put_part(text, page_js, page_js_len);
		else if (skip("@NONCE@", &at))
			admin_put(text, nonce, strlen(nonce));
		else
			put_part(text, page_html + at++, 1);
	}
}

bool admin_make_nonce(char nonce[static ADMIN_NONCE_MAX])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[(ADMIN_NONCE_MAX - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		nonce[2 * i] = digits[bytes[i] >> 4];
		nonce[2 * i + 1] = digits[bytes[i] & 15];
	}
	nonce[ADMIN_NONCE_MAX - 1] = '\0';
	return true;
}
