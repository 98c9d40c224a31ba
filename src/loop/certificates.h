/* The certificates, CAs and CRLs that a configuration names: likely problems with them, and when they expire. */
#ifndef LOOP_CERTIFICATES_H
#define LOOP_CERTIFICATES_H

#include "config/config.h"
#include "tls/inspect.h"

/* Calls warn() for each problem. The text begins with the file, line and key of the setting. now_s: seconds since
 * 1970. */
void certificates_warn(const struct config *config, int64_t now_s, void (*warn)(void *arg, const char *text),
		       void *arg);

/* Calls see() for each file that decides which certificates are accepted: CAs and CRLs. place: where the setting is. */
void certificates_deciding(const struct config *config, void (*see)(void *arg, const char *place, const char *file),
			   void *arg);

/* Calls see() for all files: CAs, CRLs, chains that Thaw sends, and keys. */
void certificates_named(const struct config *config, void (*see)(void *arg, const char *place, const char *file),
			void *arg);

/* Collects the expiry times of all certificates, CAs and CRLs. False: out of memory; the list is empty then. */
bool certificates_expiries(const struct config *config, struct expiries *list) THAW_MUST_CHECK;

#endif
