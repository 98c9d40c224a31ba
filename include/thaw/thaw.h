/* All of libthaw: client certificates on demand, without the freeze. See thaw/ask.h for where to begin. */
#ifndef THAW_THAW_H
#define THAW_THAW_H

#include <thaw/ask.h>
#include <thaw/identity.h>
#include <thaw/spool.h>
#include <thaw/trust.h>
#include <thaw/types.h>

#endif
