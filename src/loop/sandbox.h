/*
 * The sandbox of a worker: what it may still do once it is ready to serve, for whoever takes it over.
 *
 * Landlock (sandbox_files.c): it makes, reads and writes files in the spool's folder, reads what c-ares reads, and that
 * is all; TCP connections go to the ports of the upstreams, and it listens nowhere. Descriptors it was given stay good.
 * seccomp (sandbox_calls.c): a list of the system calls that a worker and its libraries need. To start a program, to
 * fork, or to call what only an attacker would, ends the process; a call that is not known gives ENOSYS, so that a
 * newer libc falls back to an older one. No memory becomes executable.
 */
#ifndef LOOP_SANDBOX_H
#define LOOP_SANDBOX_H

#include "config/config.h"

#define SANDBOX_MISSING 64

/*
 * For good, for this process. After all files are open and all names of files in the configuration are done with. With
 * config->sandbox false it does nothing. missing gets what this system cannot do ("Landlock and seccomp"), for a
 * message; empty: nothing is missing. THAW_FAILED: the system can, but did not; the process must not serve.
 */
enum thaw_status sandbox_enter(const struct config *config, char missing[static SANDBOX_MISSING],
			       struct thaw_error *err) THAW_MUST_CHECK;

#endif
