#include "cli/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/report.h"
#include "send/url.h"

#define SIZE_MAX_BYTES (1ULL << 40)
#define TIME_MAX_MS    3600000
#define NAME_ROOM      128 /* of a field's name, with its NUL */

struct unit {
	const char *name;
	uint64_t factor;
};

static bool read_amount(const char *text, const struct unit *units, uint64_t max, uint64_t *amount)
{
	char *end = NULL;

	if (text[0] < '0' || text[0] > '9')
		return false;
	unsigned long long number = strtoull(text, &end, 10);
	for (const struct unit *unit = units; unit->name != NULL; unit++)
		if (strcasecmp(end, unit->name) == 0) {
			*amount = number * unit->factor;
			return number <= max / unit->factor;
		}
	return false;
}

bool cli_read_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = {{"", 1},          {"B", 1},          {"KiB", 1ULL << 10},
					    {"MiB", 1 << 20}, {"GiB", 1 << 30},  {"K", 1ULL << 10},
					    {"M", 1 << 20},   {"G", 1ULL << 30}, {NULL, 0}};
	return read_amount(text, units, SIZE_MAX_BYTES, bytes);
}

bool cli_read_time(const char *text, uint32_t *ms)
{
	static const struct unit units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {NULL, 0}};
	uint64_t amount = 0;
	bool ok = read_amount(text, units, TIME_MAX_MS, &amount);

	*ms = (uint32_t)amount;
	return ok;
}

bool cli_read_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	static const struct unit none[] = {{"", 1}, {NULL, 0}};
	return read_amount(text, none, max, number) && *number >= min;
}

bool cli_is_token(const char *text)
{
	return text[0] != '\0' &&
	       text[strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] ==
		       '\0';
}

bool cli_is_field(const char *line)
{
	char name[NAME_ROOM];
	size_t len = strcspn(line, ":");

	if (line[len] != ':' || len >= sizeof(name))
		return false;
	memcpy(name, line, len);
	name[len] = '\0';
	for (const char *at = line; *at != '\0'; at++)
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == '\x7f')
			return false;
	return cli_is_token(name);
}

bool cli_can_read(const char *file, struct thaw_error *err)
{
	return access(file, R_OK) == 0 || error_system(err, errno, "%s", file) == THAW_OK;
}

int cli_take_url(const char *command, const char **url, char **made)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	*made = send_url_ascii(*url, &err);
	if (*made != NULL)
		*url = *made;
	else if (err.cls != THAW_ERR_USAGE)
		return cli_fail(&err);
	return *made != NULL ? EX_OK : cli_bad_usage(command, "%s", err.text);
}
