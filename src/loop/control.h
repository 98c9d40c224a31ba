/*
 * How `thaw reload` asks a running master to read its configuration again, and `thaw upgrade` to start its program
 * anew, and how they hear what came of it.
 *
 * The master listens on a unix socket in the abstract namespace, one for each of the two: its name is made of the
 * process id, of the configuration file's path, and of a random number, so nothing is left behind on a disk, and nobody
 * can take the name before the master does. To connect is to ask; the answer is one packet. Both sides look at the peer
 * that the kernel names (SO_PEERCRED): the master answers root and its own user only, the asker believes only the
 * process that it means. Any local user can listen on such names: a name alone is not believed.
 */
#ifndef LOOP_CONTROL_H
#define LOOP_CONTROL_H

#include <sys/types.h>

#include "thaw/types.h"

#define CONTROL_ASKERS_MAX 16

enum control_kind { CONTROL_RELOAD, CONTROL_UPGRADE };

/* ---- in the master ---- */

struct control {
	int fd; /* to be read when it can be; -1: nobody can ask */
	int askers[CONTROL_ASKERS_MAX];
	size_t count; /* the first of them asked before the outcome that is awaited began ... */
	size_t served;
};

/* file: the configuration; NULL: none. THAW_FAILED: nobody can ask, and all else works. */
enum thaw_status control_open(struct control *control, enum control_kind kind, const char *file,
			      struct thaw_error *err) THAW_MUST_CHECK;

/* True: somebody new asks. */
bool control_take(struct control *control);

/* What is begun now answers all who have asked until now. */
void control_begin(struct control *control);

/* Tells them what came of it. */
void control_tell(struct control *control, bool taken, const char *text);

/* Closes all; in a worker, too. */
void control_close(struct control *control);

/* ---- in `thaw reload` ---- */

/* The master that runs on this configuration file. -1 with *err set: none, or several. */
pid_t control_find(const char *file, struct thaw_error *err);

/*
 * Asks that master, and waits. THAW_OK: it has taken its configuration, text says what it told. THAW_FAILED: *err, of
 * class THAW_ERR_CONFIG when the master has refused.
 */
enum thaw_status control_ask(pid_t master, enum control_kind kind, char *text, size_t room,
			     struct thaw_error *err) THAW_MUST_CHECK;

#endif
