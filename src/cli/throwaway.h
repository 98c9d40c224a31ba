/* The set-up of `thaw serve` without a configuration: a PKI of its own, and every way of asking to try. */
#ifndef CLI_THROWAWAY_H
#define CLI_THROWAWAY_H

#include <stddef.h>
#include <stdio.h>

#include "config/config.h"

#define THROWAWAY_PKI "./thaw-pki"

/*
 * Makes the PKI in the folder pki, unless it is there, and the settings. listens: addresses as in a configuration;
 * none: loopback, port 8443. NULL with *err set.
 */
struct config *throwaway_make(const char *pki, const char *const *listens, size_t count, struct thaw_error *err);

/*
 * Settings whose only use are the listens: so that an address on the command line is read as one in a file is. NULL
 * with *err set.
 */
struct config *throwaway_listens(const char *const *listens, size_t count, struct thaw_error *err);

/* How to upload to /late. socket: a unix socket's path, or NULL; port: ":PORT", or empty. */
void throwaway_try(FILE *to, const char *pki, const char *socket, const char *port);

/* What was made, and how to try it at that address (as struct loop_hooks tells it). */
void throwaway_explain(FILE *to, const char *pki, const char *address);

#endif
