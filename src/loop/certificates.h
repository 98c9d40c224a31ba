/* The certificates, CAs and CRLs that a configuration names: what will fail with them, and until when they are good. */
#ifndef LOOP_CERTIFICATES_H
#define LOOP_CERTIFICATES_H

#include "config/config.h"
#include "tls/inspect.h"

/* now_s: since 1970. Calls warn() for each finding, behind the setting's file, line and key. */
void certificates_warn(const struct config *config, int64_t now_s, void (*warn)(void *arg, const char *text),
		       void *arg);

/* The files that decide which certificates are accepted: CAs and CRLs, each setting's own place with it. */
void certificates_deciding(const struct config *config, void (*see)(void *arg, const char *place, const char *file),
			   void *arg);

/* All files: those, chains that are sent, and keys. */
void certificates_named(const struct config *config, void (*see)(void *arg, const char *place, const char *file),
			void *arg);

/* All of them; false: out of memory, and then the list is empty. */
bool certificates_expiries(const struct config *config, struct expiries *list) THAW_MUST_CHECK;

#endif
