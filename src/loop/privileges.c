#include "loop/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

#define FOLDER_RIGHTS 0700
#define GROUPS_MAX    65536 /* NGROUPS_MAX of Linux */

/* ---- finding the user ---- */

static enum thaw_status find_group(struct privileges *privileges, const struct config *config, struct thaw_error *err)
{
	const char *name = config->group;
	errno = 0;
	const struct group *group = getgrnam(name);

	if (group == NULL && errno != 0 && errno != ENOENT)
		return error_system(err, errno, "%s: cannot look up the group '%s'", config->group_place, name);
	if (group == NULL)
		return error_set(
			err, THAW_ERR_CONFIG,
			"%s: there is no group '%s'; create it with 'groupadd --system %s', or correct the name",
			config->group_place, name, name);
	privileges->gid = group->gr_gid;
	return THAW_OK;
}

static enum thaw_status find_user(struct privileges *privileges, const struct config *config, struct thaw_error *err)
{
	const char *name = config->user;
	errno = 0;
	const struct passwd *user = getpwnam(name);

	if (user == NULL && errno != 0 && errno != ENOENT)
		return error_system(err, errno, "%s: cannot look up the user '%s'", config->user_place, name);
	if (user == NULL && name[strspn(name, "0123456789")] == '\0')
		return error_set(err, THAW_ERR_CONFIG,
				 "%s: there is no user with the name '%s'; write the name of a user, not its number",
				 config->user_place, name);
	if (user == NULL)
		return error_set(err, THAW_ERR_CONFIG,
				 "%s: there is no user '%s'; create it with 'useradd --system %s', or correct the name",
				 config->user_place, name, name);
	privileges->uid = user->pw_uid;
	privileges->gid = user->pw_gid;
	return THAW_OK;
}

/* Finds all groups of the user; without a user, only the configured group. */
static enum thaw_status find_groups(struct privileges *privileges, struct thaw_error *err)
{
	int count = 0;

	if (privileges->user != NULL)
		(void)getgrouplist(privileges->user, privileges->gid, NULL, &count); /* this call only counts them */
	if (count < 1 || count > GROUPS_MAX)
		count = 1;
	privileges->groups = calloc((size_t)count, sizeof(*privileges->groups));
	if (privileges->groups == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	privileges->groups[0] = privileges->gid;
	if (privileges->user != NULL && getgrouplist(privileges->user, privileges->gid, privileges->groups, &count) < 0)
		return error_set(err, THAW_ERR_SYSTEM, "cannot list the groups of the user '%s'", privileges->user);
	privileges->group_count = count;
	return THAW_OK;
}

static enum thaw_status find(struct privileges *privileges, const struct config *config, struct thaw_error *err)
{
	if (config->user != NULL && find_user(privileges, config, err) != THAW_OK)
		return THAW_FAILED;
	if (config->group != NULL && find_group(privileges, config, err) != THAW_OK)
		return THAW_FAILED;
	if (geteuid() == 0) {
		privileges->change = true;
		return find_groups(privileges, err);
	}
	if (privileges->uid == geteuid() && privileges->gid == getegid())
		return THAW_OK;
	return error_set(err, THAW_ERR_CONFIG,
			 "%s: thaw is not root, so it cannot become '%s'; start it as root, or remove the key",
			 config->user != NULL ? config->user_place : config->group_place,
			 config->user != NULL ? config->user : config->group);
}

enum thaw_status privileges_find(struct privileges *privileges, const struct config *config, struct thaw_error *err)
{
	*privileges = (struct privileges){.uid = geteuid(), .gid = getegid(), .user = config->user};
	if (config->user == NULL && config->group == NULL)
		return THAW_OK;
	if (find(privileges, config, err) == THAW_OK)
		return THAW_OK;
	privileges_free(privileges);
	return THAW_FAILED;
}

void privileges_free(struct privileges *privileges)
{
	free(privileges->groups);
	*privileges = (struct privileges){.groups = NULL};
}

/* ---- becoming the user ---- */

/*
 * A service manager may have granted capabilities, for example to bind low ports; they are not needed any more. Root
 * keeps only CAP_DAC_OVERRIDE, because in a container it must often reach a spool folder or an upstream's socket that
 * belongs to another user.
 */
static bool drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3] = {{0}};
	uint32_t wanted = geteuid() == 0 ? UINT32_C(1) << CAP_DAC_OVERRIDE : 0;

	if (syscall(SYS_capget, &head, kept) != 0)
		return false;
	wanted &= kept[0].permitted;
	memset(kept, 0, sizeof(kept));
	kept[0].permitted = kept[0].effective = wanted;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 && syscall(SYS_capset, &head, kept) == 0;
}

