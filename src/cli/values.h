/* Values of options that more than one command takes. */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include "thaw/types.h"

/* A whole number followed by a unit, or none. False: it is not, or is more than the most that is allowed. */
bool cli_read_size(const char *text,
		   uint64_t *bytes); /* B, K or KiB, M or MiB, G or GiB; at most 1024 GiB; k, m and g as well */
bool cli_read_time(const char *text, uint32_t *ms); /* s, ms, m; seconds without a unit; at most an hour */

/* A whole number within these bounds; nothing else. */
bool cli_read_number(const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* RFC 9110 5.6.2: of a method, or a field's name. */
bool cli_is_token(const char *text);

/* "Name: value": the name is a token, the value has no control characters but tabs. */
bool cli_is_field(const char *line);

/* A field's value: not empty, and without control characters. */
bool cli_is_value(const char *text);

/* *url with its host in ASCII, for the caller to free with *made; EX_USAGE or EX_OSERR, reported: it has none. */
int cli_take_url(const char *command, const char **url, char **made);

/* The DNS name that is an option's value, in ASCII, for the caller to free; NULL otherwise. EX_OK, EX_USAGE or
 * EX_OSERR, reported. */
int cli_take_name(const char *command, const char *option, const char *value, char **name);

/* Whether a file can be read. False with *err set. */
bool cli_can_read(const char *file, struct thaw_error *err);

#endif
