/* --form of `thaw send`. */
#ifndef CLI_SEND_FORM_H
#define CLI_SEND_FORM_H

#include "send/send.h"

/*
 * Adds a field, as curl's --form names it: NAME=@FILE, NAME=<FILE or NAME=TEXT, then ";type=" and ";filename=". The
 * value is cut in place, and is to last. EX_OK; or EX_USAGE, after an error message.
 */
int send_take_part(struct send_options *send, char *value);

#endif
