/* The output of `thaw send`: progress, asks, the response's body, the outcome. */
#ifndef CLI_SEND_REPORT_H
#define CLI_SEND_REPORT_H

#include "base/json_schema.h"
#include "send/send.h"

#define SEND_REPORT_BODY_MAX 1048576 /* bytes of the response's body that --json shows */

struct send_report;

/* Sets tell, take and arg of the options. many: there is more than one upload. NULL with *err set if out of memory. */
struct send_report *send_report_new(struct send_options *options, bool many, bool json, bool quiet,
				    struct thaw_error *err);
void send_report_free(struct send_report **report);

/* Prints the outcome of the upload with these options (NULL: no upload was made) and resets the report. Returns the
 * exit code. */
int send_report_end(struct send_report *report, const struct send_options *options, const struct send_result *result);

#endif
