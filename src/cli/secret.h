/* Pass phrases and PINs: asked for on the terminal, or read where a source says; never taken from the command line. */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include <stdbool.h>

#include "tls/credentials.h"

/* Whether text is a source: "file:FILE", "fd:NUMBER" or "env:NAME" (as of openssl-passphrase-options(1)). */
bool cli_secret_is_source(const char *text);

/*
 * For a struct tls_secret; arg: a source, or NULL. Without one it asks on /dev/tty, whatever standard input is, and
 * shows nothing of what is typed. A signal that ends or stops the process finds the terminal as it was. Of a file it is
 * the first line; of a descriptor the next, and nothing is read behind its end.
 */
enum thaw_status cli_secret_ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err);

/* Once a secret is not asked for any more: overwrites the variable of an "env:NAME", and removes it. source: or NULL.
 */
void cli_secret_forget(const char *source);

/* Overwrites and frees it. */
void cli_secret_free(char **secret);

/* Overwrites what stands on the command line, which other users can see. */
void cli_secret_hide(char *argument);

#endif