static bool is_for_good(const struct privileges *privileges)
{
	uid_t real, effective, saved;
	gid_t group, effective_group, saved_group;

	if (getresuid(&real, &effective, &saved) != 0 || getresgid(&group, &effective_group, &saved_group) != 0)
		return false;
	if (real != privileges->uid || effective != real || saved != real)
		return false;
	if (group != privileges->gid || effective_group != group || saved_group != group)
		return false;
	return privileges->uid == 0 || (setuid(0) != 0 && seteuid(0) != 0);
}

enum thaw_status privileges_drop(const struct privileges *privileges, struct thaw_error *err)
{
	const char *who = privileges->user != NULL ? privileges->user : "the configured group";

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_system(err, errno, "cannot set no_new_privs");
	if (privileges->change) {
		if (setgroups((size_t)privileges->group_count, privileges->groups) != 0 ||
		    setresgid(privileges->gid, privileges->gid, privileges->gid) != 0 ||
		    setresuid(privileges->uid, privileges->uid, privileges->uid) != 0)
			return error_system(err, errno, "cannot become %s", who);
		if (!is_for_good(privileges))
			return error_set(err, THAW_ERR_SYSTEM, "privileges could be regained after becoming %s", who);
	}
	if (!drop_capabilities())
		return error_system(err, errno, "cannot drop capabilities");
	return THAW_OK;
}

/* ---- on behalf of the user ---- */

/* Another user who owns the parent folder may have replaced the folder in the meantime. On failure returns false and
 * sets errno. */
static bool give_away(const struct privileges *privileges, const char *path)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool ours = fstat(fd, &info) == 0 && info.st_uid == geteuid();
	bool given = ours && fchown(fd, privileges->uid, privileges->gid) == 0;
	int cause = ours ? errno : EPERM;
	(void)close(fd);
	errno = cause;
	return given;
}

enum thaw_status privileges_make_folder(const struct privileges *privileges, const char *path, bool *made,
					struct thaw_error *err)
{
	*made = false;
	if (mkdir(path, FOLDER_RIGHTS) != 0)
		return errno == EEXIST ? THAW_OK : error_system(err, errno, "cannot create the folder %s", path);
	if (privileges->change && !give_away(privileges, path)) {
		int cause = errno;
		(void)rmdir(path);
		return error_system(err, cause, "cannot change the owner of the folder %s", path);
	}
	*made = true;
	return THAW_OK;
}

/* Runs in the new process. */
static void try_here(const struct privileges *privileges, enum thaw_status (*what)(void *, struct thaw_error *),
		     void *arg, int tell)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	bool ok = privileges_drop(privileges, &err) == THAW_OK && what(arg, &err) == THAW_OK;

	if (!ok)
		(void)!write(tell, &err, sizeof(err)); /* less than PIPE_BUF */
	_exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
}

enum thaw_status privileges_try(const struct privileges *privileges,
				enum thaw_status (*what)(void *arg, struct thaw_error *err), void *arg,
				struct thaw_error *err)
{
	struct thaw_error result;
	int ends[2], how = 0;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_system(err, errno,
				    "cannot create a pipe to the process that checks the user's permissions");
	pid_t pid = fork();
	if (pid == 0)
		try_here(privileges, what, arg, ends[1]);
	int cause = errno;
	(void)close(ends[1]);
	ssize_t got = pid > 0 ? read(ends[0], &result, sizeof(result)) : -1;
	(void)close(ends[0]);
	if (pid < 0)
		return error_system(err, cause, "cannot start the process that checks the user's permissions");
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(how) && WEXITSTATUS(how) == EXIT_SUCCESS)
		return THAW_OK;
	if (got != (ssize_t)sizeof(result) || (size_t)result.cls > THAW_ERR_CONFIG)
		return error_set(err, THAW_ERR_SYSTEM,
				 "the process that checks the user's permissions ended without a result");
	result.text[sizeof(result.text) - 1] = '\0'; /* an unprivileged process wrote this: do not trust it */
	return error_set(err, result.cls, "%s", result.text);
}
