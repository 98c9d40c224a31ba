#include "cli/values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/amount.h"
#include "base/error.h"
#include "cli/report.h"
#include "send/url.h"

#define SIZE_MAX_BYTES (1ULL << 40)
#define TIME_MAX_MS    3600000
#define NAME_ROOM      128 /* of a field's name, with its NUL */
#define DNS_NAME_MAX   253

bool cli_read_size(const char *text, uint64_t *bytes)
{
	static const struct amount_unit units[] = {
		{"", 1},           {"B", 1},          {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30},
		{"k", 1ULL << 10}, {"m", 1ULL << 20}, {"g", 1ULL << 30},   {"K", 1ULL << 10},   {"M", 1ULL << 20},
		{"G", 1ULL << 30}, {NULL, 0}};
	return amount_read(text, units, SIZE_MAX_BYTES, bytes) == AMOUNT_OK;
}

bool cli_read_time(const char *text, uint32_t *ms)
{
	static const struct amount_unit units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {NULL, 0}};
	uint64_t amount = 0;
	bool ok = amount_read(text, units, TIME_MAX_MS, &amount) == AMOUNT_OK;

	*ms = (uint32_t)amount;
	return ok;
}

bool cli_read_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	static const struct amount_unit none[] = {{"", 1}, {NULL, 0}};
	return amount_read(text, none, max, number) == AMOUNT_OK && *number >= min;
}

bool cli_is_token(const char *text)
{
	return text[0] != '\0' &&
	       text[strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] ==
		       '\0';
}

static bool has_no_control(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == '\x7f')
			return false;
	return true;
}

bool cli_is_field(const char *line)
{
	char name[NAME_ROOM];
	size_t len = strcspn(line, ":");

	if (line[len] != ':' || len >= sizeof(name))
		return false;
	memcpy(name, line, len);
	name[len] = '\0';
	return has_no_control(line) && cli_is_token(name);
}

bool cli_is_value(const char *text)
{
	return text[0] != '\0' && has_no_control(text);
}

bool cli_can_read(const char *file, struct thaw_error *err)
{
	return access(file, R_OK) == 0 || error_system(err, errno, "%s", file) == THAW_OK;
}

bool cli_make_key_log(struct thaw_error *err)
{
	const char *file = getenv("SSLKEYLOGFILE");
	struct stat facts;

	if (file == NULL || file[0] == '\0')
		return true;
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd >= 0)
		return close(fd) == 0;
	int error = errno;
	if (error == EEXIST && access(file, W_OK) == 0 && stat(file, &facts) == 0)
		error = S_ISDIR(facts.st_mode) ? EISDIR : 0;
	else if (error == EEXIST)
		error = errno; /* of access() or stat() */
	return error == 0 ||
	       error_set(err, THAW_ERR_CONFIG, "%s: %s (SSLKEYLOGFILE)", file, strerror(error)) == THAW_OK;
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

/* RFC 6066 3: a DNS name without a trailing dot, not an address. Underscores are also in use. */
static bool is_dns_name(const char *text)
{
	struct in_addr address;
	size_t len = strlen(text);

	return len > 0 && len <= DNS_NAME_MAX && text[0] != '.' && text[0] != '-' && text[len - 1] != '.' &&
	       strstr(text, "..") == NULL &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] == '\0' &&
	       inet_pton(AF_INET, text, &address) != 1;
}

int cli_take_name(const char *command, const char *option, const char *value, char **name)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	*name = send_host_ascii(value, &err);
	if (*name == NULL && err.cls != THAW_ERR_USAGE)
		return cli_fail(&err);
	if (*name != NULL && is_dns_name(*name))
		return EX_OK;
	free(*name);
	*name = NULL;
	return cli_bad_usage(command, "--%s '%s': allowed: a DNS name, such as www.example.com", option, value);
}
