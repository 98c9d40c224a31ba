/* The test set-up of `thaw serve` without a configuration: test certificates, and a path for each moment of asking. */
#ifndef CLI_THROWAWAY_H
#define CLI_THROWAWAY_H

#include <stddef.h>
#include <stdio.h>

#include "config/config.h"

#define THROWAWAY_PKI "./thaw-pki"

/*
 * Creates the test certificates in the folder pki, unless they exist, and returns the settings. listens: addresses
 * as in a configuration; none: loopback, port 8443. NULL with *err set.
 */
struct config *throwaway_make(const char *pki, const char *const *listens, size_t count, struct thaw_error *err);

/*
 * Settings that only contain these listen addresses, so that an address on the command line is parsed as one in a
 * file is. NULL with *err set.
 */
struct config *throwaway_listens(const char *const *listens, size_t count, struct thaw_error *err);

/* Prints a command that uploads to /late. socket: path of a unix socket, or NULL; port: ":PORT", or empty. */
void throwaway_try(FILE *to, const char *pki, const char *socket, const char *port);

/* Prints what was created and how to test it at that address (as passed by struct loop_hooks). */
void throwaway_explain(FILE *to, const char *pki, const char *address);

#endif
