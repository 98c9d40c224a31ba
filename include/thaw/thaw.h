/* libthaw: client certificates on demand, without the freeze. See ask.h for where to begin. */
#ifndef THAW_THAW_H
#define THAW_THAW_H

#include <thaw/ask.h>
#include <thaw/spool.h>
#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define THAW_VERSION_MAJOR 0
#define THAW_VERSION_MINOR 1
#define THAW_VERSION_PATCH 0
#define THAW_VERSION       "0.1.1"

/* The version of the library that runs, which may be newer than THAW_VERSION of the headers. */
const char *thaw_version(void);

#ifdef __cplusplus
}
#endif
#endif
