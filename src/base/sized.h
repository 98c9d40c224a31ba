/*
 * Structs of the public API that begin with their size, so that fields can be added at the end. A caller that was
 * compiled against another version of the library has a shorter or a longer struct.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* The size of the struct up to and including that field, the last one that every caller must have. */
#define SIZED_UP_TO(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* Error format; its argument is the name of the struct. */
#define SIZED_WRONG "the size of struct %s is wrong, or it sets a field that this version of the library does not have"

/* Larger than any version's struct. A larger size means that the field was not initialized. */
#define SIZED_MAX 4096

/*
 * Copies the caller's struct into ours of that size. Fields that the caller's does not have become zero, the default.
 * False: it is shorter than `least`, or sets a field that this version does not have.
 */
bool sized_take(void *ours, size_t size, const void *theirs, size_t least);

/* Copies ours into the caller's, whose size is set. Fields that ours does not have become zero. False: its size is
 * wrong. */
bool sized_give(void *theirs, const void *ours, size_t size, size_t least);

#endif
