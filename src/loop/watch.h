/*
 * Uses inotify(7) to watch the files of certificates, keys, CAs and CRLs that a configuration names, for the setting
 * `watch_files`: whether there is another set than the one in use. It watches their folders, and those of each symbolic
 * link on their paths, so that it notices a replaced file as well as a written one: certbot replaces the links in
 * live/, Kubernetes the link ..data.
 *
 * A set is identified by the results of stat(2). It is tried if it is neither in use nor known not to fit, and none of
 * its files is open for writing. This does not depend on time.
 */
#ifndef LOOP_WATCH_H
#define LOOP_WATCH_H

#include "config/config.h"

/* ms before a warning about a set that does not fit, because the rest of it may still be written. */
#define WATCH_PATIENCE_MS 5000

/* ms between two looks at the folders, whatever happens there. */
#define WATCH_PAUSE_MS 250

struct watch {
	int fd;                       /* -1: nothing is watched */
	uint64_t deaf_ms;             /* until then events wait */
	uint64_t used, tried;         /* the set in use, and the last one that did not fit; 0: none */
	uint64_t file_used;           /* the configuration file as it was read for the set in use */
	uint64_t coming, file_coming; /* the same two for the configuration that is being loaded */
	bool wanted;                  /* watch_look() must be called */
	uint64_t warn_ms;             /* when the warning is due; THAW_NEVER: there is none */
	struct thaw_error why;        /* what it says */
	struct thaw_error said;       /* the last warning that was logged; none once such a set is in use or gone */
};

/* Call this before the files of config are read. file: the configuration file; NULL: none. */
void watch_reading(struct watch *watch, const struct config *config, const char *file);

/* Call this when what was read is in use. Watches its files if config->watch_files is true. On failure returns false
 * and sets errno. */
bool watch_taken(struct watch *watch, const struct config *config);

/* Call this when what was read cannot be used. */
void watch_refused(struct watch *watch);

/* Call this when the descriptor is readable: something has changed in a folder. Does nothing before deaf_ms. */
void watch_hear(struct watch *watch, const struct config *config, uint64_t now_ms);

enum watch_finding {
	WATCH_SAME,         /* no new set */
	WATCH_OPEN,         /* a file is open for writing; an event follows when it is closed */
	WATCH_RECONFIGURED, /* the configuration file has changed, too */
	WATCH_NEW,          /* there is another set */
};

enum watch_finding watch_look(struct watch *watch, const struct config *config, const char *file);

/* Call this when the set does not fit. *why is logged later, unless it was the last warning, or another set fits before
 * that. */
void watch_unfit(struct watch *watch, const struct thaw_error *why, uint64_t now_ms);

/* Returns the warning that is due; NULL: none. */
const char *watch_due(struct watch *watch, uint64_t now_ms);

/* Returns the last warning, while the files that it is about are still not loaded; NULL: none. */
const char *watch_held(const struct watch *watch);

void watch_close(struct watch *watch);

#endif
