/* What `thaw send` shows: the progress, the asks, the response's body, the outcome. */
#ifndef CLI_SEND_REPORT_H
#define CLI_SEND_REPORT_H

#include "base/json_schema.h"
#include "send/send.h"

#define SEND_REPORT_BODY_MAX 1048576 /* bytes of the response's body that --json shows */

struct send_report;

/* Sets tell, take and arg of the options. many: it is for more than one upload. NULL with *err set: no memory. */
struct send_report *send_report_new(struct send_options *options, bool many, bool json, bool quiet,
				    struct thaw_error *err);
void send_report_free(struct send_report **report);

/* Tells the outcome of an upload with these options (NULL: there was none), and is ready for another; the exit code. */
int send_report_end(struct send_report *report, const struct send_options *options, const struct send_result *result);

#endif
