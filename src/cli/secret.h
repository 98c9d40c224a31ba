/* Pass phrases and PINs, asked for on the terminal: never taken from the command line or the environment. */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include "tls/credentials.h"

/*
 * For a struct tls_secret; arg is not used. Asks on /dev/tty, whatever standard input is, and shows nothing of what is
 * typed. A signal that ends or stops the process finds the terminal as it was.
 */
enum thaw_status cli_secret_ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err);

#endif
