/* Shared by all runs of the demo: a folder with the PKI and the file to upload, and the two servers. */
#ifndef DEMO_STAGE_H
#define DEMO_STAGE_H

#include <limits.h>

#include "demo/child.h"
#include "demo/demo.h"
#include "tls/digest.h"

struct stage {
	char folder[PATH_MAX / 2], pki[PATH_MAX], file[PATH_MAX];
	char sha256[TLS_DIGEST_HEX]; /* of the file */
	struct child thaw;
	uint16_t thaw_port;
	int frozen_listener;
	uint16_t frozen_port;
};

/* THAW_FAILED: *err is set. Call stage_clear() in any case. */
enum thaw_status stage_set(struct stage *stage, const struct demo_options *options,
			   struct thaw_error *err) THAW_MUST_CHECK;

/* Ends the servers and removes the folder. */
void stage_clear(struct stage *stage);

#endif
