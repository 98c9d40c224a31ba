/*
 * A function on a stack of its own, which can pause in the middle and go on later. For a library that calls back and
 * needs the answer at once, although the answer comes later: the callback pauses, and its caller continues with
 * something else.
 *
 * Not for several threads: a fibre belongs to the thread that begins it. It shares errno, and OpenSSL's error queue,
 * with that thread.
 */
#ifndef BASE_FIBRE_H
#define BASE_FIBRE_H

#include <stdbool.h>

/*
 * Size of a stack. Only the pages that are used take memory; below them is a page that cannot be accessed. A TLS
 * handshake uses less than 32 KiB (docs/MEASURED.md).
 */
#define FIBRE_STACK 262144

struct fibre;

/* NULL: out of memory. A fibre can run one function after another. */
struct fibre *fibre_new(void);
/* Not while its function is paused: what that function holds would be lost. */
void fibre_free(struct fibre **fibre);

/* Runs fn(arg) until it returns (true) or pauses (false). */
bool fibre_begin(struct fibre *fibre, void (*fn)(void *arg), void *arg);
/* Continues a paused function; returns the same. */
bool fibre_resume(struct fibre *fibre);

/* In the function: back to the caller of fibre_begin() or fibre_resume(), until the next fibre_resume(). */
void fibre_pause(struct fibre *fibre);

#endif
