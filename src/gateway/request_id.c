#include "gateway/request_id.h"

#include <string.h>
#include <sys/random.h>

#include "base/ascii.h"

#define HALF 5 /* bytes: 40 bits, 8 characters */

void gw_request_id(struct gw_request_ids *ids, char id[static GW_REQUEST_ID_ROOM])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* 5 bits each */

	id[0] = '\0';
	if (ids->left == 0) {
		if (getrandom(ids->bytes, sizeof(ids->bytes), 0) != (ssize_t)sizeof(ids->bytes))
			return;
		ids->left = sizeof(ids->bytes);
	}
	for (size_t half = 0; half < GW_REQUEST_ID_BYTES / HALF; half++) {
		uint64_t bits = 0;
		ids->left -= HALF;
		for (size_t i = 0; i < HALF; i++)
			bits = bits << 8 | ids->bytes[ids->left + i];
		for (size_t i = 0; i < 8; i++, bits >>= 5)
			*id++ = digits[bits & 31];
	}
	*id = '\0';
}

bool gw_request_id_is_fit(const char *text, size_t len)
{
	static const char marks[] = {'-', '_', '.', ':', '/', '+', '=', '@', '~'};

	for (size_t i = 0; i < len; i++)
		if (!ascii_is_alnum(text[i]) && memchr(marks, text[i], sizeof(marks)) == NULL)
			return false;
	return len > 0 && len <= GW_REQUEST_ID_MAX;
}

bool gw_request_id_take(const struct http_request *head, const char *name, char id[static GW_REQUEST_ID_MAX + 1])
{
	const struct http_field *found = NULL;

	for (size_t i = 0; i < head->field_count; i++) {
		if (!http_span_equal_nocase(head->fields[i].name, name))
			continue;
		if (found != NULL)
			return false;
		found = &head->fields[i];
	}
	if (found == NULL || !gw_request_id_is_fit(found->value.at, found->value.len))
		return false;
	memcpy(id, found->value.at, found->value.len);
	id[found->value.len] = '\0';
	return true;
}
