/*
 * The sandbox of a worker limits what a compromised worker can do.
 *
 * Landlock (sandbox_files.c): a worker can create, read, write and remove files in the spool folder, read files in the
 * folders of ACME challenges (acme_webroot), read what c-ares reads, and nothing else. It can open TCP connections only
 * to the ports of upstreams, and to port 53 if an upstream has a name. It cannot listen. Descriptors that were open
 * before stay usable.
 *
 * seccomp (sandbox_calls.c): a list of the system calls that a worker and its libraries need. Starting a program,
 * forking, or a call that only an attacker would make kills the process. Any other call returns ENOSYS, so that a newer
 * libc falls back to an older one. No memory can become executable.
 */
#ifndef LOOP_SANDBOX_H
#define LOOP_SANDBOX_H

#include "config/config.h"

#define SANDBOX_MISSING 64

/*
 * Puts this process into the sandbox, which cannot be undone. Call this after all files are open, when no file name of
 * the configuration is needed any more. Does nothing if config->sandbox is false. missing: what this system does not
 * support ("Landlock and seccomp"), for a message; empty: everything is supported. THAW_FAILED: the system supports it,
 * but it failed; the process must not serve.
 */
enum thaw_status sandbox_enter(const struct config *config, char missing[static SANDBOX_MISSING],
			       struct thaw_error *err) THAW_MUST_CHECK;

/*
 * The signer's sandbox. A token's module may need any file, socket, device and thread, and may load libraries. So only
 * those system calls fail, with EPERM, that start a program or a process, trace one, change the user, or are for the
 * administration of the system.
 */
enum thaw_status sandbox_enter_signer(const struct config *config, struct thaw_error *err) THAW_MUST_CHECK;

#endif
