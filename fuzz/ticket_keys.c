/* Any bytes as a file of session ticket keys: it loads, or the error has its name; an added comment changes nothing. */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holds.h"
#include "tls/ticket_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(int fd, const void *bytes, size_t len)
{
	HOLDS(write(fd, bytes, len) == (ssize_t)len);
}

/* Whether it loads, otherwise the error text after the file's name. */
static bool load(const char *before, const uint8_t *data, size_t size, struct thaw_error *err)
{
	char path[32];
	int fd = memfd_create("ticket-keys", MFD_CLOEXEC);

	HOLDS(fd >= 0 && fchmod(fd, 0600) == 0);
	put(fd, before, strlen(before));
	put(fd, data, size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*err = (struct thaw_error){.cls = THAW_ERR_NONE};
	struct tls_ticket_keys *keys = tls_ticket_keys_load(path, err);
	bool good = keys != NULL;
	HOLDS(good == (err->cls == THAW_ERR_NONE));
	HOLDS(good || (err->cls == THAW_ERR_CONFIG && strncmp(err->text, path, strlen(path)) == 0));
	tls_ticket_keys_free(&keys);
	(void)close(fd);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct thaw_error err;
	bool good = load("", data, size, &err);

	HOLDS(!good || (size >= 108 && size <= TLS_TICKET_FILE_MAX));
	if (size + 4 <= TLS_TICKET_FILE_MAX)
		HOLDS(load("#x\n\n", data, size, &err) == good);
	return 0;
}
