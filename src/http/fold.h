/*
 * Text as services fold it that compare names loosely: case, width, ligatures and accents ignored, so that spellings
 * which any of them takes for one become equal. Unicode's compatibility decomposition and case folding, cut down to
 * what matters for paths; the table is made by script/unicode-fold.
 */
#ifndef HTTP_FOLD_H
#define HTTP_FOLD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Folds UTF-8 text into out, which has room for len bytes: the result is never longer. Bytes that are not UTF-8 stay.
 * ascii_case: ASCII letters become lower case, too. Returns the result's length.
 */
size_t http_fold(const char *text, size_t len, bool ascii_case, char *out);

/* How many bytes at text are one UTF-8 character beyond ASCII that folds to a slash or a backslash; 0: it does not. */
size_t http_folds_to_slash(const char *text, size_t len);

#endif
