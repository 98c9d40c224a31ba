/*
 * Structs of the public interface that begin with their size, so that fields can be added at their end: a caller that
 * was compiled against another version of the library has a shorter or a longer one.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* How large the struct is up to the end of that field: the last one that every caller must have. */
#define SIZED_UP_TO(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* For messages: of which struct. */
#define SIZED_WRONG "the size of struct %s is wrong, or it sets a field that this version of the library does not have"

/* No version has a longer one: a size above it was not set. */
#define SIZED_MOST 4096

/*
 * The caller's struct into ours of that size. What the caller's does not have becomes zero: the default. False: it is
 * shorter than `least`, or sets a field that this version does not have.
 */
bool sized_take(void *ours, size_t size, const void *theirs, size_t least);

/* Ours into the caller's, as far as that goes, whose size is set. What ours does not have becomes zero. */
bool sized_give(void *theirs, const void *ours, size_t size, size_t least);

#endif
