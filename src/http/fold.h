/*
 * Folds text as services do that compare names loosely, ignoring case, width, ligatures and accents: names that some
 * service treats as the same become equal. Uses Unicode's compatibility decomposition and case folding, reduced to what
 * matters for paths; script/unicode-fold generates the table.
 */
#ifndef HTTP_FOLD_H
#define HTTP_FOLD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Folds UTF-8 text into out, which has room for len bytes: the result is never longer. Invalid UTF-8 is copied.
 * ascii_case: also convert ASCII letters to lower case. Returns the length of the result.
 */
size_t http_fold(const char *text, size_t len, bool ascii_case, char *out);

/* The length of the non-ASCII UTF-8 character at text, if it folds to a slash or a backslash; otherwise 0. */
size_t http_folds_to_slash(const char *text, size_t len);

#endif
