#include "send/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "send/url.h"

static bool append(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer != NULL)
		*list = longer;
	return longer != NULL;
}

/* Appends a field of the user. libcurl removes a field without a value, unless it is written with a semicolon. */
static bool append_field(struct curl_slist **list, const char *line)
{
	char *empty = NULL;
	size_t name = strcspn(line, ":");

	if (line[name] != ':' || line[name + 1 + strspn(line + name + 1, " \t")] != '\0')
		return append(list, line);
	if (asprintf(&empty, "%.*s;", (int)name, line) < 0)
		return false;
	bool ok = append(list, empty);
	free(empty);
	return ok;
}

static void free_headers(struct request *request)
{
	curl_slist_free_all(request->plain);
	curl_slist_free_all(request->expecting);
	request->plain = request->expecting = NULL;
}

static bool append_both(struct request *request, const char *line)
{
	return append(&request->plain, line) && append(&request->expecting, line);
}

/* A field about the body, which a HEAD does not have. */
static bool is_of_body(const char *line)
{
	static const char *const names[] = {"content-", "transfer-encoding:", "expect:", "trailer:", "digest:"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncasecmp(line, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static bool make_priming(struct request *request)
{
	bool ok = request->host == NULL || append(&request->priming, request->host);

	for (size_t i = 0; i < request->options->header_count; i++)
		if (!is_of_body(request->options->headers[i]))
			ok = ok && append_field(&request->priming, request->options->headers[i]);
	return ok;
}

/* name ends in a colon. */
static bool has_header(const struct send_options *options, const char *name)
{
	for (size_t i = 0; i < options->header_count; i++)
		if (strncasecmp(options->headers[i], name, strlen(name)) == 0)
			return true;
	return false;
}

/* Headers for sending only the rest (RFC 9110 14.5), if the part on the server is unchanged (13.1.1). */
static bool append_range(struct request *request, const struct resume *part)
{
	char line[RESUME_ETAG_ROOM + 32];
	unsigned long long size = send_body_size(request->body);

	(void)snprintf(line, sizeof(line), "Content-Range: bytes %llu-%llu/%llu", (unsigned long long)part->from,
		       size - 1, size);
	if (!append_both(request, line))
		return false;
	(void)snprintf(line, sizeof(line), "If-Match: %s", part->etag);
	return append_both(request, line);
}

/* part: NULL, or what is resumed. libcurl's own Expect is turned off, because it waits differently. */
static bool make_headers(struct request *request, const struct resume *part)
{
	const struct send_options *options = request->options;
	const char *known = send_body_type(request->body);
	char type[128];

	free_headers(request);
	bool ok = append(&request->plain, "Expect:") && append(&request->expecting, "Expect: 100-continue") &&
		  (request->host == NULL || append_both(request, request->host));
	for (size_t i = 0; i < options->header_count; i++)
		ok = ok && append_field(&request->plain, options->headers[i]) &&
		     append_field(&request->expecting, options->headers[i]);
	(void)snprintf(type, sizeof(type), "Content-Type: %s", known != NULL ? known : "application/octet-stream");
	/* Otherwise libcurl sets the content type of a form on a POST. */
	if (known != NULL || (!has_header(options, "content-type:") && strcmp(options->method, "POST") == 0))
		ok = ok && append_both(request, type);
	return ok && (part == NULL || append_range(request, part));
}

static bool set_method(const struct request *request)
{
	CURL *easy = request->easy;
	int64_t length = send_body_length(request->body);

	if (strcmp(request->options->method, "POST") == 0)
		return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
		       curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length) == CURLE_OK;
	return curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)length) == CURLE_OK;
}

bool request_set_tls(const struct request *request, enum send_tls tls)
{
	static const long versions[] = {
		[SEND_TLS_ANY] = CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_DEFAULT,
		[SEND_TLS_12] = CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2,
		[SEND_TLS_13] = CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_DEFAULT,
	};

	return curl_easy_setopt(request->easy, CURLOPT_SSLVERSION, versions[tls]) == CURLE_OK;
}

bool request_set_part(struct request *request, const struct resume *part)
{
	return send_body_skip(request->body, part != NULL ? part->from : 0) && make_headers(request, part) &&
	       set_method(request);
}

bool request_set_expect(const struct request *request, bool expects)
{
	return curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, expects ? request->expecting : request->plain) ==
	       CURLE_OK;
}

static bool append_all(struct curl_slist **list, const char *const *lines, size_t count)
{
	bool ok = true;

	for (size_t i = 0; i < count; i++)
		ok = ok && append(list, lines[i]);
	return ok;
}

/*
 * libcurl takes the name for SNI and for the certificate check from the URL. So the URL gets the other name, and
 * connection and Host field get the host of the user's URL.
 */
