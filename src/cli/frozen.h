/* `thaw demo --frozen-server`: the server that freezes, for users to test their own clients. */
#ifndef CLI_FROZEN_H
#define CLI_FROZEN_H

#include "demo/frozen.h"

/* Serves at HOST:PORT until it is interrupted. Sets the listener in the options, and the pki if it is not
 * THROWAWAY_PKI. Returns the exit code. */
int frozen_serve(const char *address, struct frozen_options *options);

#endif
