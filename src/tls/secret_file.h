/*
 * Secrets that are read from files: pass phrases, PINs, ticket keys. A daemon has nobody to ask, so nothing here waits
 * for a person: not at a terminal, and not for what somebody may write into a pipe.
 */
#ifndef TLS_SECRET_FILE_H
#define TLS_SECRET_FILE_H

#include <sys/types.h>

#include "thaw/types.h"

/*
 * Reads a whole file of at most max bytes; text has room for one more. refused: bits of the file's mode with which it
 * is not read; 0: none. What *err gets begins with the file's name. The caller wipes text, also after a failure.
 */
enum thaw_status tls_secret_file_read(const char *file, mode_t refused, char *text, size_t max, size_t *len,
				      struct thaw_error *err) THAW_MUST_CHECK;

/* The file's first line, without its end, as a tls_secret's ask() gives it. arg: the file's name. */
enum thaw_status tls_secret_file_ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err);

/* For OpenSSL's readers of PEM files, in place of the default that asks at the terminal: gives no pass phrase. */
int tls_no_pass_phrase(char *into, int room, int writing, void *arg);

/* For programs, not for a library: whatever in this process asks a person through OpenSSL gets no answer. False: no
 * memory. */
bool tls_disable_prompts(void);

#endif
