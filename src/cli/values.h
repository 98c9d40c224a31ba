/* Values of options that more than one command has. */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include "thaw/types.h"

/* A whole number with an optional unit. False if it is not one, or if it is too large. */
bool cli_read_size(const char *text,
		   uint64_t *bytes); /* B, K or KiB, M or MiB, G or GiB; at most 1024 GiB; k, m and g as well */
bool cli_read_time(const char *text, uint32_t *ms); /* s, ms, m; seconds without a unit; at most an hour */

/* A whole number within these bounds. */
bool cli_read_number(const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* RFC 9110 5.6.2: a method, or a field name. */
bool cli_is_token(const char *text);

/* "Name: value": the name is a token, the value has no control characters except tabs. */
bool cli_is_field(const char *line);

/* A field value: not empty, without control characters. */
bool cli_is_value(const char *text);

/* Converts the host of *url to ASCII; the caller frees *made. EX_USAGE or EX_OSERR after printing an error. */
int cli_take_url(const char *command, const char **url, char **made);

/* Converts a DNS name to ASCII, for the caller to free; NULL on errors. EX_OK, or EX_USAGE or EX_OSERR after
 * printing an error. */
int cli_take_name(const char *command, const char *option, const char *value, char **name);

/* Whether the file can be read. False with *err set. */
bool cli_can_read(const char *file, struct thaw_error *err);

/* Creates the file that SSLKEYLOGFILE names with mode 0600, or checks that it can be written. Call it before libcurl is
 * initialized: it opens the file with fopen(3), so that everybody could read a new one, and does not report failures.
 * False with *err set. */
bool cli_make_key_log(struct thaw_error *err);

#endif
