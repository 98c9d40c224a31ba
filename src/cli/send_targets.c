/* The files that `thaw send` sends, and the URLs. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "cli/report.h"
#include "cli/send_options.h"
#include "cli/values.h"
#include "send/url.h"

static bool begins(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

static bool is_http(const char *url)
{
	return begins(url, "https://") || begins(url, "http://");
}

static bool is_standard_input(const char *file)
{
	return file != NULL && strcmp(file, "-") == 0;
}

static int check_url(struct send_arguments *arguments, const char *given)
{
	struct send_options *send = &arguments->send;
	const char *url = given;

	if (!is_http(given))
		return cli_bad_usage("send", "'%s': a URL must begin with https:// or http://", given);
	if (send->sni != NULL && !begins(given, "https://"))
		return cli_bad_usage("send", "--sni can only be used with https://, not with '%s'", given);
	int code = cli_take_url("send", &url, &arguments->urls[arguments->url_count]);
	arguments->url_count += code == EX_OK;
	const char *fault = code == EX_OK ? send_url_fault(url) : NULL;
	if (fault != NULL)
		return cli_bad_usage("send", "'%s': not a URL: %s", url, fault);
	if (code != EX_OK || send->prime_url == NULL ||
	    send_url_relation(url, send->prime_url) != SEND_URL_OTHER_ORIGIN)
		return code;
	return cli_bad_usage("send", "--prime-url '%s' must name the same server as '%s'", send->prime_url, url);
}

/* Distinguishes a missing file from a missing URL. */
static int check_files(const struct send_arguments *arguments)
{
	const struct send_options *send = &arguments->send;
	bool many = send_count(arguments) > 1, put = strcmp(send->method, "PUT") == 0;

	if (send->part_count > 0 && arguments->file_count > 0)
		return cli_bad_usage("send", "unexpected argument '%s': with --form, name files in --form only",
				     arguments->files[0]);
	if (send->part_count == 0 && arguments->file_count == 0)
		return cli_bad_usage("send", "no file given; name it before the URL, or use - for standard input");
	for (size_t i = 0; i < arguments->file_count && many; i++)
		if (is_standard_input(arguments->files[i]))
			return cli_bad_usage("send",
					     "standard input (-) cannot be used with other files or with several URLs");
	for (size_t i = 0; i < arguments->url_count && arguments->file_count > 1 && put; i++)
		if (!send_url_is_folder(arguments->urls[i]))
			return cli_bad_usage("send", "'%s': to send several files, the path of the URL must end in '/'",
					     arguments->urls[i]);
	return EX_OK;
}

int send_take_targets(struct send_arguments *arguments, char **words, size_t count)
{
	size_t urls = 0;
	int code = EX_OK;

	for (size_t i = 0; i < count; i++)
		urls += strstr(words[i], "://") != NULL;
	bool needs_url = urls == 0 && count >= (arguments->send.part_count > 0 ? 1U : 2U);
	if (urls == 0 && !needs_url)
		return cli_bad_usage(
			"send",
			count == 0 && arguments->send.part_count == 0
				? "no file and no URL given; use 'thaw send FILE URL', or - as FILE for standard input"
				: "no URL given");
	arguments->files = calloc(count, sizeof(*arguments->files));
	arguments->urls = calloc(count, sizeof(*arguments->urls));
	if (arguments->files == NULL || arguments->urls == NULL)
		return cli_fail(&(struct thaw_error){.cls = THAW_ERR_RESOURCE, .text = "out of memory"});
	for (size_t i = 0; i < count && code == EX_OK; i++) {
		if (strstr(words[i], "://") != NULL || (needs_url && i + 1 == count))
			code = check_url(arguments, words[i]);
		else
			arguments->files[arguments->file_count++] = words[i];
	}
	return code == EX_OK ? check_files(arguments) : code;
}

size_t send_count(const struct send_arguments *arguments)
{
	return arguments->url_count * (arguments->send.part_count > 0 ? 1 : arguments->file_count);
}

bool send_choose(struct send_arguments *arguments, size_t number, char **url, struct thaw_error *err)
{
	struct send_options *send = &arguments->send;
	size_t each = send->part_count > 0 ? 1 : arguments->file_count;
	const char *to = arguments->urls[number / each];

	send->file = send->part_count > 0 ? NULL : arguments->files[number % each];
	bool names = !is_standard_input(send->file) && strcmp(send->method, "PUT") == 0;
	*url = send_url_name(to, names ? send->file : NULL, err);
	send->url = *url;
	return *url != NULL;
}
