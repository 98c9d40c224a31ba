/* Pass phrases and PINs: asked for on the terminal, or read from a source; never taken from the command line. */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include <stdbool.h>

#include "tls/credentials.h"

/* Whether text is a source: "file:FILE", "fd:NUMBER" or "env:NAME" (openssl-passphrase-options(1)). */
bool cli_secret_is_source(const char *text);

/*
 * A callback for struct tls_secret; arg: a source, or NULL. Without a source it asks on /dev/tty, whatever standard
 * input is, without echo; a signal that ends or stops the process restores the terminal first. It reads the first
 * line of a file, and the next line of a descriptor but nothing after it.
 */
enum thaw_status cli_secret_ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err);

/* Call once no more secrets are needed: overwrites and removes the variable of an "env:NAME". source may be NULL. */
void cli_secret_forget(const char *source);

/* Overwrites the string and frees it. */
void cli_secret_free(char **secret);

/* Overwrites an argument of the command line, which other users can see. */
void cli_secret_hide(char *argument);

#endif
