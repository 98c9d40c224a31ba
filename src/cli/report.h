/* What commands tell their caller when they cannot do as asked. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "base/json_schema.h"
#include "thaw/types.h"

/* EX_CONFIG, EX_OSERR, ... for the error's class. */
int cli_exit_code(const struct thaw_error *err);

/* "thaw: error: TEXT" and "thaw: warning: TEXT" on standard error, with the priority if that is systemd's journal. */
void cli_error(const char *format, ...) THAW_PRINTF(1, 2);
void cli_warn(const char *format, ...) THAW_PRINTF(1, 2);

/* The error, by cli_error(); the exit code. */
int cli_fail(const struct thaw_error *err);

/* After getopt_long() has returned '?' or ':': names the option, and where to find help. EX_USAGE. */
struct option;
int cli_bad_option(const char *command, char **argv, const struct option *options, int result);

/* Any other misuse. EX_USAGE. */
int cli_bad_usage(const char *command, const char *format, ...) THAW_PRINTF(2, 3);

/* Text on standard output. EX_OK, or EX_IOERR when it could not be written. */
int cli_print(const char *text);

#endif
