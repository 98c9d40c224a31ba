#include "send/resume.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "send/explain.h"

/* One request that reads the resource. */
struct look {
	const struct send_body *body;
	uint64_t same; /* received bytes that match the file */
	bool differs;
	long status;
	char etag[RESUME_ETAG_ROOM];
};

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct look *look = arg;
	size_t len = size * count;

	if (len > 5 && strncasecmp(line, "etag:", 5) == 0) {
		size_t from = 5 + strspn(line + 5, " \t"), to = len;
		while (to > from && (line[to - 1] == '\r' || line[to - 1] == '\n' || line[to - 1] == ' '))
			to--;
		if (to - from < sizeof(look->etag))
			(void)snprintf(look->etag, sizeof(look->etag), "%.*s", (int)(to - from), line + from);
	}
	return len;
}

/* Stops the request at the first byte that differs. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct look *look = arg;
	size_t len = size * count;

	look->differs = look->differs || !send_body_has(look->body, look->same, bytes, len);
	look->same += len;
	return look->differs ? CURL_WRITEFUNC_ERROR : len;
}

/* NULL: out of memory. */
static struct curl_slist *make_fields(const struct resume_way *way)
{
	struct curl_slist *fields = curl_slist_append(NULL, "Accept-Encoding: identity");

	for (const struct curl_slist *one = way->fields; fields != NULL && one != NULL; one = one->next) {
		struct curl_slist *longer = curl_slist_append(fields, one->data);
		if (longer == NULL)
			curl_slist_free_all(fields);
		fields = longer;
	}
	return fields;
}

/* Sends a HEAD or a GET. *length: Content-Length; -1: none. */
static bool ask(const struct resume_way *way, bool head, struct look *look, curl_off_t *length)
{
	CURL *one = curl_easy_duphandle(way->easy);
	struct curl_slist *fields = make_fields(way);
	bool ok = one != NULL && fields != NULL && curl_easy_setopt(one, CURLOPT_UPLOAD, 0L) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_NOBODY, head ? 1L : 0L) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_PREREQFUNCTION, NULL) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_HTTPHEADER, fields) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_HEADERDATA, look) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_WRITEDATA, look) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_ERRORBUFFER, NULL) == CURLE_OK &&
		  curl_easy_setopt(one, CURLOPT_TIMEOUT_MS, (long)way->timeout_ms) == CURLE_OK;

	ok = ok && curl_easy_perform(one) == CURLE_OK &&
	     curl_easy_getinfo(one, CURLINFO_RESPONSE_CODE, &look->status) == CURLE_OK &&
	     curl_easy_getinfo(one, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, length) == CURLE_OK;
	if (one != NULL)
		curl_easy_cleanup(one);
	curl_slist_free_all(fields);
	return ok;
}

static void say(struct resume *resume, const char *why)
{
	resume->from = 0;
	(void)snprintf(resume->text, sizeof(resume->text), "--resume: %s: sending the whole file", why);
}

void resume_look(const struct resume_way *way, const struct send_body *body, struct resume *resume)
{
	uint64_t size = (uint64_t)send_body_length(body);
	struct look head = {.body = body}, get = {.body = body};
	char there[SEND_SIZE_ROOM];
	curl_off_t length = -1, ignored = -1;

	*resume = (struct resume){.from = 0};
	if (!ask(way, true, &head, &length) || head.status != 200 || length <= 0 || (uint64_t)length > size)
		return say(resume, "the server has no part of the file");
	if (head.etag[0] != '"') /* a weak ETag does not guarantee identical bytes (RFC 9110 8.8.1) */
		return say(resume, "the server sends no strong ETag");
	bool got = ask(way, false, &get, &ignored);
	if (get.differs || !got || get.status != 200 || get.same != (uint64_t)length ||
	    strcmp(get.etag, head.etag) != 0)
		return say(resume, "the server has different content");
	resume->from = get.same;
	resume->complete = get.same == size;
	(void)snprintf(resume->etag, sizeof(resume->etag), "%s", get.etag);
	(void)snprintf(resume->text, sizeof(resume->text), "--resume: the server already has %s",
		       resume->complete ? "all" : send_size_text(resume->from, there));
}

bool resume_is_whole(const struct resume_way *way, const struct send_body *body)
{
	struct look head = {.body = body};
	curl_off_t length = -1;

	return ask(way, true, &head, &length) && head.status == 200 && length == (curl_off_t)send_body_size(body);
}
