/*
 * Reads secrets from files: pass phrases, PINs, ticket keys. A daemon cannot prompt a user, so nothing here waits for a
 * terminal or for the writer of a pipe.
 */
#ifndef TLS_SECRET_FILE_H
#define TLS_SECRET_FILE_H

#include <sys/types.h>

#include "thaw/types.h"

/*
 * Reads a whole file of at most max bytes; text has room for one more. refused: mode bits that the file must not have;
 * 0: none. The text of *err begins with the file's name. The caller wipes text, also after a failure.
 */
enum thaw_status tls_secret_file_read(const char *file, mode_t refused, char *text, size_t max, size_t *len,
				      struct thaw_error *err) THAW_MUST_CHECK;

/* An ask() function of struct tls_secret, which returns the file's first line without its end. arg: the file's name. */
enum thaw_status tls_secret_file_ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err);

/* A pass phrase callback for OpenSSL that gives none; OpenSSL's default asks at the terminal. */
int tls_no_pass_phrase(char *into, int room, int writing, void *arg);

/* Disables all prompts of OpenSSL in this process. For programs, not for libraries. False: out of memory. */
bool tls_disable_prompts(void);

#endif