static bool rename_host(struct request *request)
{
	const struct send_options *options = request->options;
	char *authority = send_url_authority(options->url);

	request->url = send_url_with_host(options->url, options->sni);
	if (options->prime_url != NULL)
		request->prime_url = send_url_with_host(options->prime_url, options->sni);
	if (authority == NULL || has_header(options, "host:") || asprintf(&request->host, "Host: %s", authority) < 0)
		request->host = NULL;
	bool ok = request->url != NULL && (options->prime_url == NULL || request->prime_url != NULL) &&
		  (request->host != NULL || (authority != NULL && has_header(options, "host:")));
	free(authority);
	return ok;
}

/* Appends formatted text. */
static bool append_made(struct curl_slist **list, const char *first, const char *second, const char *third)
{
	char *line = NULL;

	if (asprintf(&line, "%s%s%s", first, second, third) < 0)
		return false;
	bool ok = append(list, line);
	free(line);
	return ok;
}

/* Changes the --connect-to and --resolve options for the URL's host to the other name; without any, connects the
 * other name to that host. */
static bool append_renamed(struct request *request)
{
	const struct send_options *options = request->options;
	char *host = send_url_host(options->url);
	size_t len = host != NULL ? strlen(host) : 0;
	bool ok = host != NULL;

	for (size_t i = 0; i < options->connect_to_count && ok; i++) {
		const char *entry = options->connect_to[i];
		bool is_its = strncasecmp(entry, host, len) == 0 && entry[len] == ':';
		ok = append_made(&request->connect_to, is_its ? options->sni : "", is_its ? entry + len : entry, "");
	}
	ok = ok && append_made(&request->connect_to, options->sni, "::", host);
	free(host);
	return ok;
}

/* Sets proxy, addresses and the like. */
static bool set_route(struct request *request)
{
	const struct send_options *options = request->options;
	CURL *easy = request->easy;

	return (options->sni != NULL
			? append_renamed(request)
			: append_all(&request->connect_to, options->connect_to, options->connect_to_count)) &&
	       append_all(&request->resolve, options->resolve, options->resolve_count) &&
	       curl_easy_setopt(easy, CURLOPT_CONNECT_TO, request->connect_to) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_RESOLVE, request->resolve) == CURLE_OK &&
	       (options->proxy == NULL || curl_easy_setopt(easy, CURLOPT_PROXY, options->proxy) == CURLE_OK) &&
	       (options->proxy_user == NULL ||
		curl_easy_setopt(easy, CURLOPT_PROXYUSERPWD, options->proxy_user) == CURLE_OK) &&
	       (options->proxy_ca == NULL ||
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, options->proxy_ca) == CURLE_OK) &&
	       (options->proxy_ca == NULL || curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL) == CURLE_OK) &&
	       curl_easy_setopt(easy, CURLOPT_PROXYAUTH, CURLAUTH_ANY) == CURLE_OK &&
	       (options->no_proxy == NULL || curl_easy_setopt(easy, CURLOPT_NOPROXY, options->no_proxy) == CURLE_OK);
}

/* Sets user and password. */
static bool set_login(const struct request *request)
{
	static const unsigned long ways[] = {
		[SEND_LOGIN_BASIC] = CURLAUTH_BASIC, [SEND_LOGIN_DIGEST] = CURLAUTH_DIGEST};
	const struct send_options *options = request->options;

	return options->user == NULL ||
	       (curl_easy_setopt(request->easy, CURLOPT_USERPWD, options->user) == CURLE_OK &&
		curl_easy_setopt(request->easy, CURLOPT_HTTPAUTH, ways[options->login]) == CURLE_OK);
}

bool request_prepare(struct request *request)
{
	const struct send_options *options = request->options;
	CURL *easy = request->easy;
	long verify = options->insecure ? 0 : 1;

	return (options->sni == NULL || rename_host(request)) && make_priming(request) && make_headers(request, NULL) &&
	       set_method(request) && request_set_tls(request, options->tls) && set_route(request) &&
	       set_login(request) &&
	       curl_easy_setopt(easy, CURLOPT_URL, request->url != NULL ? request->url : options->url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERAGENT, options->user_agent) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2) == CURLE_OK &&
	       /* Sessions are never resumed: a handle is one upload. Also, libcurl 7.88 has a double free there if
		* memory runs out. */
	       curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->stall_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t)options->limit_rate) == CURLE_OK &&
	       (options->ca == NULL || curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca) == CURLE_OK) &&
	       (options->ca == NULL || curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK) &&
	       (options->ca_folder == NULL || curl_easy_setopt(easy, CURLOPT_CAPATH, options->ca_folder) == CURLE_OK);
}

void request_free(struct request *request)
{
	free_headers(request);
	curl_slist_free_all(request->priming);
	curl_slist_free_all(request->connect_to);
	curl_slist_free_all(request->resolve);
	free(request->url);
	free(request->prime_url);
	free(request->host);
	*request = (struct request){.options = NULL};
}
