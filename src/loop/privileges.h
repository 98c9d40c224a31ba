/*
 * The user that the workers run as. A master that was started as root opens everything that needs root (sockets, keys,
 * CAs, logs), and stays root, so that it can do so again at a reload. It processes no bytes from clients. Each worker
 * becomes the configured user before it does anything else, and cannot undo that.
 */
#ifndef LOOP_PRIVILEGES_H
#define LOOP_PRIVILEGES_H

#include <sys/types.h>

#include "config/config.h"

struct privileges {
	bool change; /* false: the workers run as the same user as this process */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned; all the groups of the user */
	int group_count;
	const char *user; /* borrowed from the configuration; for messages */
};

/* Returns whether workers run as root: no user is set, or 'user' is root. */
static inline bool privileges_stay_root(const struct privileges *privileges)
{
	return privileges->uid == 0;
}

/* Looks up the names. THAW_ERR_CONFIG: the user or group does not exist, or this process may not become it. */
enum thaw_status privileges_find(struct privileges *privileges, const struct config *config,
				 struct thaw_error *err) THAW_MUST_CHECK;
void privileges_free(struct privileges *privileges);

/* Drops the privileges of this process and of all processes that it starts. This cannot be undone. After a failure the
 * process must exit. */
enum thaw_status privileges_drop(const struct privileges *privileges, struct thaw_error *err) THAW_MUST_CHECK;

/* Creates the folder unless it exists, accessible only to the user that the workers run as. *made: it was created. */
enum thaw_status privileges_make_folder(const struct privileges *privileges, const char *path, bool *made,
					struct thaw_error *err) THAW_MUST_CHECK;

/* Calls what() with dropped privileges in a separate process, and returns its status and its *err. */
enum thaw_status privileges_try(const struct privileges *privileges,
				enum thaw_status (*what)(void *arg, struct thaw_error *err), void *arg,
				struct thaw_error *err) THAW_MUST_CHECK;

#endif
