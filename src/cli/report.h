/* Error messages of the commands. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "base/json_schema.h"
#include "thaw/types.h"

/* The exit code for the error's class: EX_CONFIG, EX_OSERR, ... */
int cli_exit_code(const struct thaw_error *err);

/* Print "thaw: error: TEXT" and "thaw: warning: TEXT" on standard error, with the priority if standard error is
 * systemd's journal. */
void cli_error(const char *format, ...) THAW_PRINTF(1, 2);
void cli_warn(const char *format, ...) THAW_PRINTF(1, 2);

/* Prints the error with cli_error(); returns the exit code. */
int cli_fail(const struct thaw_error *err);

/* Call after getopt_long() has returned '?' or ':'. Prints the option and where to find help. Returns EX_USAGE. */
struct option;
int cli_bad_option(const char *command, char **argv, const struct option *options, int result);

/* Prints any other usage error. Returns EX_USAGE. */
int cli_bad_usage(const char *command, const char *format, ...) THAW_PRINTF(2, 3);

/* Prints text on standard output. Returns EX_OK, or EX_IOERR if it could not be written. */
int cli_print(const char *text);

#endif
