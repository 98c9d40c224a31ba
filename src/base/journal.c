#include "base/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool journal_is(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char name[64];
	struct stat info;

	if (stream == NULL || fstat(fd, &info) != 0)
		return false;
	(void)snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)info.st_dev,
		       (unsigned long long)info.st_ino);
	return strcmp(stream, name) == 0;
}

const char *journal_prefix(enum journal_priority priority, bool to_journal)
{
	static const char *const prefixes[] = {
		[JOURNAL_ERROR] = "<3>", [JOURNAL_WARNING] = "<4>", [JOURNAL_NOTICE] = "<5>",
		[JOURNAL_INFO] = "<6>",  [JOURNAL_DEBUG] = "<7>",
	};

	return to_journal ? prefixes[priority] : "";
}
