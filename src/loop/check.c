/* 'thaw check': checks whether 'thaw serve' could serve a configuration. */
#include "base/error.h"
#include "loop/load.h"
#include "loop/log.h"
#include "loop/loop.h"
#include "loop/signer.h"

static enum thaw_status check_keys(const struct config *config, const struct loaded *loaded, struct thaw_error *err)
{
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	if (signer_check(config, &loaded->privileges, &why) == THAW_OK)
		return THAW_OK;
	return error_set(err, why.cls != THAW_ERR_RESOURCE ? THAW_ERR_CONFIG : why.cls, "%s", why.text);
}

enum thaw_status loop_check(const struct config *config, void (*warn)(void *arg, const char *text), void *arg,
			    struct thaw_error *err)
{
	struct loaded loaded;

	if (log_check(config, err) != THAW_OK) {
		err->cls = THAW_ERR_CONFIG;
		return THAW_FAILED;
	}
	if (loaded_make(&loaded, config, NULL, err) != THAW_OK)
		return THAW_FAILED;
	enum thaw_status status = check_keys(config, &loaded, err);
	if (status == THAW_OK)
		loaded_warnings(&loaded, config, warn, arg);
	loaded_unmake_folder(&loaded, config);
	loaded_free(&loaded);
	return status;
}
