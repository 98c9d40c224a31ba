#include "http/target.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/ascii.h"
#include "http/syntax.h"

#define PORT_DIGITS 5
#define PORT_MAX    65535

/* Percent-escapes and the sub-delims of RFC 3986 3.2.2 are refused: DNS has no such names, and parsers differ. */
static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.';
}

/* No empty labels except the root: "a.b" and "a.b.", not ".a" or "a..b". */
static bool is_name(struct http_span host)
{
	if (host.len == 0 || host.len > HTTP_HOST_MAX || host.at[0] == '.')
		return false;
	for (size_t i = 0; i < host.len; i++)
		if (!is_name_char(host.at[i]) || (i > 0 && host.at[i] == '.' && host.at[i - 1] == '.'))
			return false;
	return true;
}

/* "[...]": an IPv6 address. IPvFuture and zone IDs are refused. */
static bool is_literal(struct http_span host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (host.len < 2 || host.len - 2 >= sizeof(text) || host.at[host.len - 1] != ']' ||
	    memchr(host.at, '\0', host.len) != NULL)
		return false;
	memcpy(text, host.at + 1, host.len - 2);
	text[host.len - 2] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* RFC 3986 3.2.3 allows an empty port, which means the default. */
static bool is_port(struct http_span port)
{
	uint64_t number = 0;

	return port.len == 0 || (port.len <= PORT_DIGITS && ascii_number(port.at, port.len, PORT_MAX, &number));
}

bool http_authority_parse(struct http_span authority, struct http_span *host, struct http_refusal *refusal)
{
	const char *end = NULL;
	bool literal = authority.len > 0 && authority.at[0] == '[';

	if (authority.len == 0)
		return http_refuse(refusal, 400, "an empty host");
	if (memchr(authority.at, '@', authority.len) != NULL) /* RFC 9110 4.2.4 */
		return http_refuse(refusal, 400, "user information before the host");
	end = memchr(authority.at, literal ? ']' : ':', authority.len);
	if (end == NULL && literal)
		return http_refuse(refusal, 400, "an IPv6 address without its closing bracket");
	size_t len = end == NULL ? authority.len : (size_t)(end - authority.at) + literal;
	*host = (struct http_span){authority.at, len};
	if (literal ? !is_literal(*host) : !is_name(*host))
		return http_refuse(refusal, 400, "a host that is neither a name nor an address");
	if (len == authority.len)
		return true;
	if (authority.at[len] != ':' || !is_port((struct http_span){authority.at + len + 1, authority.len - len - 1}))
		return http_refuse(refusal, 400, "a port that is no number up to 65535");
	return true;
}

/* Allows all visible characters except '#': clients send quotes, bars and backslashes unescaped. */
static bool check_characters(struct http_span target, struct http_refusal *refusal)
{
	for (size_t i = 0; i < target.len; i++) {
		if (target.at[i] <= 0x20 || target.at[i] >= 0x7F)
			return http_refuse(refusal, 400, "a character in the target that must be percent-encoded");
		if (target.at[i] == '#')
			return http_refuse(refusal, 400, "a fragment in the target");
	}
	return true;
}

static bool split_query(struct http_span rest, struct http_request *request, struct http_refusal *refusal)
{
	const char *mark = rest.len > 0 ? memchr(rest.at, '?', rest.len) : NULL;

	request->path = rest;
	if (mark != NULL) {
		request->path.len = (size_t)(mark - rest.at);
		request->query = (struct http_span){mark + 1, rest.len - request->path.len - 1};
	}
	return request->path.len <= HTTP_PATH_MAX || http_refuse(refusal, 414, "the path is too long");
}

/* scheme: the length of "http://" or "https://" in the target. */
static bool parse_absolute(struct http_span target, size_t scheme, struct http_request *request,
			   struct http_refusal *refusal)
{
	size_t end = scheme;

	while (end < target.len && target.at[end] != '/' && target.at[end] != '?')
		end++;
	if (!http_authority_parse((struct http_span){target.at + scheme, end - scheme}, &request->host, refusal))
		return false;
	if (!split_query((struct http_span){target.at + end, target.len - end}, request, refusal))
		return false;
	if (request->path.len == 0) /* RFC 9110 4.2.3: an empty path is "/"; the scheme's last slash serves as one */
		request->path = (struct http_span){target.at + scheme - 1, 1};
	return true;
}

bool http_target_parse(struct http_span target, struct http_request *request, struct http_refusal *refusal)
{
	static const char *const schemes[] = {"https://", "http://"};

	request->target = target;
	request->path = request->query = request->host = (struct http_span){NULL, 0};
	if (http_span_equal(request->method, "CONNECT"))
		return http_refuse(refusal, 501, "CONNECT is not for a gateway");
	if (target.len == 0)
		return http_refuse(refusal, 400, "an empty target");
	if (!check_characters(target, refusal))
		return false;
	if (target.at[0] == '/') {
		return split_query(target, request, refusal);
	}
	if (http_span_equal(target, "*")) {
		request->path = target;
		return http_span_equal(request->method, "OPTIONS") ||
		       http_refuse(refusal, 400, "the target * is for OPTIONS only");
	}
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i]);
		if (target.len >= len && http_span_equal_nocase((struct http_span){target.at, len}, schemes[i]))
			return parse_absolute(target, len, request, refusal);
	}
	return http_refuse(refusal, 400, "a target that is neither a path nor an http or https URI");
}

void http_target_merge_front(struct http_request *request)
{
	while (request->path.len > 1 && request->path.at[0] == '/' && request->path.at[1] == '/') {
		request->path.at++;
		request->path.len--;
	}
}

size_t http_target_origin(const struct http_request *request, char out[static HTTP_ORIGIN_MAX])
{
	size_t len = request->path.len;

	memcpy(out, request->path.at, len);
	if (request->query.at != NULL) {
		out[len++] = '?';
		memcpy(out + len, request->query.at, request->query.len);
		len += request->query.len;
	}
	return len;
}

size_t http_host_text(const struct http_request *head, char host[static HTTP_HOST_MAX + 1])
{
	struct http_span name = head->host;
	size_t len = 0;

	for (; len < name.len && len < HTTP_HOST_MAX; len++) {
		char c = name.at[len];
		host[len] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	if (len > 1 && host[len - 1] == '.')
		len--; /* a fully qualified spelling of the same name */
	host[len] = '\0';
	return len;
}
