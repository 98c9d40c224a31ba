/*
 * How 'thaw reload' asks a running master to read its configuration again, and 'thaw upgrade' asks it to start its
 * program again, and how both get the result.
 *
 * The master listens on two unix sockets in the abstract namespace, one for each command. The name contains the process
 * id, a hash of the configuration file's path, and a random number. So nothing remains on the disk, and no process can
 * take the name before the master does. A connection is the request; the response is one packet. Both sides check the
 * peer's credentials from the kernel (SO_PEERCRED): the master answers only root and its own user, and the client
 * accepts only the process that it wants to reach. Any local user can listen on such a name, so the name alone proves
 * nothing.
 */
#ifndef LOOP_CONTROL_H
#define LOOP_CONTROL_H

#include <sys/types.h>

#include "thaw/types.h"

#define CONTROL_ASKERS_MAX 16

enum control_kind { CONTROL_RELOAD, CONTROL_UPGRADE };

/* ---- in the master ---- */

struct control {
	int fd; /* call control_take() when it is readable; -1: no commands are accepted */
	int askers[CONTROL_ASKERS_MAX];
	size_t count; /* the first 'served' of them wait for the result of what has begun */
	size_t served;
};

/* file: the configuration; NULL: none. THAW_FAILED: no commands are accepted; everything else works. */
enum thaw_status control_open(struct control *control, enum control_kind kind, const char *file,
			      struct thaw_error *err) THAW_MUST_CHECK;

/* Accepts new commands. True: there is at least one. */
bool control_take(struct control *control);

/* The result of what begins now answers all commands received until now. */
void control_begin(struct control *control);

/* Sends them the result. */
void control_tell(struct control *control, bool taken, const char *text);

/* Closes all descriptors. Also called in a new worker. */
void control_close(struct control *control);

/* ---- in `thaw reload` ---- */

/* Returns the master that runs with this configuration file, or -1 with *err set if there is none or more than one. */
pid_t control_find(const char *file, struct thaw_error *err);

/*
 * Sends the command to that master, and waits for the result. THAW_OK: the command succeeded; text is the master's
 * response. THAW_FAILED: *err is set; its class is THAW_ERR_CONFIG if the master has refused.
 */
enum thaw_status control_ask(pid_t master, enum control_kind kind, char *text, size_t room,
			     struct thaw_error *err) THAW_MUST_CHECK;

#endif
