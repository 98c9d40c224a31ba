#include "http/interpret.h"

#include <string.h>

#include "http/lines.h"
#include "http/syntax.h"
#include "http/target.h"

/* The fields for framing and routing, found in one pass. */
struct known {
	const struct http_field *host, *length;
	size_t hosts, lengths, codings; /* how often each occurs */
	bool chunked, foreign;          /* Transfer-Encoding names chunked; or something else */
	bool close, keep_alive;         /* Connection's options */
	bool expects, expects_more;     /* 100-continue; or something else */
};

/* RFC 9112 6.1: this server supports only chunked: last, once, without parameters (7.1). */
static bool read_codings(struct http_span value, struct known *known, struct http_refusal *refusal)
{
	struct http_span coding;

	while (http_list_next(&value, &coding)) {
		const char *semicolon = coding.len > 0 ? memchr(coding.at, ';', coding.len) : NULL;
		struct http_span name = coding;
		if (semicolon != NULL)
			name = http_trim((struct http_span){coding.at, (size_t)(semicolon - coding.at)});
		if (!http_is_token(name))
			return http_refuse(refusal, 400, "a Transfer-Encoding that is no list of codings");
		if (known->chunked)
			return http_refuse(refusal, 400, "a transfer coding behind chunked");
		if (!http_span_is(name, "chunked"))
			known->foreign = true;
		else if (semicolon != NULL)
			return http_refuse(refusal, 400, "parameters of the chunked coding");
		else
			known->chunked = true;
	}
	return true;
}

static bool read_connection(struct http_span value, struct known *known, struct http_refusal *refusal)
{
	struct http_span option;

	while (http_list_next(&value, &option)) {
		if (option.len == 0) /* RFC 9110 5.6.1.2 */
			continue;
		if (!http_is_token(option))
			return http_refuse(refusal, 400, "a Connection that is no list of tokens");
		known->close |= http_span_equal_nocase(option, "close");
		known->keep_alive |= http_span_equal_nocase(option, "keep-alive");
	}
	return true;
}

static bool know_field(const struct http_field *field, uint8_t minor, struct known *known, struct http_refusal *refusal)
{
	switch (field->name.len) { /* most fields are none of these */
	case 4:
		if (http_span_is(field->name, "host")) {
			known->host = field;
			known->hosts++;
		}
		return true;
	case 6:
		if (minor == 0 || !http_span_is(field->name, "expect"))
			return true; /* RFC 9110 10.1.1: ignored in HTTP/1.0 */
		if (http_span_equal_nocase(field->value, "100-continue"))
			known->expects = true;
		else
			known->expects_more = true;
		return true;
	case 10:
		return !http_span_is(field->name, "connection") || read_connection(field->value, known, refusal);
	case 14:
		if (http_span_is(field->name, "content-length")) {
			known->length = field;
			known->lengths++;
		}
		return true;
	case 17:
		if (!http_span_is(field->name, "transfer-encoding"))
			return true;
		known->codings++;
		return read_codings(field->value, known, refusal);
	default:
		return true;
	}
}

/* RFC 9112 3.2: HTTP/1.1 requires exactly one, also with an absolute target, which takes precedence (3.2.2). */
static bool decide_host(struct http_request *request, const struct known *known, struct http_refusal *refusal)
{
	struct http_span host = {request->target.at, 0};

	if (known->hosts > 1)
		return http_refuse(refusal, 400, "more than one Host field");
	if (known->hosts == 0 && request->minor > 0)
		return http_refuse(refusal, 400, "no Host field");
	bool none = known->hosts == 0 || (request->minor == 0 && known->host->value.len == 0);
	if (!none && !http_authority_parse(known->host->value, &host, refusal))
		return false;
	if (request->host.at == NULL)
		request->host = host;
	return true;
}

/* RFC 9112 6.3, without its tolerance. */
static bool decide_framing(struct http_request *request, const struct known *known, struct http_refusal *refusal)
{
	request->framing = HTTP_BODY_NONE;
	request->length = 0;
	if (known->lengths > 1)
		return http_refuse(refusal, 400, "more than one Content-Length field");
	if (known->lengths > 0 && known->codings > 0)
		return http_refuse(refusal, 400, "both Content-Length and Transfer-Encoding");
	if (known->codings > 0 && request->minor == 0)
		return http_refuse(refusal, 400, "Transfer-Encoding in HTTP/1.0");
	if (known->foreign)
		return http_refuse(refusal, 501, "a transfer coding other than chunked");
	if (known->codings > 0)
		request->framing = HTTP_BODY_CHUNKED;
	if (known->lengths == 0)
		return true;
	request->framing = HTTP_BODY_LENGTH;
	return http_read_length(known->length->value, &request->length) ||
	       http_refuse(refusal, 400, "a Content-Length that is no number below 2^63");
}

bool http_interpret(struct http_request *request, struct http_refusal *refusal)
{
	struct known known = {0};

	for (size_t i = 0; i < request->field_count; i++)
		if (!know_field(&request->fields[i], request->minor, &known, refusal))
			return false;
	if (!decide_host(request, &known, refusal) || !decide_framing(request, &known, refusal))
		return false;
	if (known.expects_more)
		return http_refuse(refusal, 417, "an Expect that is not 100-continue");
	request->keep_alive = !known.close && (request->minor > 0 || known.keep_alive);
	request->expect_continue = known.expects && (request->framing == HTTP_BODY_CHUNKED || request->length > 0);
	request->is_head = http_span_equal(request->method, "HEAD");
	return true;
}

static bool read_forwards(struct http_span value, uint64_t *left)
{
	*left = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		*left = *left * 10 + (uint64_t)(value.at[i] - '0');
		if (*left > HTTP_FORWARDS_MAX)
			*left = HTTP_FORWARDS_MAX;
	}
	return value.len > 0;
}

enum http_forwards http_max_forwards(const struct http_request *request, uint64_t *left)
{
	enum http_forwards found = HTTP_FORWARDS_ANY;

	if (!http_span_equal(request->method, "OPTIONS") && !http_span_equal(request->method, "TRACE"))
		return HTTP_FORWARDS_ANY;
	for (size_t i = 0; i < request->field_count; i++) {
		if (!http_span_is(request->fields[i].name, "Max-Forwards"))
			continue;
		if (found != HTTP_FORWARDS_ANY || !read_forwards(request->fields[i].value, left))
			return HTTP_FORWARDS_BAD;
		found = HTTP_FORWARDS_LIMITED;
	}
	return found;
}
