#include "demo/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/socket.h"
#include "tls/pki.h"

#define READY_MS 20000
#define PIECE    65536

static enum thaw_status make_folder(struct stage *stage, struct thaw_error *err)
{
	const char *temporary = getenv("TMPDIR");

	(void)snprintf(stage->folder, sizeof(stage->folder), "%s/thaw-demo-XXXXXX",
		       temporary != NULL ? temporary : "/tmp");
	if (mkdtemp(stage->folder) == NULL) {
		(void)error_system(err, errno, "cannot create a folder in %s", stage->folder);
		stage->folder[0] = '\0';
		return THAW_FAILED;
	}
	(void)snprintf(stage->pki, sizeof(stage->pki), "%s/pki", stage->folder);
	(void)snprintf(stage->file, sizeof(stage->file), "%s/upload", stage->folder);
	return tls_pki_make(stage->pki, err);
}

/* Writes pseudo-random bytes (xorshift64), which cannot be compressed, and computes their digest. */
static enum thaw_status make_upload(struct stage *stage, uint64_t size, struct thaw_error *err)
{
	static uint64_t piece[PIECE / sizeof(uint64_t)];
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
	struct tls_digest *digest = tls_digest_new();
	FILE *file = digest != NULL ? fopen(stage->file, "we") : NULL;
	bool ok = file != NULL;

	for (uint64_t left = size; ok && left > 0;) {
		size_t len = left < PIECE ? (size_t)left : PIECE;
		for (size_t i = 0; i < PIECE / sizeof(uint64_t); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			piece[i] = x;
		}
		ok = fwrite(piece, 1, len, file) == len && tls_digest_add(digest, piece, len);
		left -= len;
	}
	int cause = errno;
	ok = ok && tls_digest_end(digest, stage->sha256);
	tls_digest_free(&digest);
	if (file != NULL && fclose(file) != 0)
		ok = false;
	return ok ? THAW_OK : error_system(err, cause, "cannot write the file to upload: %s", stage->file);
}

static enum thaw_status start_thaw(struct stage *stage, const char *program, struct thaw_error *err)
{
	static const char ready[] = "listening on 127.0.0.1:";
	const char *argv[] = {program, "serve", "--listen", "127.0.0.1:0", "--pki", stage->pki, NULL};
	char text[4096];

	if (child_spawn(&stage->thaw, argv, CHILD_STDERR, err) != THAW_OK)
		return THAW_FAILED;
	(void)child_read(&stage->thaw, text, sizeof(text), ready, READY_MS);
	const char *found = strstr(text, ready);
	long port = found != NULL ? strtol(found + sizeof(ready) - 1, NULL, 10) : 0;
	if (port <= 0 || port > UINT16_MAX)
		return error_set(err, THAW_ERR_SYSTEM, "'thaw serve' did not start: %.300s", text);
	stage->thaw_port = (uint16_t)port;
	return THAW_OK;
}

enum thaw_status stage_set(struct stage *stage, const struct demo_options *options, struct thaw_error *err)
{
	*stage = (struct stage){.thaw = {.out = -1}, .frozen_listener = -1};
	if (make_folder(stage, err) != THAW_OK || make_upload(stage, options->upload, err) != THAW_OK)
		return THAW_FAILED;
	stage->frozen_listener = socket_listen("127.0.0.1", 0, err);
	if (stage->frozen_listener < 0)
		return THAW_FAILED;
	stage->frozen_port = socket_port(stage->frozen_listener);
	return start_thaw(stage, options->program, err);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

void stage_clear(struct stage *stage)
{
	child_end(&stage->thaw);
	if (stage->frozen_listener >= 0)
		(void)close(stage->frozen_listener);
	if (stage->folder[0] != '\0')
		(void)nftw(stage->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
