#include "cli/report.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/printable.h"

#define USAGE_ROOM 4096

int cli_exit_code(const struct thaw_error *err)
{
	static const int codes[] = {
		[THAW_ERR_NONE] = EX_OK,        [THAW_ERR_PEER] = EX_PROTOCOL,    [THAW_ERR_USAGE] = EX_USAGE,
		[THAW_ERR_RESOURCE] = EX_OSERR, [THAW_ERR_TIMEOUT] = EX_TEMPFAIL, [THAW_ERR_SYSTEM] = EX_OSERR,
		[THAW_ERR_CONFIG] = EX_CONFIG,
	};

	return codes[err->cls];
}

static void put_line(enum journal_priority priority, const char *level, const char *format, va_list args)
	THAW_PRINTF(3, 0);
static void put_line(enum journal_priority priority, const char *level, const char *format, va_list args)
{
	(void)fprintf(stderr, "%sthaw: %s: ", journal_prefix(priority, journal_is(STDERR_FILENO)), level);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
}

void cli_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(JOURNAL_ERROR, "error", format, args);
	va_end(args);
}

void cli_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(JOURNAL_WARNING, "warning", format, args);
	va_end(args);
}

int cli_fail(const struct thaw_error *err)
{
	cli_error("%s", err->text);
	return cli_exit_code(err);
}

static int see_help(const char *command)
{
	(void)fprintf(stderr, "see: thaw %s --help\n", command);
	return EX_USAGE;
}

int cli_bad_usage(const char *command, const char *format, ...)
{
	char text[USAGE_ROOM]; /* arguments may contain anything */
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fprintf(stderr, "thaw %s: ", command);
	(void)printable_put(stderr, text, strlen(text), "");
	(void)fputc('\n', stderr);
	return see_help(command);
}

int cli_print(const char *text)
{
	return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

/* How many options begin with this text. If it is more than one, getopt_long() rejects the option as ambiguous. */
static unsigned begins(const struct option *options, const char *word)
{
	unsigned count = 0;

	for (; options->name != NULL; options++)
		count += strncmp(options->name, word, strcspn(word, "=")) == 0;
	return count;
}

int cli_bad_option(const char *command, char **argv, const struct option *options, int result)
{
	const char *word = argv[optind - 1];

	/* getopt_long() sets optopt for a short option; an unknown long one is in argv[optind - 1]. */
	if (optopt > 0 && optopt < 128 && word[1] != '-')
		return cli_bad_usage(command, result == ':' ? "option -%c requires an argument" : "unknown option -%c",
				     optopt);
	if (result == ':')
		return cli_bad_usage(command, "option %s requires an argument", word);
	if (begins(options, word + 2) == 0)
		return cli_bad_usage(command, "unknown option %s", word);
	return strchr(word, '=') != NULL && optopt != 0
		       ? cli_bad_usage(command, "option %.*s takes no argument", (int)strcspn(word, "="), word)
		       : cli_bad_usage(command, "option %s is ambiguous; use its full name", word);
}
