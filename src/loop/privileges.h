/*
 * Who the workers are. A master that was started as root opens all that needs its rights (sockets, keys, CAs, logs)
 * and stays root, so that it can do so again at a reload; it handles no byte of any client. Each worker becomes the
 * configured user before it does anything else, and cannot go back.
 */
#ifndef LOOP_PRIVILEGES_H
#define LOOP_PRIVILEGES_H

#include <sys/types.h>

#include "config/config.h"

struct privileges {
	bool change; /* false: they are whom this process is */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned; all the groups of the user */
	int group_count;
	const char *user; /* borrowed from the configuration; for messages */
};

/* Workers will be root: no user is set, or root is. */
static inline bool privileges_stay_root(const struct privileges *privileges)
{
	return privileges->uid == 0;
}

/* Looks the names up. THAW_ERR_CONFIG: there is no such user or group, or this process may not become it. */
enum thaw_status privileges_find(struct privileges *privileges, const struct config *config,
				 struct thaw_error *err) THAW_MUST_CHECK;
void privileges_free(struct privileges *privileges);

/* For good, and for all that this process ever starts. After a failure it must not go on. */
enum thaw_status privileges_drop(const struct privileges *privileges, struct thaw_error *err) THAW_MUST_CHECK;

/* Makes the folder, unless it is there (*made tells), for those to whom the privileges will be dropped, and for no
 * others. */
enum thaw_status privileges_make_folder(const struct privileges *privileges, const char *path, bool *made,
					struct thaw_error *err) THAW_MUST_CHECK;

/* Calls what() with the privileges dropped, in a process of its own; its outcome and its *err. */
enum thaw_status privileges_try(const struct privileges *privileges,
				enum thaw_status (*what)(void *arg, struct thaw_error *err), void *arg,
				struct thaw_error *err) THAW_MUST_CHECK;

#endif
