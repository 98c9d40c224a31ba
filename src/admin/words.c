#include "admin/respond.h"

const char *admin_phase_name(enum scoreboard_phase phase)
{
	static const char *const names[] = {[SCOREBOARD_STARTING] = "starting",
					    [SCOREBOARD_SERVING] = "serving",
					    [SCOREBOARD_STOPPING] = "stopping"};
	return (size_t)phase < SCOREBOARD_PHASES ? names[phase] : "unknown";
}

const char *admin_class_name(size_t status_class)
{
	static const char *const names[SCOREBOARD_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
	return names[status_class];
}

const char *admin_version_name(size_t tls)
{
	static const char *const names[] = {"TLSv1.2", "TLSv1.3", "other"};
	return names[tls];
}
