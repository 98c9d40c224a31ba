/*
 * The files of certificates, keys, CAs and CRLs that a configuration names, watched with inotify(7) for `watch_files`:
 * whether there is another set than the one in use. The folders are watched, and those of each symbolic link on the
 * way, so that a file that is replaced is seen as one that is written: certbot swaps the links in live/, Kubernetes
 * the link ..data.
 *
 * A set is told from others by what stat(2) says. One is tried when it is neither in use nor known not to fit, and no
 * file of it is open for writing; that depends on no time.
 */
#ifndef LOOP_WATCH_H
#define LOOP_WATCH_H

#include "config/config.h"

/* A set that does not fit is not warned of earlier: the rest of it may be on its way. */
#define WATCH_PATIENCE_MS 5000

struct watch {
	int fd;                       /* -1: nothing is watched */
	uint64_t used, tried;         /* the set in use, and the last one that did not fit; 0: none */
	uint64_t file_used;           /* the configuration's own file, as it was read for the set in use */
	uint64_t coming, file_coming; /* of the configuration that is being taken */
	bool wanted;                  /* look whether there is another set */
	uint64_t warn_ms;             /* when the warning is due; THAW_NEVER: there is none */
	struct thaw_error why;        /* what it says */
	struct thaw_error said;       /* the last one that was logged */
};

/* Before the files of config are read. file: the configuration's own; NULL: none. */
void watch_reading(struct watch *watch, const struct config *config, const char *file);

/* What was read is in use: watches its files, if config wants that. False: it cannot, and errno tells why. */
bool watch_taken(struct watch *watch, const struct config *config);

/* What was read cannot be used. */
void watch_refused(struct watch *watch);

/* The descriptor can be read: something has changed in a folder. */
void watch_hear(struct watch *watch, const struct config *config);

enum watch_finding {
	WATCH_SAME,         /* there is nothing new */
	WATCH_OPEN,         /* a file is being written: its end will be heard */
	WATCH_RECONFIGURED, /* the configuration's own file has changed, too */
	WATCH_NEW,          /* another set */
};

enum watch_finding watch_look(struct watch *watch, const struct config *config, const char *file);

/* The set does not fit: *why is logged later, unless it was logged before, or another set fits before that. */
void watch_unfit(struct watch *watch, const struct thaw_error *why, uint64_t now_ms);

/* The warning that is due; NULL: none. */
const char *watch_due(struct watch *watch, uint64_t now_ms);

void watch_close(struct watch *watch);

#endif
