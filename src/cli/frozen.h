/* `thaw demo --frozen-server`: the server that freezes, for users to try their own clients on. */
#ifndef CLI_FROZEN_H
#define CLI_FROZEN_H

#include "demo/frozen.h"

/* Serves at HOST:PORT until it is interrupted; the options but for their listener, and their pki where it is not
 * THROWAWAY_PKI. The exit code. */
int frozen_serve(const char *address, struct frozen_options *options);

#endif
