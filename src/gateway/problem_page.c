#include "gateway/problem_page.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "http/response.h"

#define ROOM_FIRST 4096 /* enough for most pages */

static const char style[] =
	":root{color-scheme:light dark;--text:#1d2329;--soft:#55606b;--back:#f4f5f7;--card:#fff;--line:#d8dce1;"
	"--mark:#b3261e;--link:#0b57d0}"
	"@media(prefers-color-scheme:dark){:root{--text:#e6e9ed;--soft:#a5afba;--back:#14171a;--card:#1e2226;"
	"--line:#363d44;--mark:#ff8a80;--link:#8ab4f8}}"
	"*{box-sizing:border-box}"
	"body{margin:0;padding:1rem;background:var(--back);color:var(--text);"
	"font:1rem/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;overflow-wrap:anywhere}"
	"main{max-width:42rem;margin:8vh auto;padding:2rem;background:var(--card);border:1px solid var(--line);"
	"border-top:.25rem solid var(--mark);border-radius:.5rem}"
	"h1{font-size:1.6rem;line-height:1.25;margin:.25rem 0 1rem}"
	"h2{font-size:1.05rem;margin:1.75rem 0 .4rem}"
	"p{margin:.4rem 0}"
	"a{color:var(--link)}"
	"ul{margin:.4rem 0;padding-left:1.25rem}"
	"li{margin:.35rem 0}"
	".status{color:var(--mark);font-weight:600;font-size:.9rem;margin:0}"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;margin:.75rem 0 0}"
	"dt{color:var(--soft)}"
	"dd{margin:0;font-family:ui-monospace,'Liberation Mono',Menlo,Consolas,monospace}"
	"@media(max-width:30rem){body{padding:.5rem}main{margin:0;padding:1.25rem}h1{font-size:1.35rem}"
	"dl{display:block}dd{margin:0 0 .5rem}}";

static void put(struct buffer *page, const char *text)
{
	(void)buffer_append(page, GW_PAGE_MAX, text, strlen(text));
}

/* The character reference for a character with a meaning in HTML; NULL: it needs none. */
static const char *escape_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

/* Writes untrusted text: escapes the characters that have a meaning in HTML. */
static void put_text(struct buffer *page, const char *text, size_t len)
{
	for (size_t i = 0, from = 0; i <= len; i++) {
		const char *escape = i < len ? escape_of(text[i]) : "";
		if (escape == NULL)
			continue;
		(void)buffer_append(page, GW_PAGE_MAX, text + from, i - from);
		put(page, escape);
		from = i + 1;
	}
}

static void put_element(struct buffer *page, const char *open, const char *text, const char *close)
{
	put(page, open);
	put_text(page, text, strlen(text));
	put(page, close);
}

static void put_steps(struct buffer *page, const struct gw_problem_facts *facts)
{
	put(page, "<h2>What you can do</h2>\n<ul>\n");
	if (facts->location != NULL) {
		put_element(page, "<li>Go to <a href=\"", facts->location, "\">");
		put_element(page, "", facts->location, "</a>.</li>\n");
	}
	for (const char *step = facts->steps; *step != '\0';) {
		size_t len = strcspn(step, "\n");
		put(page, "<li>");
		put_text(page, step, len);
		put(page, "</li>\n");
		step += len + (step[len] == '\n');
	}
	put(page, "</ul>\n");
}

static void put_help(struct buffer *page, const struct gw_problem_facts *facts)
{
	time_t now = (time_t)(facts->asker->wall_ms / 1000);
	struct tm utc;
	char when[40];

	put(page, "<h2>If you need help</h2>\n<p>Tell the operator of this site what you wanted to do, and give these "
		  "details:</p>\n<dl>\n");
	put_element(page, "<dt>Request ID</dt><dd>", facts->asker->id, "</dd>\n");
	put_element(page, "<dt>Reason</dt><dd>", facts->reason, "</dd>\n");
	if (gmtime_r(&now, &utc) != NULL && strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &utc) > 0)
		put_element(page, "<dt>Time</dt><dd>", when, "</dd>\n");
	put(page, "</dl>\n");
}

char *gw_problem_page(const struct gw_problem_facts *facts, size_t *len)
{
	struct buffer page = {.bytes = NULL};
	char status[16];

	(void)snprintf(status, sizeof(status), "%u ", facts->status);
	(void)buffer_reserve(&page, GW_PAGE_MAX, ROOM_FIRST);
	put(&page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
	put_element(&page, "<title>", facts->heading, "</title>\n<style>");
	put(&page, style);
	put_element(&page, "</style>\n</head>\n<body>\n<main>\n<p class=\"status\">", status,
		    http_status_phrase(facts->status));
	put_element(&page, "</p>\n<h1>", facts->heading, "</h1>\n");
	put_element(&page, "<h2>Why</h2>\n<p>", facts->detail, "</p>\n");
	put_steps(&page, facts);
	put_help(&page, facts);
	put(&page, "</main>\n</body>\n</html>\n");
	if (page.failed) {
		buffer_free(&page);
		return NULL;
	}
	*len = page.len;
	return page.bytes;
}
